//! Records: model types whose fields can be reached by a path that was resolved once.
//!
//! A mapping names fields in text (`author.name`). When it is loaded, each name is looked up in the record's
//! [`Schema`] and becomes a short list of field numbers; per request a field is reached by those numbers alone,
//! through one `match`. So a template needs no code per record, and a record needs none per template.
//!
//! A field is *absent* when it is `None`, an empty text or an empty list. Absence is the only "no value" there is.

use std::fmt;

use compact_str::CompactString;

/// Short texts live inside the value itself: most names, ids and tokens of a chat request need no allocation.
pub type Text = CompactString;

/// What a field holds, as a template sees it.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Absent,
    Text(&'a str),
    Int(i64),
    Bool(bool),
    Time(Time),
    /// The text of one JSON value that the model carries without looking inside.
    Json(&'a str),
    Record(&'a dyn Slot),
    List(&'a dyn List),
}

impl Value<'_> {
    pub fn is_absent(&self) -> bool {
        matches!(self, Value::Absent)
    }
}

/// The type of a field, known when a mapping is loaded.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    Text,
    Int,
    Bool,
    Time,
    Json,
    Record(&'static Schema),
    List(&'static Type),
}

impl Type {
    /// The type as an error message calls it.
    pub fn name(&self) -> String {
        match self {
            Type::Text => "text".into(),
            Type::Int => "integer".into(),
            Type::Bool => "boolean".into(),
            Type::Time => "time".into(),
            Type::Json => "JSON".into(),
            Type::Record(schema) => format!("record {}", schema.name),
            Type::List(item) => format!("list of {}", item.name()),
        }
    }
}

/// The fields of a record, in the order of their numbers.
#[derive(Debug)]
pub struct Schema {
    pub name: &'static str,
    pub fields: &'static [(&'static str, Type)],
}

impl Schema {
    /// The field's number and type.
    pub fn field(&self, name: &str) -> Option<(u8, Type)> {
        let at = self.fields.iter().position(|(field, _)| *field == name)?;
        Some((at as u8, self.fields[at].1))
    }
}

/// A value does not fit the field it was meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch;

/// A place that holds a value: a field, a record of fields, or an element of a list.
///
/// `path` is a list of field numbers from [`Schema::field`]; the empty path is the place itself. A path that goes on
/// into a list means the list's first element, so `media.url` is the first medium's address.
pub trait Slot: fmt::Debug {
    fn get(&self, path: &[u8]) -> Value<'_>;
    /// Puts a value in, making the records on the way. `Value::Absent` empties the place.
    fn set(&mut self, path: &[u8], value: Value<'_>) -> Result<(), Mismatch>;
    /// Appends an empty element to the list at `path`.
    fn push(&mut self, path: &[u8]) -> Option<&mut dyn Slot>;
    /// The record at `path`, made when it is absent.
    fn enter(&mut self, path: &[u8]) -> Option<&mut dyn Slot>;
}

/// The type of a slot, kept apart from [`Slot`] so that slots can be trait objects.
pub trait Typed {
    const TYPE: Type;
}

/// The elements of a list field.
pub trait List: fmt::Debug {
    fn len(&self) -> usize;
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    fn at(&self, index: usize) -> &dyn Slot;
}

/// A moment: microseconds since 1970-01-01T00:00:00Z, the finest unit any dialect carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    pub const fn from_seconds(seconds: i64) -> Time {
        Time(seconds.saturating_mul(1_000_000))
    }
    pub const fn from_millis(millis: i64) -> Time {
        Time(millis.saturating_mul(1_000))
    }
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }
    pub const fn plus_seconds(self, seconds: i64) -> Time {
        Time(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
}

/// One JSON value as text. Whoever makes one promises that it parses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Json(pub Text);

/// A text that proves who somebody is. It is never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub Text);

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_empty() {
            "none"
        } else {
            "[secret]"
        })
    }
}

macro_rules! leaf {
    ($type:ty, $kind:ident, |$this:ident| $get:expr, |$place:ident, $value:ident| $set:expr) => {
        impl Typed for $type {
            const TYPE: Type = Type::$kind;
        }
        impl Slot for $type {
            fn get(&self, path: &[u8]) -> Value<'_> {
                let $this = self;
                if path.is_empty() { $get } else { Value::Absent }
            }
            fn set(&mut self, path: &[u8], value: Value<'_>) -> Result<(), Mismatch> {
                match (path.is_empty(), value) {
                    (true, Value::Absent) => *self = Default::default(),
                    (true, Value::$kind($value)) => {
                        let $place = self;
                        $set
                    }
                    _ => return Err(Mismatch),
                }
                Ok(())
            }
            fn push(&mut self, _: &[u8]) -> Option<&mut dyn Slot> {
                None
            }
            fn enter(&mut self, _: &[u8]) -> Option<&mut dyn Slot> {
                None
            }
        }
    };
}

leaf!(
    Text,
    Text,
    |text| if text.is_empty() {
        Value::Absent
    } else {
        Value::Text(text)
    },
    // Replies mostly repeat what is there already.
    |place, value| if *place != *value {
        *place = value.into()
    }
);
leaf!(
    Json,
    Json,
    |json| if json.0.is_empty() {
        Value::Absent
    } else {
        Value::Json(&json.0)
    },
    |place, value| *place = Json(value.into())
);
leaf!(
    Secret,
    Text,
    |secret| if secret.0.is_empty() {
        Value::Absent
    } else {
        Value::Text(&secret.0)
    },
    |place, value| *place = Secret(value.into())
);
leaf!(i64, Int, |int| Value::Int(*int), |place, value| *place =
    value);
