//! Credits: who said it, put into the text where one credential speaks for all, and taken off again on the way back.
//!
//! Text in, text out. Whether a message is our own, so that its credit may be taken off, is for the relay to know.

use super::{Message, Person, Text};

/// The parts of a credit's pattern, `{author.name}: {text}` for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    before: Text,
    between: Text,
    behind: Text,
}

const AUTHOR: &str = "{author.name}";
const TEXT: &str = "{text}";

impl Credit {
    /// Reads a pattern. `None` if the author does not stand before the text, once each, with something between them.
    pub fn parse(pattern: &str) -> Option<Credit> {
        let (before, rest) = pattern.split_once(AUTHOR)?;
        let (between, behind) = rest.split_once(TEXT)?;
        let plain = [before, between, behind]
            .iter()
            .all(|part| !part.contains(['{', '}']));
        (plain && !between.is_empty()).then(|| Credit {
            before: before.into(),
            between: between.into(),
            behind: behind.into(),
        })
    }

    /// Names the author in the text. A message without text or author stays as it is.
    pub fn put_on(&self, message: &mut Message) {
        let name = if message.author.display.is_empty() {
            &message.author.name
        } else {
            &message.author.display
        };
        if name.is_empty() || message.text.is_empty() {
            return;
        }
        // A name that holds what stands between would be cut in the wrong place on the way back.
        let name = name.replace(self.between.as_str(), " ");
        message.text = format!(
            "{}{name}{}{}{}",
            self.before, self.between, message.text, self.behind
        )
        .into();
    }

    /// Takes the author out of the text again. A text that has no credit stays as it is.
    pub fn take_off(&self, message: &mut Message) {
        let inner = message
            .text
            .strip_prefix(self.before.as_str())
            .and_then(|text| text.strip_suffix(self.behind.as_str()))
            .and_then(|text| text.split_once(self.between.as_str()));
        let Some((name, text)) = inner else { return };
        let (name, text): (Text, Text) = (name.into(), text.into());
        message.author = Person {
            name,
            ..Person::default()
        };
        message.text = text;
    }
}
