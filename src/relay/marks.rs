//! What people have marked on messages, added to the messages: of `local`, and of upstreams that have no such marks.
//!
//! Beside an upstream marks are kept in our own store, by the ids that its messages have there. Which of its channels
//! hold any is remembered, so that the others cost nothing. Whether an upstream has marks of its own is its mapping's
//! to say, and not decided here.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use super::local::unavailable;
use crate::model::{Fault, Message, Text};
use crate::store::{Change, Mark, MarkKind, Store, StoreError};

/// Channels that are remembered to hold marks. Where there are more, every channel is taken for one of them.
const REMEMBERED: usize = 65_536;

/// The marks on messages of upstreams.
pub struct Marks {
    store: Arc<dyn Store>,
    /// By upstream and channel.
    channels: RwLock<HashSet<(Text, Text)>>,
}

impl Marks {
    /// Takes up where the store says that messages are marked.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(store: Arc<dyn Store>) -> Result<Marks, StoreError> {
        let channels = store.marked(REMEMBERED).await?;
        Ok(Marks {
            store,
            channels: RwLock::new(channels.into_iter().collect()),
        })
    }

    /// Is anything marked in this channel?
    pub fn any(&self, upstream: &Text, channel: &Text) -> bool {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        !channels.is_empty()
            && (channels.len() >= REMEMBERED
                || channels.contains(&(upstream.clone(), channel.clone())))
    }

    pub async fn set(&self, mark: Mark) -> Result<(), Fault> {
        let place = (mark.upstream.clone(), mark.channel.clone());
        let set = self.store.mark(mark, Change::Set(true)).await;
        set.map_err(unavailable)?;
        let mut channels = self
            .channels
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if channels.len() < REMEMBERED {
            channels.insert(place);
        }
        Ok(())
    }
}

/// Adds to messages of one channel what people have marked on them; `viewer` is the person whose own marks are told
/// apart.
pub async fn show(
    store: &dyn Store,
    (upstream, channel): (&str, &str),
    messages: &mut [Message],
    viewer: &str,
) -> Result<(), Fault> {
    let ids: Vec<Text> = messages.iter().map(|message| message.id.clone()).collect();
    let marks = store.marks(None, upstream, channel, &ids).await;
    for mark in marks.map_err(unavailable)? {
        let Some(message) = messages
            .iter_mut()
            .find(|message| Some(&message.id) == mark.message.as_ref())
        else {
            continue;
        };
        let (people, mine) = match mark.kind {
            MarkKind::Seen => (&mut message.seen_by, &mut message.mine.seen),
            MarkKind::Starred => (&mut message.starred_by, &mut message.mine.starred),
            MarkKind::Pinned | MarkKind::Archived => continue,
        };
        if mark.person == viewer {
            *mine = Some(true);
        }
        if !people.contains(&mark.person) {
            people.push(mark.person);
        }
    }
    Ok(())
}
