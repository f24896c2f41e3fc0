//! Templates: the shape of a message on the wire, with places for the model's fields.
//!
//! What a mapping says in text is compiled into these once, when the mapping is loaded. [`write`](super::write) turns
//! a template and a scope into bytes; [`read`](super::read) takes a tape and fills a target. Both walk the same
//! template, which is why a dialect works in both directions.

use smallvec::SmallVec;

use super::codec::Codec;
use super::escape::Style;
use super::tape::{At, Kind, Tape};
use crate::model::record::{Slot, Type, Typed as _, Value};
use crate::model::{App, Arrival, Credential, Details};

/// The shape of a JSON value, a list of pairs, or a text.
#[derive(Clone, Debug)]
pub enum Template {
    Constant(Constant),
    Placeholder(Placeholder),
    /// Text around placeholders.
    Text(Vec<Piece>),
    Object(Vec<Member>),
    Array(Vec<Template>),
    /// One element of the wire's array for each element of the list.
    Each {
        list: Source,
        item: Box<Template>,
    },
}

/// A member of an object: written under its first name, read under any.
#[derive(Clone, Debug)]
pub struct Member {
    pub names: Vec<Box<str>>,
    /// A name that holds placeholders; then `names` is empty.
    pub dynamic: Option<Vec<Piece>>,
    /// `"name":`, ready to be written.
    pub lead: Box<[u8]>,
    pub template: Template,
    /// Does something within select an entry?
    pub selects: bool,
    /// Without it, a reply is not this one: the way down to a GraphQL field.
    pub demanded: bool,
}

#[derive(Clone, Debug)]
pub enum Piece {
    Literal(Box<str>),
    Placeholder(Placeholder),
}

/// A value that is always the same, ready for every use.
#[derive(Clone, Debug)]
pub struct Constant {
    pub json: Box<[u8]>,
    pub text: Box<str>,
    pub tape: Tape<'static>,
}

/// A place for one field.
#[derive(Clone, Debug)]
pub struct Placeholder {
    pub source: Source,
    /// Written instead, in their order, where the field is absent; never read.
    pub otherwise: Vec<Source>,
    pub absence: Absence,
    pub codec: Codec,
    /// The shape that a record is written in, by its index.
    pub shape: Option<usize>,
    /// The path as the mapping spells it, for messages.
    pub path: Box<str>,
}

#[derive(Clone, Debug)]
pub enum Absence {
    Required,
    LeftOut,
    Written(Constant),
}

/// Where a field is: the root record and the numbers of the fields on the way.
#[derive(Clone, Debug)]
pub struct Source {
    pub root: Root,
    pub path: SmallVec<[u8; 4]>,
    pub kind: Type,
}

impl Source {
    /// Is it the key by which one request is known from its repetition?
    pub fn is_key(&self) -> bool {
        let Type::Record(arrival) = Arrival::TYPE else {
            return false;
        };
        let key = arrival.field("key").map(|(number, _)| number);
        self.root == Root::Arrival && key.is_some_and(|key| self.path[..] == [key])
    }
}

/// The records that a template can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// The record that the template is read against.
    This,
    /// The element at hand of the list that an array repeats.
    Item,
    Request,
    Arrival,
    App,
    Credential,
    Fault,
    /// `{_}`: nobody's field. Anything is read and forgotten.
    Nobody,
}

/// A record's shape in a dialect, and what is read out of what.
#[derive(Clone, Debug)]
pub struct Shape {
    pub name: Box<str>,
    pub template: Template,
    pub derive: Vec<Derive>,
}

/// A field filled from another when the wire had none.
#[derive(Clone, Debug)]
pub struct Derive {
    pub target: Source,
    pub from: Source,
    pub codec: Codec,
}

/// Everything that a template may write from.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub this: &'a dyn Slot,
    pub item: Option<&'a dyn Slot>,
    pub request: Option<&'a dyn Slot>,
    pub arrival: &'a Arrival,
    pub app: &'a App,
    pub credential: Option<&'a Credential>,
    pub fault: Option<&'a Details>,
}

