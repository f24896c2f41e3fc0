//! The SQL of messages that got no id from their upstream.
//!
//! A row stands until its id is bound (`ids::bind`) or it is too old to be looked for; the numbers are in `ids`.

use rusqlite::Connection;

use super::messages::text;
use crate::model::Time;
use crate::store::{PROVISIONAL_SECONDS, Provisional, StoreError};

pub fn put(db: &Connection, sent: &Provisional) -> Result<(), StoreError> {
    let oldest = sent.sent_at.plus_seconds(-PROVISIONAL_SECONDS);
    db.prepare_cached("DELETE FROM provisional WHERE sent_at < ?1")?
        .execute([oldest.0])?;
    let sql = "INSERT INTO provisional (id, upstream, channel, author, print, sent_at) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(sql)?.execute((
        sent.id.as_str(),
        sent.upstream.as_str(),
        sent.channel.as_str(),
        sent.author.as_str(),
        sent.print.as_str(),
        sent.sent_at.0,
    ))?;
    Ok(())
}

pub fn all(db: &Connection) -> Result<Vec<Provisional>, StoreError> {
    let sql = "SELECT id, upstream, channel, author, print, sent_at FROM provisional ORDER BY sent_at, id";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Provisional {
            id: text(row, 0)?,
            upstream: text(row, 1)?,
            channel: text(row, 2)?,
            author: text(row, 3)?,
            print: text(row, 4)?,
            sent_at: Time(row.get(5)?),
        });
    }
    Ok(found)
}

/// Nobody looks for it any more.
pub fn drop(db: &Connection, id: &str) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM provisional WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}
