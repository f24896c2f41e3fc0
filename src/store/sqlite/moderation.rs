//! The SQL of what moderators did: the log of a channel, and whom it keeps from speaking.
//!
//! One row is both a line of the log and, where it bars somebody, a ban. Whether a ban is in force at a moment is
//! the caller's to decide: the store has no clock.

use compact_str::format_compact;
use rusqlite::{Connection, Row, params};

use super::messages::text;
use crate::model::{Moderation, Person, Text, Time, Window};
use crate::store::window;
use crate::store::{Barred, StoreError, Verdict};

const COLUMNS: &str = "number, channel, person, moderator, action, created_at, until";

pub fn keep(
    db: &Connection,
    upstream: &str,
    done: Moderation,
    verdict: Verdict,
) -> Result<Option<Moderation>, StoreError> {
    let (channel, person) = (done.channel.as_str(), done.person.id.as_str());
    if verdict == Verdict::Frees {
        let sql = "UPDATE moderation SET bars = 0 \
            WHERE upstream = ?1 AND channel = ?2 AND person = ?3 AND bars = 1 AND until IS NULL";
        let freed = db
            .prepare_cached(sql)?
            .execute((upstream, channel, person))?;
        if freed == 0 {
            return Ok(None);
        }
    }
    let sql = "INSERT INTO moderation (upstream, channel, person, moderator, action, created_at, bars, until) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    db.prepare_cached(sql)?.execute(params![
        upstream,
        channel,
        person,
        done.moderator.id.as_str(),
        done.action.as_str(),
        done.created_at.unwrap_or_default().0,
        verdict == Verdict::Bars,
        done.until.map(|until| until.0),
    ])?;
    Ok(Some(Moderation {
        id: format_compact!("{}", db.last_insert_rowid()),
        ..done
    }))
}

pub fn list(
    db: &Connection,
    upstream: &str,
    channel: &str,
    bans: bool,
    asked: &Window,
    page_max: i64,
) -> Result<(Vec<Moderation>, Window), StoreError> {
    let condition = "upstream = ?1 AND channel = ?2 AND bars >= ?3";
    let sql = format!("SELECT count(*) FROM moderation WHERE {condition}");
    let total: i64 = db
        .prepare_cached(&sql)?
        .query_row((upstream, channel, bans), |row| row.get(0))?;
    let slice = window::slice(asked, total, page_max)?;
    let sql = format!(
        "SELECT {COLUMNS} FROM moderation WHERE {condition} ORDER BY number LIMIT ?4 OFFSET ?5"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((upstream, channel, bans, slice.count, slice.start))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let cursor = window::row(slice.start + found.len() as i64);
        found.push(Moderation {
            cursor,
            ..read(row)?
        });
    }
    Ok((found, window::shown(asked, slice, total, page_max)))
}

pub fn barred(db: &Connection, upstream: &str) -> Result<Vec<Barred>, StoreError> {
    let sql = "SELECT channel, person, max(until), max(until IS NULL) FROM moderation \
        WHERE upstream = ?1 AND bars = 1 GROUP BY channel, person";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([upstream])?;
    let mut barred = Vec::new();
    while let Some(row) = rows.next()? {
        barred.push(Barred {
            channel: text(row, 0)?,
            person: text(row, 1)?,
            until: row.get::<_, Option<i64>>(2)?.map(Time),
            for_ever: row.get(3)?,
        });
    }
    Ok(barred)
}

fn read(row: &Row<'_>) -> Result<Moderation, StoreError> {
    let person = |id: Text| Person {
        id,
        ..Person::default()
    };
    Ok(Moderation {
        id: format_compact!("{}", row.get::<_, i64>(0)?),
        channel: text(row, 1)?,
        person: Box::new(person(text(row, 2)?)),
        moderator: Box::new(person(text(row, 3)?)),
        action: text(row, 4)?,
        created_at: Some(Time(row.get(5)?)),
        until: row.get::<_, Option<i64>>(6)?.map(Time),
        ..Moderation::default()
    })
}