impl<'a> Scope<'a> {
    /// A scope of a command or a reply, with what surrounds it.
    pub fn new(this: &'a dyn Slot, arrival: &'a Arrival, app: &'a App) -> Scope<'a> {
        Scope {
            this,
            item: None,
            request: None,
            arrival,
            app,
            credential: None,
            fault: None,
        }
    }

    /// The same around another record.
    pub fn of<'b>(&self, record: &'b dyn Slot) -> Scope<'b>
    where
        'a: 'b,
    {
        Scope {
            this: record,
            item: None,
            ..*self
        }
    }

    /// The first of a placeholder's fields that is present.
    pub fn filled(&self, placeholder: &Placeholder) -> Value<'a> {
        match self.value(&placeholder.source) {
            Value::Absent => placeholder
                .otherwise
                .iter()
                .map(|source| self.value(source))
                .find(|value| !value.is_absent())
                .unwrap_or(Value::Absent),
            value => value,
        }
    }

    #[inline(always)]
    pub fn value(&self, source: &Source) -> Value<'a> {
        match source.root {
            // Nearly all are.
            Root::This => self.this.get(&source.path),
            _ => self.beside(source),
        }
    }

    /// What stands elsewhere than in the record at hand.
    fn beside(&self, source: &Source) -> Value<'a> {
        let path = &source.path;
        match source.root {
            Root::This => self.this.get(path),
            Root::Item => self.item.map_or(Value::Absent, |item| item.get(path)),
            Root::Request => self
                .request
                .map_or(Value::Absent, |request| request.get(path)),
            Root::Arrival => self.arrival.get(path),
            Root::App => self.app.get(path),
            Root::Credential => self
                .credential
                .map_or(Value::Absent, |credential| credential.get(path)),
            Root::Fault => self.fault.map_or(Value::Absent, |fault| fault.get(path)),
            Root::Nobody => Value::Absent,
        }
    }
}

/// Everything that a template may read into; what is not there is not asked for, and forgotten.
pub struct Target<'a> {
    pub this: &'a mut dyn Slot,
    pub item: Option<&'a mut dyn Slot>,
    pub arrival: Option<&'a mut Arrival>,
    pub app: Option<&'a mut App>,
    pub credential: Option<&'a mut Credential>,
    pub fault: Option<&'a mut Details>,
}

impl<'a> Target<'a> {
    /// A command, a reply or another record, and nothing that surrounds it.
    pub fn new(this: &'a mut dyn Slot) -> Target<'a> {
        Target {
            this,
            item: None,
            arrival: None,
            app: None,
            credential: None,
            fault: None,
        }
    }

    /// The same around a record within the one at hand, or around an element of a list within it.
    pub fn within<'b>(
        &'b mut self,
        root: Root,
        enter: impl FnOnce(&'b mut dyn Slot) -> Option<&'b mut dyn Slot>,
    ) -> Option<Target<'b>> {
        let outer = match (root, &mut self.item) {
            (Root::Item, Some(item)) => &mut **item,
            _ => &mut *self.this,
        };
        Some(Target {
            this: enter(outer)?,
            item: None,
            arrival: self.arrival.as_deref_mut(),
            app: self.app.as_deref_mut(),
            credential: self.credential.as_deref_mut(),
            fault: self.fault.as_deref_mut(),
        })
    }

    /// The record that a source is a path of; `None` where reading forgets.
    pub fn record(&mut self, root: Root) -> Option<&mut dyn Slot> {
        Some(match root {
            Root::This => &mut *self.this,
            Root::Item => self.item.as_deref_mut()?,
            Root::Arrival => self.arrival.as_deref_mut()?,
            Root::App => self.app.as_deref_mut()?,
            Root::Credential => self.credential.as_deref_mut()?,
            Root::Fault => self.fault.as_deref_mut()?,
            Root::Request | Root::Nobody => return None,
        })
    }
}

impl Constant {
    /// Prepares a JSON value for being written and compared.
    pub fn new(value: super::tape::Tree, style: Style) -> Constant {
        let text = match &value {
            super::tape::Tree::Text(text) => Some(text.clone()),
            _ => None,
        };
        let tape = value.into_tape();
        let mut json = String::new();
        let mut styled = Vec::new();
        if let Some(root) = tape.root() {
            root.write_json(&mut json);
            write_styled(root, style, &mut styled);
        }
        Constant {
            json: styled.into(),
            text: text.unwrap_or(json).into(),
            tape,
        }
    }

