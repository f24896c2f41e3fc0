//! The SQL of what people mark for themselves, and of whether they are there.
//!
//! A mark is a row while it is set. Nothing here knows what a mark means to a dialect.

use rusqlite::{Connection, OptionalExtension};

use super::channels;
use super::messages::{newest_sequence, text};
use crate::model::Text;
use crate::store::{Change, LOCAL, Mark, MarkKind, StoreError, UNREAD_MAX};

pub fn mark(db: &Connection, mark: &Mark, change: Change) -> Result<bool, StoreError> {
    let message = mark.message.as_deref().unwrap_or("");
    let key = (
        mark.upstream.as_str(),
        mark.channel.as_str(),
        message,
        mark.person.as_str(),
        number(mark.kind),
    );
    let wanted = match change {
        Change::Set(wanted) => wanted,
        Change::Toggle => {
            let sql = "SELECT count(*) = 0 FROM mark \
                WHERE upstream = ?1 AND channel = ?2 AND message = ?3 AND person = ?4 AND kind = ?5";
            db.prepare_cached(sql)?.query_row(key, |row| row.get(0))?
        }
    };
    if !wanted {
        let sql = "DELETE FROM mark \
            WHERE upstream = ?1 AND channel = ?2 AND message = ?3 AND person = ?4 AND kind = ?5";
        db.prepare_cached(sql)?.execute(key)?;
        return Ok(false);
    }
    let upto = match (mark.kind, &mark.message) {
        (MarkKind::Seen, None) => match channels::find(db, &mark.upstream, &mark.channel)? {
            Some(place) => newest_sequence(db, place.key)?,
            None => 0,
        },
        _ => 0,
    };
    let sql = "INSERT INTO mark (upstream, channel, message, person, kind, upto) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
        ON CONFLICT DO UPDATE SET upto = max(upto, excluded.upto)";
    db.prepare_cached(sql)?
        .execute((key.0, key.1, key.2, key.3, key.4, upto))?;
    Ok(true)
}

pub fn marks(
    db: &Connection,
    person: Option<&str>,
    upstream: &str,
    channel: &str,
    messages: &[Text],
) -> Result<Vec<Mark>, StoreError> {
    let mut marks = Vec::new();
    let whole = marks_on(db, person, (upstream, channel, ""), &mut marks)?;
    for message in messages {
        let own = marks.len();
        marks_on(db, person, (upstream, channel, message), &mut marks)?;
        // Whoever has seen the channel has seen the messages that it held then.
        let sequence = if whole.is_empty() {
            None
        } else {
            sequence(db, upstream, channel, message)?
        };
        for (reader, upto) in &whole {
            let there = marks[own..]
                .iter()
                .any(|mark| mark.kind == MarkKind::Seen && mark.person == *reader);
            if !there && sequence.is_some_and(|sequence| sequence <= *upto) {
                marks.push(Mark {
                    person: reader.clone(),
                    upstream: upstream.into(),
                    channel: channel.into(),
                    message: Some(message.clone()),
                    kind: MarkKind::Seen,
                });
            }
        }
    }
    Ok(marks)
}

/// Adds the marks on one thing, and says who has seen it as a channel, and up to where.
fn marks_on(
    db: &Connection,
    person: Option<&str>,
    (upstream, channel, message): (&str, &str, &str),
    marks: &mut Vec<Mark>,
) -> Result<Vec<(Text, i64)>, StoreError> {
    let sql = "SELECT person, kind, upto FROM mark \
        WHERE upstream = ?1 AND channel = ?2 AND message = ?3 AND (?4 IS NULL OR person = ?4) ORDER BY person, kind";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query((upstream, channel, message, person))?;
    let mut seen = Vec::new();
    while let Some(row) = rows.next()? {
        let person = text(row, 0)?;
        let Some(kind) = kind(row.get(1)?) else {
            continue;
        };
        if kind == MarkKind::Seen && message.is_empty() {
            seen.push((person.clone(), row.get(2)?));
        }
        let message = (!message.is_empty()).then(|| message.into());
        marks.push(Mark {
            person,
            upstream: upstream.into(),
            channel: channel.into(),
            message,
            kind,
        });
    }
    Ok(seen)
}

