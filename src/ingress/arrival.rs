//! The clock and the source of ids: here they enter a request, and nowhere else.
//!
//! What comes later takes them from the envelope. So a test can choose them, and a request has one time.

use rand::Rng as _;
use uuid::Builder;

use crate::model::{Text, Time};

/// The wall clock, now.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads it"
)]
pub fn now() -> Time {
    Time(jiff::Timestamp::now().as_microsecond())
}

/// A new id, unique for ever and growing with time: a UUID of version 7.
pub fn id(now: Time) -> Text {
    let mut random = [0; 10];
    // Seeded by the system and drawn on this thread.
    rand::rng().fill_bytes(&mut random);
    let millis = u64::try_from(now.millis()).unwrap_or_default();
    let id = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    Text::from(&*id.simple().encode_lower(&mut uuid::Uuid::encode_buffer()))
}
