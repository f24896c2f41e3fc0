//! What the operator says of a channel, and how names are compared.
//!
//! The names of channels are folded to lower case wherever they are compared, because the dialects that we serve do not
//! agree on whether case matters, and two channels that differ only in it would be one too many.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Text;

/// The upstream that is Sabir's own store.
pub const LOCAL: &str = "local";

/// A channel that `local` keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelRule {
    /// Lower case.
    pub name: Text,
    pub title: Text,
    /// An account's name.
    pub owner: Option<Text>,
    /// Names of accounts that may moderate it, beside the owner.
    pub moderators: Vec<Text>,
    /// Names of accounts.
    pub members: Vec<Text>,
    /// What a dialect's clients call it.
    pub ids: BTreeMap<Text, Text>,
    /// Seconds between two messages of one person.
    pub delay_s: u32,
}

/// A name as it is compared. Most are lower case already, and then nothing is copied.
pub fn lower(name: &str) -> Cow<'_, str> {
    let is_lower = match name.is_ascii() {
        true => !name.bytes().any(|byte| byte.is_ascii_uppercase()),
        false => name
            .chars()
            .all(|letter| letter.to_lowercase().eq([letter])),
    };
    if is_lower {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.to_lowercase())
    }
}
