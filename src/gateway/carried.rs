//! How an operation of a client is carried out at an upstream: decided by the mappings alone, when they are read.
//!
//! It is what `sabir check` tells, before anybody runs into it; the gateway itself only asks who has lists.

use crate::model::{Effect, Operation};
use crate::relay::Shared;

/// What is asked about people, and to be told of what happens, is Sabir's own to answer, whatever the upstream has.
const OWN: [Operation; 6] = [
    Operation::WhoAmI,
    Operation::GetPerson,
    Operation::ListPeople,
    Operation::SetPresence,
    Operation::Subscribe,
    Operation::Unsubscribe,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The upstream has it.
    Native,
    /// Sabir does it beside the upstream.
    Emulated,
    Refused,
}

impl Carried {
    /// `None` for operations that never leave Sabir.
    pub fn of(shared: &Shared, upstream: &str, operation: Operation) -> Option<Carried> {
        if operation.effect() == Effect::Session {
            return None;
        }
        let Some(at) = shared.find(upstream) else {
            return Some(Carried::Native);
        };
        let dialect = &shared.dialects[shared.upstreams[at].config.dialect];
        Some(if OWN.contains(&operation) {
            Carried::Emulated
        } else if dialect.calls(operation) {
            Carried::Native
        } else if shared.emulates(at, operation) {
            Carried::Emulated
        } else {
            Carried::Refused
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Carried::Native => "native",
            Carried::Emulated => "emulated",
            Carried::Refused => "refused",
        }
    }
}
