//! What is talked about: messages, channels, people, and the window a list shows of them.
//!
//! Every dialect's records are read into these and written from these. A dialect that has no such thing leaves the
//! field absent.

use std::ops::Range;

use super::record::{Json, Text, Time, record};

record! {
    /// One message of a channel.
    Message {
        /// Its id in the service that the value came from.
        id: Text,
        /// The channel's id or name, as the service that the value came from calls it.
        channel: Text,
        author: Person,
        /// The author's id as a participant of the channel, where that differs from the person's.
        participant: Text,
        text: Text,
        media: Vec<Media>,
        /// The event name of services that send events rather than texts.
        event: Text,
        /// The event's value: any JSON.
        data: Json,
        /// The id of the message that this one answers.
        reply_to: Text,
        /// A conversation within the channel.
        session: Text,
        created_at: Option<Time>,
        edited_at: Option<Time>,
        /// Ids of people.
        seen_by: Vec<Text>,
        starred_by: Vec<Text>,
        mine: Mine,
        /// Where it has been, oldest first, one `instance/upstream` each.
        hops: Vec<Text>,
        /// The place in a list, as the list's own paging names it.
        cursor: Text,
    }

    /// Something attached to a message.
    Media {
        url: Text,
        name: Text,
        /// The MIME type.
        kind: Text,
        /// An attachment given as a value rather than by address.
        data: Json,
    }

    /// The viewer's own state of a message or a channel.
    Mine {
        seen: Option<bool>,
        starred: Option<bool>,
        pinned: Option<bool>,
        archived: Option<bool>,
        /// Messages not seen yet.
        unread: Option<i64>,
        /// The viewer's id as a participant of the channel.
        participant: Text,
    }

    /// A person or a program that speaks.
    Person {
        id: Text,
        /// The name it signs in with or is addressed by.
        name: Text,
        /// The name it wants shown.
        display: Text,
        email: Text,
        /// The address of a picture.
        avatar: Text,
        /// `online` or `offline`.
        presence: Text,
        created_at: Option<Time>,
        seen_at: Option<Time>,
        cursor: Text,
    }

    /// A person's place in a channel.
    Participant {
        id: Text,
        person: Person,
        channel: Text,
        cursor: Text,
    }

    /// A channel, room, chat or stream: whatever holds messages.
    Channel {
        id: Text,
        name: Text,
        title: Text,
        description: Text,
        picture: Text,
        /// `live` while something is shown in it; without one it is as if `offline`.
        status: Text,
        owner: Person,
        participants: Vec<Participant>,
        last_message: Option<Box<Message>>,
        created_at: Option<Time>,
        updated_at: Option<Time>,
        mine: Mine,
        cursor: Text,
    }

    /// Which part of a list is wanted, or is shown. Lists are oldest first inside.
    Window {
        /// At most so many, from the newest end unless `first` or a cursor says otherwise.
        limit: Option<i64>,
        /// So many from the oldest end.
        first: Option<i64>,
        /// So many from the newest end.
        last: Option<i64>,
        /// Only what stands before this cursor, after this one.
        before: Text,
        after: Text,
        /// Only what stands before the message of this id, after it.
        before_id: Text,
        after_id: Text,
        /// The messages of these ids are part of it themselves.
        inclusive: Option<bool>,
        /// Only what was created at or after, before or at this moment.
        since: Option<Time>,
        until: Option<Time>,
        /// Skip so many, counted from the end that `limit` counts from.
        offset: Option<i64>,
        /// Page number from 1, newest page first.
        page: Option<i64>,
        /// 1: from the oldest end, and oldest first; -1: from the newest end, newest first.
        order: Option<i64>,
        /// How many there are in the whole list, and whether that is asked for.
        total: Option<i64>,
        wants_total: Option<bool>,
        /// How many this window shows.
        count: Option<i64>,
        has_previous: Option<bool>,
        has_next: Option<bool>,
        /// The cursors of the first and the last that are shown.
        start: Text,
        end: Text,
    }
}

impl Window {
    /// Is it counted from its oldest end? So it is where only a message or a cursor is named that it follows.
    pub fn from_oldest(&self) -> bool {
        let starts = !self.after.is_empty() || !self.after_id.is_empty();
        let ends = !self.before.is_empty() || !self.before_id.is_empty();
        match self.order {
            _ if self.first.is_some() => true,
            _ if self.last.is_some() => false,
            None => starts && !ends,
            Some(order) => order == 1,
        }
    }

    /// How many are asked for at most.
    pub fn length(&self) -> Option<i64> {
        self.first.or(self.last).or(self.limit)
    }

    /// How many are skipped, where pages have this length.
    pub fn skipped(&self, length: i64) -> i64 {
        match self.page {
            Some(page) => page.max(1).saturating_sub(1).saturating_mul(length),
            None => self.offset.unwrap_or(0).max(0),
        }
    }

    /// Which of so many rows are shown if these are skipped at the end that is counted from, and at most so many wanted.
    pub fn rows(&self, count: i64, skip: i64, length: i64) -> Range<i64> {
        let skip = skip.clamp(0, count);
        let length = length.clamp(0, count - skip);
        match self.from_oldest() {
            true => skip..skip + length,
            false => count - skip - length..count - skip,
        }
    }

    /// Leaves these rows of a list. Returns whether any were left out before them, and after.
    pub fn cut<T>(&self, list: &mut Vec<T>, skip: i64, length: i64) -> (bool, bool) {
        let rows = self.rows(list.len() as i64, skip, length);
        let left_out = (rows.start > 0, rows.end < list.len() as i64);
        list.truncate(rows.end as usize);
        list.drain(..rows.start as usize);
        left_out
    }
}