    /// Is this what stands at the place? In textual places everything is text.
    pub fn equals(&self, at: At<'_>, textual: bool) -> bool {
        match at.kind() {
            Kind::Text(text) if textual => *self.text == *text,
            _ => self.tape.root().is_some_and(|root| same(root, at)),
        }
    }
}

fn same(left: At<'_>, right: At<'_>) -> bool {
    match (left.kind(), right.kind()) {
        (Kind::Array, Kind::Array) => {
            left.elements().count() == right.elements().count()
                && left
                    .elements()
                    .zip(right.elements())
                    .all(|(left, right)| same(left, right))
        }
        (Kind::Object, Kind::Object) => {
            left.members().count() == right.members().count()
                && left
                    .members()
                    .all(|(name, value)| right.member(name).is_some_and(|other| same(value, other)))
        }
        (left, right) => left == right,
    }
}

fn write_styled(at: At<'_>, style: Style, out: &mut Vec<u8>) {
    use super::escape::json_text;
    match at.kind() {
        Kind::Text(text) => json_text(text, style, out),
        Kind::Object => {
            out.push(b'{');
            for (index, (name, value)) in at.members().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                json_text(name, style, out);
                out.push(b':');
                write_styled(value, style, out);
            }
            out.push(b'}');
        }
        Kind::Array => {
            out.push(b'[');
            for (index, element) in at.elements().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_styled(element, style, out);
            }
            out.push(b']');
        }
        _ => {
            let mut json = String::new();
            at.write_json(&mut json);
            out.extend_from_slice(json.as_bytes());
        }
    }
}

impl Template {
    /// Every placeholder within, shapes not entered.
    pub fn placeholders<'t>(&'t self, found: &mut Vec<&'t Placeholder>) {
        match self {
            Template::Constant(_) => {}
            Template::Placeholder(placeholder) => found.push(placeholder),
            Template::Text(pieces) => found.extend(in_pieces(pieces)),
            Template::Object(members) => members.iter().for_each(|member| {
                found.extend(member.dynamic.iter().flat_map(|pieces| in_pieces(pieces)));
                member.template.placeholders(found);
            }),
            Template::Array(elements) => elements
                .iter()
                .for_each(|element| element.placeholders(found)),
            Template::Each { item, .. } => item.placeholders(found),
        }
    }

    /// What is written whatever the scope.
    pub fn always(&self) -> Option<&Constant> {
        match self {
            Template::Constant(constant) => Some(constant),
            Template::Placeholder(Placeholder {
                source,
                otherwise,
                absence: Absence::Written(constant),
                ..
            }) if source.root == Root::Nobody && otherwise.is_empty() => Some(constant),
            _ => None,
        }
    }

    /// Does something within select an entry?
    pub fn selects(&self) -> bool {
        match self {
            Template::Constant(_) => true,
            Template::Object(members) => members.iter().any(|member| member.selects),
            Template::Array(elements) => elements.iter().any(Template::selects),
            Template::Text(_) => true,
            Template::Placeholder(_) | Template::Each { .. } => false,
        }
    }

    /// The constants within, each with the place that it stands at.
    pub fn constants(&self, place: &str, found: &mut Vec<(String, String)>) {
        match self {
            Template::Constant(constant) => {
                found.push((place.to_owned(), constant.text.to_string()))
            }
            Template::Text(pieces) => found.push((place.to_owned(), pattern(pieces))),
            Template::Object(members) => {
                members
                    .iter()
                    .filter(|member| member.selects)
                    .for_each(|member| {
                        let name = member.names.first().map_or("", |name| name);
                        member.template.constants(&format!("{place}.{name}"), found);
                    })
            }
            Template::Array(elements) => {
                elements.iter().enumerate().for_each(|(index, element)| {
                    element.constants(&format!("{place}[{index}]"), found)
                })
            }
            _ => {}
        }
    }
}

/// A text around placeholders with the placeholders left open, for comparing.
fn pattern(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(literal) => literal,
            Piece::Placeholder(_) => "{}",
        })
        .collect()
}

pub fn in_pieces(pieces: &[Piece]) -> impl Iterator<Item = &Placeholder> {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Placeholder(placeholder) => Some(placeholder),
        Piece::Literal(_) => None,
    })
}
