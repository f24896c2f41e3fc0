//! The SQL of single messages: keeping, finding, changing and taking them away.
//!
//! Lists are in `lists`. A message that is taken away leaves its row behind, so that its id is never used again.

use compact_str::format_compact;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, named_params};

use super::channels;
use crate::model::{Message, Text, Time};
use crate::store::{Kept, LOCAL, PROVISIONAL, StoreError, record};

/// What [`Found::read`] takes; `m` is the message and `c` its channel.
pub const COLUMNS: &str =
    "m.sequence, m.channel, m.deleted, m.id, c.id, m.created_at, m.edited_at, m.record";

/// A stored message and where it stands.
pub struct Found {
    sequence: i64,
    channel: i64,
    deleted: bool,
    pub message: Message,
}

impl Found {
    pub fn read(row: &Row<'_>) -> Result<Found, StoreError> {
        let json = row.get_ref(7)?.as_str().map_err(rusqlite::Error::from)?;
        let mut message = record::read_message(json)?;
        message.id = text(row, 3)?;
        message.channel = text(row, 4)?;
        message.created_at = row.get::<_, Option<i64>>(5)?.map(Time);
        message.edited_at = row.get::<_, Option<i64>>(6)?.map(Time);
        Ok(Found {
            sequence: row.get(0)?,
            channel: row.get(1)?,
            deleted: row.get(2)?,
            message,
        })
    }
}

/// A text column without a stop at `String`.
pub fn text(row: &Row<'_>, column: usize) -> Result<Text, StoreError> {
    Ok(row
        .get_ref(column)?
        .as_str()
        .map_err(rusqlite::Error::from)?
        .into())
}

pub fn append(db: &Connection, kept: Vec<Kept>) -> Result<Vec<Message>, StoreError> {
    kept.into_iter().map(|kept| append_one(db, kept)).collect()
}

fn append_one(db: &Connection, kept: Kept) -> Result<Message, StoreError> {
    let Kept {
        upstream,
        mut message,
        client_ref,
    } = kept;
    if message.channel.is_empty() {
        return Err(StoreError::Unusable {
            field: "channel",
            reason: "a message belongs to a channel",
        });
    }
    if upstream == LOCAL && !message.id.is_empty() {
        return Err(StoreError::Unusable {
            field: "id",
            reason: "`local` makes its own ids",
        });
    }
    let channel = channels::key_or_new(db, &upstream, &message.channel, message.created_at)?;
    if let Some(there) = already(db, channel, &message.id, client_ref.as_deref())? {
        return Ok(there);
    }
    // The writer is alone, so nobody takes this number in between.
    let next = "SELECT coalesce(max(sequence), 0) + 1 FROM message";
    let sequence: i64 = db.prepare_cached(next)?.query_row([], |row| row.get(0))?;
    if message.id.is_empty() {
        message.id = match upstream.as_str() {
            LOCAL => format_compact!("{sequence}"),
            _ => format_compact!("{PROVISIONAL}{sequence}"),
        };
    }
    let sql = "INSERT INTO message \
        (sequence, channel, id, client_ref, author, session, created_at, edited_at, folded, record) VALUES \
        (:sequence, :channel, :id, :client_ref, :author, :session, :created_at, :edited_at, :folded, :record)";
    db.prepare_cached(sql)?.execute(named_params! {
        ":sequence": sequence,
        ":channel": channel,
        ":id": message.id.as_str(),
        ":client_ref": client_ref.as_deref(),
        ":author": message.author.id.as_str(),
        ":session": message.session.as_str(),
        ":created_at": message.created_at.map(|time| time.0),
        ":edited_at": message.edited_at.map(|time| time.0),
        ":folded": record::fold(&message.text),
        ":record": record::write_message(&message)?,
    })?;
    channels::count(db, channel, 1)?;
    Ok(message)
}

/// The message that was kept under the same id or the same name of its sender's.
fn already(
    db: &Connection,
    channel: i64,
    id: &str,
    client_ref: Option<&str>,
) -> Result<Option<Message>, StoreError> {
    if !id.is_empty() {
        let condition = "m.channel = ?1 AND m.id = ?2";
        if let Some(found) = find(db, condition, &[&channel, &id])? {
            return Ok(Some(found.message));
        }
    }
    let Some(client_ref) = client_ref else {
        return Ok(None);
    };
    let condition = "m.channel = ?1 AND m.client_ref = ?2";
    Ok(find(db, condition, &[&channel, &client_ref])?.map(|found| found.message))
}

