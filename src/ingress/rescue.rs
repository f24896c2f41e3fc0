//! The faults that the edge itself meets, before a dialect has read anything.
//!
//! Here they become faults of the model, so that the dialect that the path belongs to can put them into its own words
//! like any other. What belongs to no dialect is answered by the listener.

use super::listener::{BodyError, Refusal};
use crate::model::{Fault, Kind};

/// A body that could not be read.
pub fn body(error: &BodyError) -> Fault {
    match error {
        BodyError::TooLarge { limit } => {
            let mut fault = Fault::client(
                Kind::TooLong,
                format!("the body is larger than {limit} bytes"),
            );
            fault.details.limit = i64::try_from(*limit).ok();
            fault
        }
        BodyError::Coding => Fault::client(Kind::Malformed, error.to_string()),
        BodyError::TimedOut => Fault::client(Kind::Timeout, "the body did not come in time"),
        BodyError::Broken(why) => {
            Fault::client(Kind::Malformed, format!("the body ended early: {why}"))
        }
    }
}

/// A request for which there was no place in time.
pub fn full() -> Fault {
    Fault::new(Kind::Unavailable, "too many requests are being answered").retry_after(1)
}

/// A request whose head leaves open what is meant.
pub fn head(refusal: &Refusal) -> Fault {
    Fault::client(Kind::Malformed, refusal.to_string())
}
