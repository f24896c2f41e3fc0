//! One value for one placeholder: drawn at random from what its type, its codec and its place on the wire can carry.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::string::{RegexGeneratorStrategy, string_regex};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sabir::dialect::codec::Codec;
use sabir::dialect::tape::Tape;
use sabir::dialect::template::{Absence, Placeholder};
use sabir::model::record::{Slot, Type, Value};
use sabir::model::{Json, Text, Time};

/// What the wire can hold where a placeholder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A value of its own.
    Whole,
    /// A header's value: visible ASCII.
    Header,
    /// A path's segment: never empty and never dots alone.
    Segment,
    /// Between other text, which ends it.
    Within,
}

/// A value that is owned while it is put in.
#[derive(Clone, Debug)]
pub enum Drawn {
    Text(String),
    Int(i64),
    Bool(bool),
    Time(Time),
    Json(String),
}

impl Drawn {
    pub fn value(&self) -> Value<'_> {
        match self {
            Drawn::Text(text) => Value::Text(text),
            Drawn::Int(int) => Value::Int(*int),
            Drawn::Bool(flag) => Value::Bool(*flag),
            Drawn::Time(time) => Value::Time(*time),
            Drawn::Json(json) => Value::Json(json),
        }
    }
}

/// Chance with a seed, so that a failing case fails again.
pub struct Chance {
    runner: TestRunner,
    any_text: RegexGeneratorStrategy<String>,
}

/// Texts that mean something to one encoding or another.
const AWKWARD: &[&str] = &[
    "#true",
    "#lobby",
    "#[1]",
    "%41",
    "100%",
    "a+b",
    "a&b=c",
    "\"",
    "\\",
    "\n",
    "null",
    "007",
    "0",
    "-1",
    "true",
    " x ",
    "{}",
    "[]",
    "$limit",
    "a[b]=c",
    "ünï 🦀",
    "<&> &amp;",
    "a/b",
    "..",
    "a.b",
    "\u{7f}\u{1}",
    "{text}",
    "x|y",
    "?",
];

impl Chance {
    pub fn new(seed: u64) -> Chance {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Chance {
            runner: TestRunner::new_with_rng(Config::default(), rng),
            any_text: string_regex("\\PC{1,12}").unwrap(),
        }
    }

    fn draw<S: Strategy>(&mut self, strategy: S) -> S::Value {
        strategy.new_tree(&mut self.runner).unwrap().current()
    }

    pub fn count(&mut self, from: usize, to: usize) -> usize {
        self.draw(from..=to)
    }

    pub fn maybe(&mut self) -> bool {
        self.draw(prop::bool::weighted(0.7))
    }

    /// A value that this placeholder can carry, or `None` if it carries none of this type.
    pub fn value(&mut self, placeholder: &Placeholder, kind: &Type, place: Place) -> Option<Drawn> {
        for _ in 0..200 {
            let drawn = match kind {
                Type::Text => Drawn::Text(self.text(placeholder.codec, place)),
                Type::Int => Drawn::Int(self.int(placeholder.codec)),
                Type::Bool => Drawn::Bool(self.draw(any::<bool>())),
                Type::Time => Drawn::Time(Time(self.draw(0..4_000_000_000_000_000i64))),
                Type::Json => Drawn::Json(self.json()),
                Type::Record(_) | Type::List(_) => return None,
            };
            let drawn = as_carried(drawn, placeholder.codec, kind)?;
            if carries(placeholder, kind, place, drawn.value()) {
                return Some(drawn);
            }
        }
        panic!(
            "{{{}}}: no value fits {:?}",
            placeholder.path, placeholder.codec
        )
    }

    fn text(&mut self, codec: Codec, place: Place) -> String {
        match codec {
            Codec::Bytes(count) => {
                self.draw(string_regex(&format!("[a-zA-Z0-9]{{{count}}}")).unwrap())
            }
            Codec::Int => self.draw(any::<i64>()).to_string(),
            Codec::Email => self.draw(string_regex("[a-z.+]{1,8}@[a-z.]{1,8}").unwrap()),
            Codec::Presence => self.draw(select(&["online", "offline"][..])).to_owned(),
            Codec::Upper => self.draw(string_regex("[a-z]{1,8}").unwrap()),
            _ if place == Place::Header => self.draw(string_regex("[!-~]{1,12}").unwrap()),
            _ if place == Place::Within => self.draw(string_regex("[a-z0-9]{1,12}").unwrap()),
            _ if self.maybe() => {
                let tree = self.any_text.new_tree(&mut self.runner);
                tree.unwrap().current()
            }
            _ => self.draw(select(AWKWARD)).to_owned(),
        }
    }

