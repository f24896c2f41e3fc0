//! Messages whose upstream gives them no id: in a list they are known by what they are, and after a send by an id of
//! ours that is bound to the message when a list first shows it.
//!
//! A message is known by its channel, its author, its text, its second and how many alike came before it in that
//! second. A send is found again by its text, near its time, among messages that nobody was shown before. Whoever
//! shows no ids costs nothing here.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::model::{Message, Reply, Text, Time};
use crate::store::{PROVISIONAL_SECONDS, Provisional};

/// What the ids begin with that are made of what a message is.
const KNOWN_BY: &str = "sabir=";

/// How far an upstream's clock may be from ours.
const SKEW_SECONDS: i64 = 120;

/// Sends of one channel that are looked for at once; the oldest are given up first.
const LOOKED_FOR: usize = 256;

/// The sends that no list has shown yet, by upstream and channel.
#[derive(Default)]
pub struct Waiting(Mutex<HashMap<(Text, Text), Vec<Provisional>>>);

/// A send, and the place in the list of the message that it turned out to be.
pub struct Found {
    pub sent: Provisional,
    pub at: usize,
}

/// Gives each message of a list that has no id the one that it is known by.
pub fn known_by(reply: &mut Reply) {
    let Reply::Messages(list) = reply else { return };
    let mut alike: HashMap<[u8; 32], u32> = HashMap::new();
    for message in &mut list.messages {
        if !message.id.is_empty() {
            continue;
        }
        let seconds = message.created_at.map_or(0, Time::seconds);
        let author = [&message.author.id, &message.author.name];
        let print = print(&[
            &message.channel,
            author
                .into_iter()
                .find(|name| !name.is_empty())
                .map_or("", |name| name),
            &message.text,
            &seconds.to_string(),
        ]);
        let before = alike.entry(print).or_default();
        let print = URL_SAFE_NO_PAD.encode(&print[..18]);
        message.id = format!("{KNOWN_BY}{print}{before}").into();
        *before += 1;
    }
}

/// A text as it is kept for being found again.
pub fn print_of(text: &str) -> Text {
    URL_SAFE_NO_PAD.encode(print(&[text])).into()
}

/// One hash of several texts; each ends where no text does.
fn print(texts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}

impl Waiting {
    pub fn new(sent: Vec<Provisional>) -> Waiting {
        let waiting = Waiting::default();
        for sent in sent {
            waiting.add(sent);
        }
        waiting
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(Text, Text), Vec<Provisional>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, sent: Provisional) {
        let mut all = self.all();
        let here = all
            .entry((sent.upstream.clone(), sent.channel.clone()))
            .or_default();
        let oldest = sent.sent_at.plus_seconds(-PROVISIONAL_SECONDS);
        here.retain(|other| other.sent_at >= oldest);
        if here.len() >= LOOKED_FOR {
            here.remove(0);
        }
        here.push(sent);
    }

    /// Is anything looked for in this channel?
    pub fn any(&self, upstream: &Text, channel: &Text) -> bool {
        let all = self.all();
        !all.is_empty() && all.contains_key(&(upstream.clone(), channel.clone()))
    }

    /// Finds sends in a list; `new` says of each message whether nobody has been shown it, `ours` whether it was posted
    /// by Sabir's own account there.
    pub fn find(
        &self,
        (upstream, channel): (&Text, &Text),
        messages: &[Message],
        new: impl Fn(usize) -> bool,
        ours: impl Fn(&Message) -> bool,
    ) -> Vec<Found> {
        let mut taken = vec![false; messages.len()];
        let all = self.all();
        let waiting = all.get(&(upstream.clone(), channel.clone()));
        let mut found = Vec::new();
        for sent in waiting.into_iter().flatten() {
            let fits = |at: &usize| {
                let message = &messages[*at];
                let by = sent.author.is_empty() || sent.author == message.author.name;
                new(*at)
                    && !taken[*at]
                    && (by || ours(message))
                    && near(message.created_at, sent.sent_at)
                    && print_of(&message.text) == sent.print
            };
            let mut fitting = (0..messages.len()).filter(fits);
            let Some(at) = fitting.next() else {
                continue;
            };
            // Of a stranger's name nothing is known but the text: two alike might be anybody's.
            if sent.author.is_empty() && fitting.next().is_some() {
                continue;
            }
            taken[at] = true;
            found.push(Found {
                sent: sent.clone(),
                at,
            });
        }
        found
    }

    pub fn remove(&self, sent: &Provisional) {
        let mut all = self.all();
        let key = (sent.upstream.clone(), sent.channel.clone());
        if let Some(here) = all.get_mut(&key) {
            here.retain(|other| other.id != sent.id);
            if here.is_empty() {
                all.remove(&key);
            }
        }
    }
}

/// A message without a time may be from any.
fn near(created_at: Option<Time>, sent_at: Time) -> bool {
    created_at
        .is_none_or(|created_at| (created_at.seconds() - sent_at.seconds()).abs() <= SKEW_SECONDS)
}
