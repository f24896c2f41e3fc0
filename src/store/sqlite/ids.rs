//! The SQL of ids: which number stands for which thing, and which thing an alias of a number means.
//!
//! Numbers count up, but now and then one is left out: aliases like a Slack ts have room for only a part of the
//! number, so two things that were created in the same second must not have numbers that end alike.

use rusqlite::{Connection, OptionalExtension, Row};

use super::messages::{self, text};
use super::provisional;
use crate::model::Time;
use crate::model::alias::{self, Clue, SLACK_NUMBERS, SNOWFLAKE_NUMBERS};
use crate::model::profile::IdKind;
use crate::store::{Minted, Native, NativeKind, StoreError};

/// Steps that are tried away from a number whose aliases are taken, each twice as long as the one before.
const STEPS: u32 = 24;

const COLUMNS: &str = "number, kind, upstream, channel, id, created_at, same_as, sender";

pub fn mint(db: &Connection, natives: &[Native]) -> Result<Vec<Minted>, StoreError> {
    natives.iter().map(|native| mint_one(db, native)).collect()
}

fn mint_one(db: &Connection, native: &Native) -> Result<Minted, StoreError> {
    if let Some(minted) = minted(db, native)? {
        sent_by(db, minted.number, &native.sender)?;
        return Ok(minted);
    }
    let number = free_number(db, native.created_at)?;
    let sql = "INSERT INTO native (number, kind, upstream, channel, id, created_at, sender) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let created_at = native.created_at.map(|time| time.0);
    let key = key(native);
    let sender = native.sender.as_str();
    db.prepare_cached(sql)?
        .execute((number, key.0, key.1, key.2, key.3, created_at, sender))?;
    Ok(Minted {
        number: number as u64,
        created_at: native.created_at,
    })
}

/// Adds who sent a message, where nobody is known to have.
fn sent_by(db: &Connection, number: u64, sender: &str) -> Result<(), StoreError> {
    if !sender.is_empty() {
        let sql = "UPDATE native SET sender = ?2 WHERE number = ?1 AND sender = ''";
        db.prepare_cached(sql)?.execute((number as i64, sender))?;
    }
    Ok(())
}

pub fn known(db: &Connection, natives: &[Native]) -> Result<Vec<Option<u64>>, StoreError> {
    natives.iter().map(|native| number_of(db, native)).collect()
}

fn number_of(db: &Connection, native: &Native) -> Result<Option<u64>, StoreError> {
    Ok(minted(db, native)?.map(|minted| minted.number))
}

fn minted(db: &Connection, native: &Native) -> Result<Option<Minted>, StoreError> {
    let sql = "SELECT number, created_at FROM native \
        WHERE kind = ?1 AND upstream = ?2 AND channel = ?3 AND id = ?4 AND same_as IS NULL";
    let read = |row: &Row<'_>| {
        Ok(Minted {
            number: row.get::<_, i64>(0)? as u64,
            created_at: row.get::<_, Option<i64>>(1)?.map(Time),
        })
    };
    let mut statement = db.prepare_cached(sql)?;
    Ok(statement.query_row(key(native), read).optional()?)
}

/// The next number whose aliases nobody has who was created in the same second.
fn free_number(db: &Connection, created_at: Option<Time>) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(number), 0) + 1 FROM native";
    let next: i64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    let Some(created_at) = created_at else {
        return Ok(next);
    };
    let sql = "SELECT count(*) FROM (SELECT 1 FROM native WHERE created_at >= ?1 AND created_at < ?2 AND \
        (number % ?4 = ?3 % ?4 OR (created_at >= ?5 AND created_at < ?6 AND number % ?7 = ?3 % ?7)) LIMIT 1)";
    let mut statement = db.prepare_cached(sql)?;
    let second = (
        Time::from_seconds(created_at.seconds()).0,
        Time::from_seconds(created_at.seconds() + 1).0,
    );
    let millis = (
        Time::from_millis(created_at.millis()).0,
        Time::from_millis(created_at.millis() + 1).0,
    );
    let (slack, snowflake) = (SLACK_NUMBERS as i64, SNOWFLAKE_NUMBERS as i64);
    for step in 0..STEPS {
        let number = next + (1_i64 << step) - 1;
        let values = (
            second.0, second.1, number, slack, millis.0, millis.1, snowflake,
        );
        let taken: bool = statement.query_row(values, |row| row.get(0))?;
        if !taken {
            return Ok(number);
        }
    }
    Err(StoreError::Refused(
        "too many things were created in one second".into(),
    ))
}

pub fn native(db: &Connection, number: u64) -> Result<Option<Native>, StoreError> {
    Ok(row_of(db, number)?.map(|found| found.native))
}

/// A row, or the one that it turned out to be the same as.
struct Found {
    number: u64,
    native: Native,
    /// The moment that the number asked for is written with.
    created_at: Option<Time>,
}

fn row_of(db: &Connection, number: u64) -> Result<Option<Found>, StoreError> {
    // Numbers are never as large as this; one that a client made up may be.
    let Ok(stored) = i64::try_from(number) else {
        return Ok(None);
    };
    let sql = format!("SELECT {COLUMNS} FROM native WHERE number = ?1");
    let mut statement = db.prepare_cached(&sql)?;
    let mut read = |number: i64| {
        statement
            .query_row([number], |row| Ok(read(row)))
            .optional()
    };
    let Some(row) = read(stored)?.transpose()? else {
        return Ok(None);
    };
    let created_at = row.0.created_at;
    let native = match row.1 {
        // One step is enough: what others are the same as is never the same as another itself.
        Some(same_as) => read(same_as)?.transpose()?.map(|row| row.0),
        None => Some(row.0),
    };
    Ok(native.map(|native| Found {
        number,
        native,
        created_at,
    }))
}