    fn int(&mut self, codec: Codec) -> i64 {
        match codec {
            Codec::Page => self.draw(1..1_000_000i64),
            Codec::Decimal | Codec::Millis => self.draw(0..1_000_000_000i64),
            _ => self.draw(prop_oneof![any::<i64>(), -2..100i64]),
        }
    }

    /// Any JSON but null, spelt as the engine spells it.
    fn json(&mut self) -> String {
        let leaf = prop_oneof![
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<u64>().prop_map(serde_json::Value::from),
            (-1e9..1e9).prop_map(serde_json::Value::from),
            "\\PC{0,6}".prop_map(serde_json::Value::from),
            select(AWKWARD).prop_map(serde_json::Value::from),
        ];
        let tree = leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map("\\PC{0,4}", inner, 0..4).prop_map(|members| {
                    serde_json::Value::Object(members.into_iter().collect())
                }),
            ]
        });
        let text = self.draw(tree).to_string();
        let mut spelt = String::new();
        Tape::json(text.as_bytes())
            .unwrap()
            .root()
            .unwrap()
            .write_json(&mut spelt);
        spelt
    }
}

/// A time is carried at its codec's precision; all else as it is. Codecs that only read carry nothing.
fn as_carried(drawn: Drawn, codec: Codec, kind: &Type) -> Option<Drawn> {
    if codec.one_way() {
        return None;
    }
    match drawn {
        Drawn::Time(time) => {
            let Value::Time(carried) = round_trip(codec, Value::Time(time), kind)?.get(&[]) else {
                return None;
            };
            assert!(
                (time.0 - carried.0).abs() < 1_000_000,
                "{codec:?} makes {time:?} {carried:?}"
            );
            Some(Drawn::Time(carried))
        }
        other => Some(other),
    }
}

/// Does the value come back from this place as it was? What reads as absence does not.
pub fn carries(placeholder: &Placeholder, kind: &Type, place: Place, value: Value<'_>) -> bool {
    if let Absence::Written(constant) = &placeholder.absence {
        let mut scratch = String::new();
        let mut text = String::new();
        if let Some(scalar) = placeholder.codec.encode(value, &mut scratch) {
            scalar.write_text(&mut text);
        }
        if text == *constant.text || text == *String::from_utf8_lossy(&constant.json) {
            return false;
        }
    }
    let fits_place = match (value, place) {
        (Value::Text(text), Place::Header) => {
            text.bytes().all(|byte| (b'!'..=b'~').contains(&byte))
        }
        (Value::Text(text), Place::Within) => text.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        (Value::Text(text), Place::Segment) => !matches!(text, "" | "." | ".."),
        _ => true,
    };
    let back = round_trip(placeholder.codec, value, kind);
    fits_place && back.is_some_and(|back| format!("{:?}", back.get(&[])) == format!("{value:?}"))
}

/// The codec alone, there and back again. The laws of whole exchanges stand on the laws of these.
fn round_trip(codec: Codec, value: Value<'_>, kind: &Type) -> Option<Box<dyn Slot>> {
    let mut scratch = String::new();
    let mut json = Vec::new();
    let scalar = codec.encode(value, &mut scratch)?;
    scalar.write_json(Default::default(), &mut json);
    let tape = Tape::json(&json).ok()?;
    let mut slot: Box<dyn Slot> = match kind {
        Type::Text => Box::new(Text::default()),
        Type::Int => Box::new(None::<i64>),
        Type::Bool => Box::new(None::<bool>),
        Type::Time => Box::new(None::<Time>),
        Type::Json => Box::new(Json::default()),
        Type::Record(_) | Type::List(_) => return None,
    };
    let mut scratch = String::new();
    let back = codec.decode(tape.root()?, kind, false, &mut scratch)?;
    slot.set(&[], back).ok()?;
    Some(slot)
}