pub fn get(
    db: &Connection,
    upstream: &str,
    channel: Option<&str>,
    id: &str,
) -> Result<Option<Message>, StoreError> {
    Ok(standing(db, upstream, channel, id)?.map(|found| found.message))
}

/// Puts what `change` holds in the place of what was; what it leaves absent stays.
pub fn edit(
    db: &Connection,
    upstream: &str,
    change: Message,
) -> Result<Option<Message>, StoreError> {
    let channel = Some(change.channel.as_str()).filter(|channel| !channel.is_empty());
    let Some(Found {
        sequence,
        mut message,
        ..
    }) = standing(db, upstream, channel, &change.id)?
    else {
        return Ok(None);
    };
    if !change.text.is_empty() {
        message.text = change.text;
    }
    if !change.media.is_empty() {
        message.media = change.media;
    }
    if !change.event.is_empty() {
        message.event = change.event;
    }
    if !change.data.0.is_empty() {
        message.data = change.data;
    }
    message.edited_at = change.edited_at.or(message.edited_at);
    let sql = "UPDATE message SET folded = ?2, record = ?3, edited_at = ?4 WHERE sequence = ?1";
    let (folded, record) = (
        record::fold(&message.text),
        record::write_message(&message)?,
    );
    let edited_at = message.edited_at.map(|time| time.0);
    db.prepare_cached(sql)?
        .execute((sequence, folded, record, edited_at))?;
    Ok(Some(message))
}

pub fn delete(
    db: &Connection,
    upstream: &str,
    channel: Option<&str>,
    id: &str,
) -> Result<Option<Message>, StoreError> {
    let Some(found) = standing(db, upstream, channel, id)? else {
        return Ok(None);
    };
    take_away(db, &found)?;
    Ok(Some(found.message))
}

fn take_away(db: &Connection, found: &Found) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE message SET deleted = 1 WHERE sequence = ?1")?
        .execute([found.sequence])?;
    channels::count(db, found.channel, -1)
}

/// A message that was kept under a provisional id goes over to the one that its upstream gave it.
pub fn rename(
    db: &Connection,
    upstream: &str,
    channel: &str,
    old: &str,
    new: &str,
) -> Result<(), StoreError> {
    let condition = "c.upstream = ?1 AND c.id = ?2 AND m.id = ?3";
    let Some(found) = find(db, condition, &[&upstream, &channel, &old])? else {
        return Ok(());
    };
    if find(db, condition, &[&upstream, &channel, &new])?.is_none() {
        let sql = "UPDATE message SET id = ?2 WHERE sequence = ?1";
        db.prepare_cached(sql)?.execute((found.sequence, new))?;
    } else if !found.deleted {
        // A listing showed it under its own id first; then this is the second of two.
        take_away(db, &found)?;
    }
    Ok(())
}

/// The newest message of a channel.
pub fn newest(db: &Connection, channel: i64) -> Result<Option<Message>, StoreError> {
    let condition = "m.channel = ?1 AND m.deleted = 0 ORDER BY m.sequence DESC LIMIT 1";
    Ok(find(db, condition, &[&channel])?.map(|found| found.message))
}

/// The sequence of a channel's newest message, deleted or not; 0 in an empty one.
pub fn newest_sequence(db: &Connection, channel: i64) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(sequence), 0) FROM message WHERE channel = ?1 AND deleted = 0";
    Ok(db
        .prepare_cached(sql)?
        .query_row([channel], |row| row.get(0))?)
}

/// A message that is not deleted.
fn standing(
    db: &Connection,
    upstream: &str,
    channel: Option<&str>,
    id: &str,
) -> Result<Option<Found>, StoreError> {
    match channel {
        Some(channel) => {
            let condition = "c.upstream = ?1 AND c.id = ?2 AND m.id = ?3 AND m.deleted = 0";
            find(db, condition, &[&upstream, &channel, &id])
        }
        None => {
            let condition =
                "c.upstream = ?1 AND m.id = ?2 AND m.deleted = 0 ORDER BY m.sequence LIMIT 1";
            find(db, condition, &[&upstream, &id])
        }
    }
}

fn find(
    db: &Connection,
    condition: &str,
    values: &[&dyn ToSql],
) -> Result<Option<Found>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM message AS m JOIN channel AS c ON c.key = m.channel WHERE {condition}"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let found = statement
        .query_row(values, |row| Ok(Found::read(row)))
        .optional()?;
    found.transpose()
}
