//! The SQL of lists of messages: the rows of a window, and a search.
//!
//! How many there are is known without counting unless something narrows the list; rows are skipped in the index
//! alone, from whichever end is nearer.

use rusqlite::{Connection, ToSql};

use super::channels;
use super::messages::{COLUMNS, Found};
use crate::model::{Message, Window};
use crate::store::window::{self, Slice};
use crate::store::{Filter, Page, StoreError};

pub fn list(
    db: &Connection,
    upstream: &str,
    channel: &str,
    filter: &Filter,
    asked: &Window,
    page_max: i64,
) -> Result<Page, StoreError> {
    let place = channels::find(db, upstream, channel)?;
    let conditions = Conditions::new(filter, asked);
    let total = match &place {
        None => 0,
        Some(place) if conditions.sql.is_empty() => place.messages,
        Some(place) => conditions.count(db, place.key)?,
    };
    let slice = window::slice(asked, total, page_max)?;
    let mut messages = match &place {
        Some(place) if slice.count > 0 => conditions.rows(db, place.key, slice, total)?,
        _ => Vec::new(),
    };
    for (index, message) in messages.iter_mut().enumerate() {
        message.cursor = window::row(slice.start + index as i64);
    }
    Ok(Page {
        messages,
        window: window::shown(asked, slice, total, page_max),
    })
}

/// What narrows a list, as SQL and its values.
struct Conditions<'a> {
    sql: String,
    values: Vec<(&'static str, Box<dyn ToSql + 'a>)>,
}

impl<'a> Conditions<'a> {
    fn new(filter: &'a Filter, window: &'a Window) -> Conditions<'a> {
        let mut all = Conditions {
            sql: String::new(),
            values: Vec::new(),
        };
        if !filter.author.is_empty() {
            all.add(
                " AND m.author = :author",
                ":author",
                Box::new(filter.author.as_str()),
            );
        }
        if !filter.session.is_empty() {
            all.add(
                " AND m.session = :session",
                ":session",
                Box::new(filter.session.as_str()),
            );
        }
        let with = match window.inclusive {
            Some(true) => "=",
            _ => "",
        };
        // One that has been taken away still has its place.
        for (id, name, side) in [
            (&window.before_id, ":before_id", '<'),
            (&window.after_id, ":after_id", '>'),
        ] {
            if !id.is_empty() {
                let sql = format!(
                    " AND m.sequence {side}{with} (SELECT sequence FROM message WHERE id = {name} AND channel = :channel)"
                );
                all.add(&sql, name, Box::new(id.as_str()));
            }
        }
        if let Some(since) = window.since {
            all.add(" AND m.created_at >= :since", ":since", Box::new(since.0));
        }
        if let Some(until) = window.until {
            all.add(" AND m.created_at <= :until", ":until", Box::new(until.0));
        }
        all
    }

    fn add(&mut self, sql: &str, name: &'static str, value: Box<dyn ToSql + 'a>) {
        self.sql.push_str(sql);
        self.values.push((name, value));
    }

    fn count(&self, db: &Connection, channel: i64) -> Result<i64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM message AS m WHERE m.channel = :channel AND m.deleted = 0{}",
            self.sql
        );
        let mut values = self.values(&[]);
        values.push((":channel", &channel));
        Ok(db
            .prepare_cached(&sql)?
            .query_row(&*values, |row| row.get(0))?)
    }

    /// The rows of the slice, read from the end of the list that is nearer.
    fn rows(
        &self,
        db: &Connection,
        channel: i64,
        slice: Slice,
        total: i64,
    ) -> Result<Vec<Message>, StoreError> {
        let after = (total - slice.start - slice.count).max(0);
        let backwards = after < slice.start;
        let (direction, skip) = if backwards {
            ("DESC", after)
        } else {
            ("ASC", slice.start)
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM message AS m JOIN channel AS c ON c.key = m.channel \
             WHERE m.channel = :channel AND m.deleted = 0{} ORDER BY m.sequence {direction} LIMIT :count OFFSET :skip",
            self.sql
        );
        let values = self.values(&[
            (":channel", &channel),
            (":count", &slice.count),
            (":skip", &skip),
        ]);
        let mut statement = db.prepare_cached(&sql)?;
        let mut messages = gather(statement.query(&*values)?)?;
        if backwards {
            messages.reverse();
        }
        Ok(messages)
    }

    fn values<'b>(&'b self, more: &[(&'b str, &'b dyn ToSql)]) -> Vec<(&'b str, &'b dyn ToSql)> {
        let own = self
            .values
            .iter()
            .map(|(name, value)| (*name, &**value as &dyn ToSql));
        own.chain(more.iter().copied()).collect()
    }
}

pub fn search(
    db: &Connection,
    upstream: &str,
    channel: &str,
    folded: &str,
    limit: i64,
) -> Result<Vec<Message>, StoreError> {
    let Some(place) = channels::find(db, upstream, channel)? else {
        return Ok(Vec::new());
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM message AS m JOIN channel AS c ON c.key = m.channel \
         WHERE m.channel = ?1 AND m.deleted = 0 AND instr(m.folded, ?2) > 0 ORDER BY m.sequence DESC LIMIT ?3"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut messages = gather(statement.query((place.key, folded, limit))?)?;
    messages.reverse();
    Ok(messages)
}

fn gather(mut rows: rusqlite::Rows<'_>) -> Result<Vec<Message>, StoreError> {
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(Found::read(row)?.message);
    }
    Ok(messages)
}
