//! Pages of lists that are short enough to be had whole: people and channels.
//!
//! The rules of windows and cursors are the store's; here they are applied to what is at hand.

use crate::model::{Channel, Fault, Participant, Person, Text, Window};
use crate::relay::local::unavailable;
use crate::store::window::{row, shown, slice};

/// Something that stands in a list.
pub trait Listed {
    fn stand_at(&mut self, cursor: Text);
}

impl Listed for Person {
    fn stand_at(&mut self, cursor: Text) {
        self.cursor = cursor;
    }
}

impl Listed for Participant {
    fn stand_at(&mut self, cursor: Text) {
        self.cursor = cursor;
    }
}

impl Listed for Channel {
    fn stand_at(&mut self, cursor: Text) {
        self.cursor = cursor;
    }
}

/// The part of a whole list that a window asks for; a window that asks for nothing shows all.
///
/// # Errors
/// A cursor is none of this list.
pub fn page<T: Listed>(mut all: Vec<T>, window: &Window) -> Result<(Vec<T>, Window), Fault> {
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let part = slice(window, total, total.max(1)).map_err(unavailable)?;
    for (place, item) in all.iter_mut().enumerate() {
        item.stand_at(row(place as i64));
    }
    let start = usize::try_from(part.start)
        .unwrap_or_default()
        .min(all.len());
    let end = usize::try_from(part.start + part.count)
        .unwrap_or_default()
        .clamp(start, all.len());
    let items = all.drain(start..end).collect();
    Ok((items, shown(window, part, total, total)))
}
