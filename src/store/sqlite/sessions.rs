//! The SQL of sessions and of the journal of idempotency keys, and what makes both forget.
//!
//! Sessions come here under the hash of what the client holds; that itself is never written.

use rusqlite::{Connection, OptionalExtension};

use super::messages::text;
use crate::model::Time;
use crate::store::{Claim, JOURNAL_SECONDS, Purged, SessionRow, StoreError};

pub fn put(db: &Connection, session: &SessionRow) -> Result<(), StoreError> {
    let SessionRow {
        id,
        kind,
        account,
        application,
        data,
        created,
        expires,
    } = session;
    let sql = "INSERT OR REPLACE INTO session (id, kind, account, application, data, created_at, expires_at) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let expires = expires.map(|time| time.0);
    let values = (
        id.as_str(),
        kind.as_str(),
        account.as_str(),
        application.as_str(),
        data.as_str(),
    );
    db.prepare_cached(sql)?.execute((
        values.0, values.1, values.2, values.3, values.4, created.0, expires,
    ))?;
    Ok(())
}

pub fn all(db: &Connection) -> Result<Vec<SessionRow>, StoreError> {
    let sql = "SELECT id, kind, account, application, data, created_at, expires_at \
        FROM session ORDER BY created_at, id";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        sessions.push(SessionRow {
            id: text(row, 0)?,
            kind: text(row, 1)?,
            account: text(row, 2)?,
            application: text(row, 3)?,
            data: text(row, 4)?,
            created: Time(row.get(5)?),
            expires: row.get::<_, Option<i64>>(6)?.map(Time),
        });
    }
    Ok(sessions)
}

pub fn drop(db: &Connection, id: &str) -> Result<bool, StoreError> {
    Ok(db
        .prepare_cached("DELETE FROM session WHERE id = ?1")?
        .execute([id])?
        > 0)
}

pub fn claim(
    db: &Connection,
    scope: &str,
    key: &str,
    fingerprint: &[u8],
    now: Time,
) -> Result<Claim, StoreError> {
    let sql = "SELECT fingerprint = ?3, lost, outcome FROM journal WHERE scope = ?1 AND key = ?2 AND claimed_at > ?4";
    let mut statement = db.prepare_cached(sql)?;
    let oldest = now.plus_seconds(-JOURNAL_SECONDS).0;
    let found = statement.query_row((scope, key, fingerprint, oldest), |row| {
        Ok((
            row.get::<_, bool>(0)?,
            row.get::<_, bool>(1)?,
            row.get::<_, Option<Vec<u8>>>(2)?,
        ))
    });
    Ok(match found.optional()? {
        Some((false, ..)) => Claim::Other,
        Some((true, _, Some(outcome))) => Claim::Done(outcome),
        Some((true, true, None)) => Claim::Lost,
        Some((true, false, None)) => Claim::InFlight,
        None => {
            let sql = "INSERT OR REPLACE INTO journal (scope, key, fingerprint, claimed_at) VALUES (?1, ?2, ?3, ?4)";
            db.prepare_cached(sql)?
                .execute((scope, key, fingerprint, now.0))?;
            Claim::Fresh
        }
    })
}

pub fn settle(
    db: &Connection,
    scope: &str,
    key: &str,
    outcome: Option<&[u8]>,
) -> Result<(), StoreError> {
    match outcome {
        Some(outcome) => {
            let sql = "UPDATE journal SET outcome = ?3, lost = 0 WHERE scope = ?1 AND key = ?2";
            db.prepare_cached(sql)?.execute((scope, key, outcome))?;
        }
        // What is settled stays settled: only a claim that still stands can be given up.
        None => {
            let sql = "DELETE FROM journal WHERE scope = ?1 AND key = ?2 AND outcome IS NULL";
            db.prepare_cached(sql)?.execute((scope, key))?;
        }
    }
    Ok(())
}

/// Claims that no living Sabir can settle any more. Called once, at the start.
pub fn lose_open_claims(db: &Connection) -> Result<(), StoreError> {
    db.execute(
        "UPDATE journal SET lost = 1 WHERE outcome IS NULL AND lost = 0",
        [],
    )?;
    Ok(())
}

pub fn purge(db: &Connection, now: Time) -> Result<Purged, StoreError> {
    let sessions = db
        .prepare_cached("DELETE FROM session WHERE expires_at <= ?1")?
        .execute([now.0])?;
    let oldest = now.plus_seconds(-JOURNAL_SECONDS).0;
    let claims = db
        .prepare_cached("DELETE FROM journal WHERE claimed_at <= ?1")?
        .execute([oldest])?;
    Ok(Purged { sessions, claims })
}