pub fn resolve(
    db: &Connection,
    kind: IdKind,
    alias: &str,
) -> Result<Option<(u64, Native)>, StoreError> {
    let number = match alias::read(kind, alias) {
        None => None,
        Some(Clue::Number(number)) => Some(number),
        Some(Clue::Moment {
            from,
            until,
            rest,
            numbers,
        }) => {
            let sql = "SELECT number FROM native WHERE created_at >= ?1 AND created_at < ?2 AND number % ?3 = ?4";
            let values = (from.0, until.0, numbers as i64, rest as i64);
            let number: Option<i64> = db
                .prepare_cached(sql)?
                .query_row(values, |row| row.get(0))
                .optional()?;
            number.map(|number| number as u64)
        }
    };
    let Some(number) = number else {
        return Ok(None);
    };
    let found =
        row_of(db, number)?.filter(|found| alias::write(kind, number, found.created_at) == alias);
    Ok(found.map(|found| (found.number, found.native)))
}

pub fn bind(db: &Connection, number: u64, native: &Native) -> Result<bool, StoreError> {
    let Some(found) = row_of(db, number)? else {
        return Ok(false);
    };
    if key(&found.native) == key(native) {
        return Ok(true);
    }
    if native.kind == NativeKind::Message {
        provisional::drop(db, &found.native.id)?;
        messages::rename(
            db,
            &native.upstream,
            &native.channel,
            &found.native.id,
            &native.id,
        )?;
    }
    let (number, key) = (number as i64, key(native));
    match number_of(db, native)? {
        // A listing showed it first and gave it a number: both stand for it from now on.
        Some(other) => {
            let sql = "UPDATE native SET same_as = ?2 WHERE number = ?1 OR same_as = ?1";
            db.prepare_cached(sql)?.execute((number, other as i64))?;
            sent_by(db, other, &found.native.sender)?;
        }
        // The moment stays as it was: what was given out was written with it.
        None => {
            let sql = "UPDATE native SET kind = ?2, upstream = ?3, channel = ?4, id = ?5, same_as = NULL \
                WHERE number = ?1";
            db.prepare_cached(sql)?
                .execute((number, key.0, key.1, key.2, key.3))?;
        }
    }
    Ok(true)
}

fn read(row: &Row<'_>) -> Result<(Native, Option<i64>), StoreError> {
    let native = Native {
        kind: kind(row.get(1)?)?,
        upstream: text(row, 2)?,
        channel: text(row, 3)?,
        id: text(row, 4)?,
        created_at: row.get::<_, Option<i64>>(5)?.map(Time),
        sender: text(row, 7)?,
    };
    Ok((native, row.get(6)?))
}

/// What a thing is known by.
fn key(native: &Native) -> (i64, &str, &str, &str) {
    let Native {
        kind,
        upstream,
        channel,
        id,
        created_at: _,
        sender: _,
    } = native;
    (number(*kind), upstream, channel, id)
}

/// How a kind is stored. Never changed, only added to.
fn number(kind: NativeKind) -> i64 {
    match kind {
        NativeKind::Message => 1,
        NativeKind::Channel => 2,
        NativeKind::Person => 3,
        NativeKind::Participant => 4,
    }
}

fn kind(stored: i64) -> Result<NativeKind, StoreError> {
    [
        NativeKind::Message,
        NativeKind::Channel,
        NativeKind::Person,
        NativeKind::Participant,
    ]
    .into_iter()
    .find(|kind| number(*kind) == stored)
    .ok_or_else(|| StoreError::Unreadable {
        what: "id",
        reason: format!("its kind is {stored}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{Config, connect};

    fn native(id: u64, created_at: Option<Time>) -> Native {
        let id = id.to_string().into();
        Native {
            kind: NativeKind::Message,
            upstream: "far".into(),
            channel: "6".into(),
            id,
            created_at,
            ..Native::default()
        }
    }

    /// Jumps ahead by inserting a row with a large number, then mints things whose aliases would be taken.
    #[test]
    fn numbers_are_left_out_where_aliases_would_meet() {
        let folder = tempfile::tempdir().unwrap();
        let db = connect::writer(&Config::new(folder.path().join("sabir.db"))).unwrap();
        let created = Some(Time::from_millis(1_700_000_000_500));
        let first = mint(
            &db,
            &(0..40).map(|id| native(id, created)).collect::<Vec<_>>(),
        )
        .unwrap();
        for round in 1..3 {
            // The next number is one that leaves the same rest as the first one did, for both kinds of alias.
            let jump = round * (SLACK_NUMBERS * SNOWFLAKE_NUMBERS) as i64;
            let sql = "INSERT INTO native (number, kind, upstream, channel, id) VALUES (?1, 9, '', '', ?1)";
            db.execute(sql, [jump]).unwrap();
            let more: Vec<_> = (0..40)
                .map(|id| native(1000 * round as u64 + id, created))
                .collect();
            let numbers = mint(&db, &more).unwrap();
            for (native, number) in more.iter().zip(&numbers) {
                let number = &number.number;
                for kind in [
                    IdKind::Integer,
                    IdKind::Text,
                    IdKind::SlackTs,
                    IdKind::Snowflake,
                ] {
                    let alias = alias::write(kind, *number, created);
                    let found = resolve(&db, kind, &alias).unwrap().unwrap();
                    assert_eq!((found.0, &found.1), (*number, native), "{kind:?} {alias}");
                }
            }
            assert!(numbers.iter().all(|minted| {
                first
                    .iter()
                    .all(|first| first.number != minted.number % SLACK_NUMBERS)
            }));
        }
    }
}
