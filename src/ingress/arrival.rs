//! The clock and the source of ids: here they enter a request, and nowhere else.
//!
//! What comes later takes them from the envelope. So a test can choose them, and a request has one time.

use crate::model::{Text, Time};

/// The wall clock, now.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads it"
)]
pub fn now() -> Time {
    Time(jiff::Timestamp::now().as_microsecond())
}

/// A new id, unique for ever and growing with time.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that makes them"
)]
pub fn id() -> Text {
    let mut buffer = uuid::Uuid::encode_buffer();
    Text::from(&*uuid::Uuid::now_v7().simple().encode_lower(&mut buffer))
}
