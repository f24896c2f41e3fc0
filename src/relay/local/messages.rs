//! Messages of `local`: kept, listed, found, changed and taken away, with what people have marked on them.
//!
//! Whether a person may do it was decided before; here it is done, on the store alone.

use super::{Local, kept, mark, no_message, unavailable};
use crate::model::{
    Delete, Fault, Kind, LOCAL, List, MarkSeen, Message, Messages, Moderation, OneMessage, Outcome,
    Person, Reply, Search, Text, Time, ToggleStar, lower,
};
use crate::relay::marks;
use crate::store::{Change, Filter, MarkKind, Verdict};

/// Newest messages that a search goes through.
const SEARCHED: u32 = 100;

impl Local {
    pub(super) async fn send(&self, message: &Message) -> Outcome {
        let kept = self
            .store
            .append(vec![kept(message)])
            .await
            .map_err(unavailable)?;
        let message = kept
            .into_iter()
            .next()
            .ok_or_else(|| Fault::new(Kind::Internal, "nothing was kept"))?;
        Ok(Reply::OneMessage(OneMessage {
            message: Box::new(message),
        }))
    }

    /// All or none.
    pub(super) async fn send_many(&self, sends: &[Message]) -> Outcome {
        let messages = self
            .store
            .append(sends.iter().map(kept).collect())
            .await
            .map_err(unavailable)?;
        Ok(Reply::Messages(Messages {
            messages,
            window: Box::default(),
        }))
    }

    pub(super) async fn search(&self, search: &Search, person: &Person) -> Outcome {
        let found = self
            .store
            .search(LOCAL, &lower(&search.channel), &search.query, SEARCHED)
            .await;
        let mut messages = found.map_err(unavailable)?;
        self.show(&search.channel, &mut messages, person).await?;
        Ok(Reply::Messages(Messages {
            messages,
            window: Box::new(search.window.clone()),
        }))
    }

    pub(super) async fn toggle_star(&self, star: &ToggleStar, person: &Person) -> Outcome {
        // The message is looked for first: a mark on nothing must not be kept.
        self.get(&star.channel, &star.id, person).await?;
        let mark = mark(person, &star.channel, Some(&star.id), MarkKind::Starred);
        self.store
            .mark(mark, Change::Toggle)
            .await
            .map_err(unavailable)?;
        self.get(&star.channel, &star.id, person).await
    }

    pub(super) async fn edit(&self, message: &Message) -> Outcome {
        let edited = self
            .store
            .edit(LOCAL, message.clone())
            .await
            .map_err(unavailable)?;
        let message = edited.ok_or_else(|| no_message(&message.id))?;
        Ok(Reply::OneMessage(OneMessage {
            message: Box::new(message),
        }))
    }

    pub(super) async fn delete(&self, delete: &Delete, person: &Person, now: Time) -> Outcome {
        let channel = Some(delete.channel.as_str()).filter(|channel| !channel.is_empty());
        let gone = self
            .store
            .delete(LOCAL, channel, &delete.id)
            .await
            .map_err(unavailable)?;
        let message = gone.ok_or_else(|| no_message(&delete.id))?;
        let done = Moderation {
            action: "delete_message".into(),
            channel: message.channel.clone(),
            person: Box::new(message.author.clone()),
            moderator: Box::new(person.clone()),
            created_at: Some(now),
            message: Some(Box::new(message)),
            ..Moderation::default()
        };
        let logged = self.store.moderate(LOCAL, done, Verdict::Nothing).await;
        // The message is gone already, and only the log does not say so.
        let logged = logged.map_err(|error| Fault::new(Kind::OutcomeUnknown, error.to_string()))?;
        Ok(Reply::Moderation(logged.unwrap_or_default().into()))
    }

    /// Who wrote a message, by the person's id; `None` if there is no such message.
    pub async fn author_of(&self, id: &str) -> Result<Option<Text>, Fault> {
        let found = self.store.get(LOCAL, None, id).await.map_err(unavailable)?;
        Ok(found.map(|message| message.author.id))
    }

    pub(super) async fn list(&self, list: &List, person: &Person) -> Outcome {
        let filter = Filter {
            author: list.author.clone(),
            session: list.session.clone(),
        };
        let page = self
            .store
            .list(LOCAL, &lower(&list.channel), &filter, &list.window)
            .await
            .map_err(unavailable)?;
        let mut messages = page.messages;
        self.show(&list.channel, &mut messages, person).await?;
        Ok(Reply::Messages(Messages {
            messages,
            window: Box::new(page.window),
        }))
    }

    pub(super) async fn get(&self, channel: &str, id: &str, person: &Person) -> Outcome {
        let channel = Some(channel).filter(|channel| !channel.is_empty());
        let found = self
            .store
            .get(LOCAL, channel, id)
            .await
            .map_err(unavailable)?;
        let mut messages = vec![found.ok_or_else(|| no_message(id))?];
        let channel = messages[0].channel.clone();
        self.show(&channel, &mut messages, person).await?;
        Ok(Reply::OneMessage(OneMessage {
            message: Box::new(messages.remove(0)),
        }))
    }

    pub(super) async fn mark_seen(&self, mark_seen: &MarkSeen, person: &Person) -> Outcome {
        // The message is looked for first: a mark on nothing must not be kept.
        let Reply::OneMessage(one) = self.get(&mark_seen.channel, &mark_seen.id, person).await?
        else {
            return Err(no_message(&mark_seen.id));
        };
        if mark_seen.seen == Some(false) {
            return Ok(Reply::OneMessage(one));
        }
        let mark = mark(
            person,
            &one.message.channel,
            Some(&one.message.id),
            MarkKind::Seen,
        );
        self.store
            .mark(mark, Change::Set(true))
            .await
            .map_err(unavailable)?;
        self.get(&one.message.channel, &one.message.id, person)
            .await
    }

    /// Adds to messages what people have marked.
    async fn show(
        &self,
        channel: &str,
        messages: &mut [Message],
        person: &Person,
    ) -> Result<(), Fault> {
        let place = (LOCAL, &*lower(channel));
        marks::show(self.store(), place, messages, &person.id).await
    }
}