leaf!(bool, Bool, |flag| Value::Bool(*flag), |place, value| {
    *place = value
});
leaf!(Time, Time, |time| Value::Time(*time), |place, value| {
    *place = value
});

impl<T: Typed> Typed for Option<T> {
    const TYPE: Type = T::TYPE;
}

impl<T: Slot + Default> Slot for Option<T> {
    fn get(&self, path: &[u8]) -> Value<'_> {
        self.as_ref().map_or(Value::Absent, |inner| inner.get(path))
    }
    fn set(&mut self, path: &[u8], value: Value<'_>) -> Result<(), Mismatch> {
        if value.is_absent() && path.is_empty() {
            *self = None;
            return Ok(());
        }
        self.get_or_insert_default().set(path, value)
    }
    fn push(&mut self, path: &[u8]) -> Option<&mut dyn Slot> {
        self.get_or_insert_default().push(path)
    }
    fn enter(&mut self, path: &[u8]) -> Option<&mut dyn Slot> {
        self.get_or_insert_default().enter(path)
    }
}

impl<T: Typed> Typed for Box<T> {
    const TYPE: Type = T::TYPE;
}

impl<T: Slot> Slot for Box<T> {
    fn get(&self, path: &[u8]) -> Value<'_> {
        (**self).get(path)
    }
    fn set(&mut self, path: &[u8], value: Value<'_>) -> Result<(), Mismatch> {
        (**self).set(path, value)
    }
    fn push(&mut self, path: &[u8]) -> Option<&mut dyn Slot> {
        (**self).push(path)
    }
    fn enter(&mut self, path: &[u8]) -> Option<&mut dyn Slot> {
        (**self).enter(path)
    }
}

impl<T: Typed> Typed for Vec<T> {
    const TYPE: Type = Type::List(&T::TYPE);
}

impl<T: Slot> List for Vec<T> {
    fn len(&self) -> usize {
        self.len()
    }
    fn at(&self, index: usize) -> &dyn Slot {
        &self[index]
    }
}

impl<T: Slot + Default> Slot for Vec<T> {
    fn get(&self, path: &[u8]) -> Value<'_> {
        match (self.first(), path.is_empty()) {
            (None, _) => Value::Absent,
            (Some(_), true) => Value::List(self),
            (Some(first), false) => first.get(path),
        }
    }
    fn set(&mut self, path: &[u8], value: Value<'_>) -> Result<(), Mismatch> {
        match (path.is_empty(), value) {
            (true, Value::Absent) => self.clear(),
            (true, _) => return Err(Mismatch),
            (false, _) => return self.first_or_new().set(path, value),
        }
        Ok(())
    }
    fn push(&mut self, path: &[u8]) -> Option<&mut dyn Slot> {
        if !path.is_empty() {
            return self.first_or_new().push(path);
        }
        self.push(T::default());
        self.last_mut().map(|last| last as &mut dyn Slot)
    }
    fn enter(&mut self, path: &[u8]) -> Option<&mut dyn Slot> {
        if path.is_empty() {
            None
        } else {
            self.first_or_new().enter(path)
        }
    }
}

trait FirstOrNew<T> {
    fn first_or_new(&mut self) -> &mut T;
}

impl<T: Default> FirstOrNew<T> for Vec<T> {
    fn first_or_new(&mut self) -> &mut T {
        if self.is_empty() {
            self.push(T::default());
        }
        &mut self[0]
    }
}

/// Declares a record: a plain struct whose field names are its paths.
macro_rules! record {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }

        impl $crate::model::record::Typed for $name {
            const TYPE: $crate::model::record::Type =
                $crate::model::record::Type::Record(&$crate::model::record::Schema {
                    name: stringify!($name),
                    fields: &[$((stringify!($field), <$type as $crate::model::record::Typed>::TYPE)),*],
                });
        }

        const _: () = {
            use $crate::model::record::{Mismatch, Slot, Value};

            /// The fields' numbers; the last variant is there for records without fields.
            #[allow(non_camel_case_types, dead_code, reason = "the variants are the record's own field names")]
            #[repr(u8)]
            enum Number { $($field,)* end_of_fields }

            impl Slot for $name {
                fn get(&self, path: &[u8]) -> Value<'_> {
                    let Some((step, rest)) = path.split_first() else { return Value::Record(self) };
                    let _ = rest;
                    match *step {
                        $(step if step == Number::$field as u8 => Slot::get(&self.$field, rest),)*
                        _ => Value::Absent,
                    }
                }
                fn set(&mut self, path: &[u8], value: Value<'_>) -> Result<(), Mismatch> {
                    let _ = &value;
                    let Some((step, rest)) = path.split_first() else { return Err(Mismatch) };
                    let _ = rest;
                    match *step {
                        $(step if step == Number::$field as u8 => Slot::set(&mut self.$field, rest, value),)*
                        _ => Err(Mismatch),
                    }
                }
                fn push(&mut self, path: &[u8]) -> Option<&mut dyn Slot> {
                    let (step, rest) = path.split_first()?;
                    let _ = rest;
                    match *step {
                        $(step if step == Number::$field as u8 => Slot::push(&mut self.$field, rest),)*
                        _ => None,
                    }
                }
                fn enter(&mut self, path: &[u8]) -> Option<&mut dyn Slot> {
                    let Some((step, rest)) = path.split_first() else { return Some(self) };
                    let _ = rest;
                    match *step {
                        $(step if step == Number::$field as u8 => Slot::enter(&mut self.$field, rest),)*
                        _ => None,
                    }
                }
            }
        };
    )* };
}

pub(crate) use record;
