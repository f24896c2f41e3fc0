//! The journal: a send that carries a key happens once, however often it is asked for.
//!
//! The key is claimed before anything is sent, and what became of it is kept for a day. What certainly was not done
//! gives the key up, so that it can be tried again; what may have been done does not, because nobody knows. Whose key
//! it is, and when a claim is due, the gateway decides.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::Shared;
use super::local::unavailable;
use crate::model::{Command, Fault, Kind, Message, Outcome, Text, Time};
use crate::store::{Claim, StoreError, read_outcome, write_message, write_outcome};

/// Longer than any client makes one.
const KEY_BYTES: usize = 255;

/// Characters of what stands for a key at an upstream: 144 bits.
const UPSTREAM_KEY: usize = 24;

/// A key that is claimed, to be settled.
#[derive(Debug)]
pub struct Ticket {
    scope: Text,
    key: Text,
}

/// What a claim came to.
#[derive(Debug)]
pub enum Claimed {
    Fresh(Ticket),
    /// The same was asked before, and came to this.
    Before(Box<Outcome>),
}

impl Shared {
    /// Claims a key for a command, within the keys of whoever asks.
    ///
    /// # Errors
    /// The same is under way, or the key is another command's; the store cannot say.
    pub async fn claim(
        &self,
        scope: &Text,
        key: &Text,
        command: &Command,
        now: Time,
    ) -> Result<Claimed, Fault> {
        if key.len() > KEY_BYTES {
            let words = format!("an idempotency key has at most {KEY_BYTES} bytes");
            return Err(Fault::client(Kind::Invalid, words));
        }
        let print = fingerprint(command).map_err(unavailable)?;
        let store = self.local.store();
        let claim = store.claim(scope, key, &print, now).await;
        match claim.map_err(unavailable)? {
            Claim::Fresh => Ok(Claimed::Fresh(Ticket {
                scope: scope.clone(),
                key: key.clone(),
            })),
            Claim::Done(outcome) => {
                let outcome = read_outcome(&outcome).map_err(unavailable)?;
                Ok(Claimed::Before(Box::new(outcome)))
            }
            Claim::Lost => Ok(Claimed::Before(Box::new(Err(Fault::new(
                Kind::OutcomeUnknown,
                "the same request was being handled when Sabir ended",
            ))))),
            Claim::InFlight => Err(Fault::client(
                Kind::Conflict,
                "the same request is being handled already",
            )),
            Claim::Other => Err(Fault::client(
                Kind::Invalid,
                "the idempotency key was used for another message",
            )),
        }
    }

    /// Records what became of a claimed key.
    pub async fn settle(&self, ticket: Ticket, outcome: &Outcome) {
        let kept = match outcome {
            // Told in so many words that nothing was done: it may be asked for again.
            Err(fault) if fault.kind != Kind::OutcomeUnknown => None,
            outcome => Some(write_outcome(outcome)),
        };
        let store = self.local.store();
        let settled = match kept.transpose() {
            Ok(kept) => store.settle(&ticket.scope, &ticket.key, kept).await,
            Err(error) => Err(error),
        };
        if let Err(error) = settled {
            // The claim stands: a repetition is refused, which is better than doing it twice.
            warn!(%error, "what became of a send with an idempotency key could not be kept");
        }
    }
}

/// What stands for a client's key at an upstream, where all clients share Sabir's own account: no two of them, and no
/// two messages of one request, have the same.
pub fn upstream_key(scope: &str, key: &str, part: usize) -> Text {
    let digest = Sha256::digest(format!("{scope}\0{key}\0{part}"));
    let mut text = URL_SAFE_NO_PAD.encode(digest);
    text.truncate(UPSTREAM_KEY);
    text.into()
}

/// The same for the same message, as the client asked for it.
fn fingerprint(command: &Command) -> Result<[u8; 32], StoreError> {
    let mut digest = Sha256::new();
    let messages = match command {
        Command::Send(message) => std::slice::from_ref(message),
        Command::SendMany(many) => &many.sends,
        _ => &[],
    };
    digest.update(command.operation().name());
    for message in messages {
        let Message {
            channel,
            created_at,
            ..
        } = message;
        let record = write_message(message)?;
        digest.update(format!("\0{channel}\0{created_at:?}\0{record}"));
    }
    Ok(digest.finalize().into())
}
