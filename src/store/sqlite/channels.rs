//! The SQL of channels.
//!
//! A channel is a row with its record as JSON; its newest message is looked up, never kept twice.

use compact_str::format_compact;
use rusqlite::{Connection, OptionalExtension, Row};

use super::messages::{self, text};
use crate::model::{Channel, Time};
use crate::store::{LOCAL, StoreError, record};

/// Where a channel's messages hang.
pub struct Place {
    pub key: i64,
    /// How many messages are not deleted.
    pub messages: i64,
}

pub fn find(db: &Connection, upstream: &str, id: &str) -> Result<Option<Place>, StoreError> {
    let sql = "SELECT key, messages FROM channel WHERE upstream = ?1 AND id = ?2";
    let place = |row: &Row<'_>| {
        Ok(Place {
            key: row.get(0)?,
            messages: row.get(1)?,
        })
    };
    Ok(db
        .prepare_cached(sql)?
        .query_row((upstream, id), place)
        .optional()?)
}

/// The channel's key; a channel that nobody described comes to be with its first message.
pub fn key_or_new(
    db: &Connection,
    upstream: &str,
    id: &str,
    created_at: Option<Time>,
) -> Result<i64, StoreError> {
    if let Some(place) = find(db, upstream, id)? {
        return Ok(place.key);
    }
    let record = record::write_channel(&Channel {
        name: id.into(),
        ..Channel::default()
    })?;
    let sql = "INSERT INTO channel (upstream, id, created_at, record) VALUES (?1, ?2, ?3, ?4)";
    db.prepare_cached(sql)?
        .execute((upstream, id, created_at.map(|time| time.0), record))?;
    Ok(db.last_insert_rowid())
}

/// A channel has so many messages more, or fewer.
pub fn count(db: &Connection, key: i64, more: i64) -> Result<(), StoreError> {
    let sql = "UPDATE channel SET messages = messages + ?2 WHERE key = ?1";
    db.prepare_cached(sql)?.execute((key, more))?;
    Ok(())
}

pub fn all(db: &Connection, upstream: &str) -> Result<Vec<Channel>, StoreError> {
    let sql = "SELECT key, id, created_at, updated_at, record FROM channel WHERE upstream = ?1 ORDER BY key";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([upstream])?;
    let mut channels = Vec::new();
    while let Some(row) = rows.next()? {
        channels.push(read(db, row)?);
    }
    Ok(channels)
}

pub fn one(db: &Connection, upstream: &str, id: &str) -> Result<Option<Channel>, StoreError> {
    let sql = "SELECT key, id, created_at, updated_at, record FROM channel WHERE upstream = ?1 AND id = ?2";
    let mut statement = db.prepare_cached(sql)?;
    let channel = statement
        .query_row((upstream, id), |row| Ok(read(db, row)))
        .optional()?;
    channel.transpose()
}

pub fn put(db: &Connection, upstream: &str, mut channel: Channel) -> Result<Channel, StoreError> {
    if channel.id.is_empty() {
        if upstream != LOCAL {
            return Err(StoreError::Unusable {
                field: "id",
                reason: "an upstream's channel has an id",
            });
        }
        channel.id = fresh_id(db)?.into();
    }
    // A time that is not said again is not forgotten.
    let sql = "INSERT INTO channel (upstream, id, created_at, updated_at, record) VALUES (?1, ?2, ?3, ?4, ?5) \
        ON CONFLICT (upstream, id) DO UPDATE SET record = excluded.record, \
        created_at = coalesce(excluded.created_at, created_at), \
        updated_at = coalesce(excluded.updated_at, updated_at)";
    let (created_at, updated_at) = (
        channel.created_at.map(|time| time.0),
        channel.updated_at.map(|time| time.0),
    );
    let record = record::write_channel(&channel)?;
    db.prepare_cached(sql)?.execute((
        upstream,
        channel.id.as_str(),
        created_at,
        updated_at,
        record,
    ))?;
    one(db, upstream, &channel.id)?.ok_or(StoreError::Refused("the channel went away".into()))
}

/// A whole number that no channel of `local` has as its id; people may have named one with digits.
fn fresh_id(db: &Connection) -> Result<String, StoreError> {
    let sql = "SELECT coalesce(max(key), 0) + 1 FROM channel";
    let mut number: i64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    loop {
        let id = format_compact!("{number}");
        if find(db, LOCAL, &id)?.is_none() {
            return Ok(id.into());
        }
        number += 1;
    }
}

fn read(db: &Connection, row: &Row<'_>) -> Result<Channel, StoreError> {
    let json = row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?;
    let mut channel = record::read_channel(json)?;
    channel.id = text(row, 1)?;
    channel.created_at = row.get::<_, Option<i64>>(2)?.map(Time);
    channel.updated_at = row.get::<_, Option<i64>>(3)?.map(Time);
    channel.last_message = messages::newest(db, row.get(0)?)?.map(Box::new);
    let spoken_at = channel
        .last_message
        .as_ref()
        .and_then(|message| message.created_at);
    channel.updated_at = channel.updated_at.max(spoken_at).or(channel.created_at);
    Ok(channel)
}