pub fn marked(db: &Connection, most: usize) -> Result<Vec<(Text, Text)>, StoreError> {
    let sql = "SELECT DISTINCT upstream, channel FROM mark \
        WHERE upstream <> ?1 AND message <> '' LIMIT ?2";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query((LOCAL, most))?;
    let mut marked = Vec::new();
    while let Some(row) = rows.next()? {
        marked.push((text(row, 0)?, text(row, 1)?));
    }
    Ok(marked)
}

fn sequence(
    db: &Connection,
    upstream: &str,
    channel: &str,
    message: &str,
) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT m.sequence FROM message AS m JOIN channel AS c ON c.key = m.channel \
        WHERE c.upstream = ?1 AND c.id = ?2 AND m.id = ?3";
    let mut statement = db.prepare_cached(sql)?;
    Ok(statement
        .query_row((upstream, channel, message), |row| row.get(0))
        .optional()?)
}

pub fn unread(
    db: &Connection,
    person: &str,
    upstream: &str,
    channel: &str,
) -> Result<i64, StoreError> {
    let Some(place) = channels::find(db, upstream, channel)? else {
        return Ok(0);
    };
    let sql = "SELECT count(*) FROM (SELECT 1 FROM message AS m \
        WHERE m.channel = ?1 AND m.deleted = 0 AND m.author <> ?2 \
        AND m.sequence > coalesce((SELECT upto FROM mark \
            WHERE upstream = ?3 AND channel = ?4 AND message = '' AND person = ?2 AND kind = ?5), 0) \
        AND NOT EXISTS (SELECT 1 FROM mark \
            WHERE upstream = ?3 AND channel = ?4 AND message = m.id AND person = ?2 AND kind = ?5) LIMIT ?6)";
    let values = (
        place.key,
        person,
        upstream,
        channel,
        number(MarkKind::Seen),
        UNREAD_MAX,
    );
    Ok(db
        .prepare_cached(sql)?
        .query_row(values, |row| row.get(0))?)
}

pub fn set_presence(
    db: &Connection,
    upstream: &str,
    person: &str,
    presence: &str,
) -> Result<(), StoreError> {
    if presence.is_empty() {
        let sql = "DELETE FROM presence WHERE upstream = ?1 AND person = ?2";
        db.prepare_cached(sql)?.execute((upstream, person))?;
        return Ok(());
    }
    let sql = "INSERT INTO presence (upstream, person, presence) VALUES (?1, ?2, ?3) \
        ON CONFLICT DO UPDATE SET presence = excluded.presence";
    db.prepare_cached(sql)?
        .execute((upstream, person, presence))?;
    Ok(())
}

pub fn presence(db: &Connection, upstream: &str, people: &[Text]) -> Result<Vec<Text>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT presence FROM presence WHERE upstream = ?1 AND person = ?2")?;
    let mut each = |person: &Text| {
        let found = statement
            .query_row((upstream, person.as_str()), |row| Ok(text(row, 0)))
            .optional()?;
        Ok(found.transpose()?.unwrap_or_default())
    };
    people.iter().map(&mut each).collect()
}

/// How a kind is stored. Never changed, only added to.
fn number(kind: MarkKind) -> i64 {
    match kind {
        MarkKind::Seen => 1,
        MarkKind::Starred => 2,
        MarkKind::Pinned => 3,
        MarkKind::Archived => 4,
    }
}

/// A kind that a later Sabir stored is not one that this one can show.
fn kind(number: i64) -> Option<MarkKind> {
    [
        MarkKind::Seen,
        MarkKind::Starred,
        MarkKind::Pinned,
        MarkKind::Archived,
    ]
    .into_iter()
    .find(|kind| self::number(*kind) == number)
}
