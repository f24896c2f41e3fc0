//! The canonical model: what every dialect is translated into and out of.
//!
//! Plain values. No IO, no clock, and nothing here can be serialised: what is stored is the store's own record, what
//! is sent is a dialect's. The types are records, so that a mapping can reach their fields by name.

pub mod alias;
mod channel_rule;
mod command;
mod credit;
mod envelope;
mod fault;
mod message;
mod outcome;
mod presence;
pub mod profile;
pub mod record;

pub use channel_rule::{ChannelRule, LOCAL, lower};
pub use command::*;
pub use credit::Credit;
pub use envelope::{App, Arrival, Credential, Envelope, SealKeys};
pub use fault::{Details, Fault, Kind, Origin};
pub use message::{Channel, Media, Message, Mine, Participant, Person, Window};
pub use outcome::*;
pub use presence::Presence;
pub use profile::Profile;
pub use record::{Json, Secret, Text, Time};
