//! Reading: a template and a tape fill a target.
//!
//! First [`matches`] asks whether the constants are there: that alone decides which exchange a message is. Then the
//! placeholders are read. In a request, what is missing or of the wrong type is the client's mistake and is named as
//! the wire names it; in a reply every placeholder is optional, because servers leave out what they please.

mod fit;
mod text;

use fit::split_prefix;
pub use fit::{Field, Fields, Fit, anything_of, matches, members_match};

use super::codec::Codec;
use super::tape::{Kind, Leaf, Tape};
use super::template::{
    Absence, Derive, Member, Piece, Placeholder, Shape, Source, Target, Template,
};
use super::write::{MEDIUM_DATA, MEDIUM_URL};
use crate::model::record::{Slot, Type, Value};

pub struct Reader<'d> {
    pub shapes: &'d [Shape],
    /// Requests are read strictly, replies as far as they go.
    pub strict: bool,
    scratch: String,
}

/// What a request lacks. The name is the wire's, with its index where it stands in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// Required, and not there.
    Blank(String),
    /// There, but not of a kind that could be meant.
    IllTyped(String),
}

impl Miss {
    fn within(self, outer: &str) -> Miss {
        let join = |name: String| match (outer.is_empty(), name.is_empty() || name.starts_with('['))
        {
            (true, _) => name,
            (false, true) => format!("{outer}{name}"),
            (false, false) => format!("{outer}.{name}"),
        };
        match self {
            Miss::Blank(name) => Miss::Blank(join(name)),
            Miss::IllTyped(name) => Miss::IllTyped(join(name)),
        }
    }
}

impl<'d> Reader<'d> {
    pub fn new(shapes: &'d [Shape], strict: bool) -> Reader<'d> {
        Reader {
            shapes,
            strict,
            scratch: String::new(),
        }
    }

    /// Reads a value into the target.
    ///
    /// # Errors
    /// The first thing that is missing or of the wrong type, in the template's order; never for a reply.
    pub fn read(
        &mut self,
        template: &Template,
        field: Option<Field<'_>>,
        target: &mut Target<'_>,
    ) -> Result<(), Miss> {
        match template {
            Template::Constant(_) => Ok(()),
            Template::Placeholder(placeholder) => self.placeholder(placeholder, field, target),
            Template::Text(pieces) => match field.map(|field| field.at.kind()) {
                Some(Kind::Text(text)) => self.pieces(pieces, text, target),
                None => self.absent_pieces(pieces),
                Some(_) => self.ill_typed(),
            },
            Template::Object(members) => match field {
                Some(field) if field.at.kind() == Kind::Object => {
                    self.members(members, &Fields::of(field.at, field.textual), target)
                }
                None => self.members(members, &Fields::default(), target),
                Some(_) => self.ill_typed(),
            },
            Template::Array(elements) => {
                let mut found = field.into_iter().flat_map(|field| {
                    field.at.elements().map(move |at| Field {
                        at,
                        textual: field.textual,
                    })
                });
                elements
                    .iter()
                    .enumerate()
                    .try_for_each(|(index, element)| {
                        self.read(element, found.next(), target)
                            .map_err(|miss| miss.within(&format!("[{index}]")))
                    })
            }
            Template::Each { list, item } => match field {
                Some(field) if field.at.kind() == Kind::Array => {
                    self.each(list, item, field, target)
                }
                None => Ok(()),
                Some(_) => self.ill_typed(),
            },
        }
    }

    /// Reads members from wherever they are looked up: all of them, because what stands behind a mistake may say who
    /// made it.
    ///
    /// # Errors
    /// As [`Reader::read`]; the first that is missing, and otherwise the first that is wrong.
    pub fn members(
        &mut self,
        members: &[Member],
        fields: &Fields<'_>,
        target: &mut Target<'_>,
    ) -> Result<(), Miss> {
        let mut next = fields.first.map(|field| field.at.members());
        let mut worst = None;
        for member in members {
            let read = match &member.dynamic {
                Some(pieces) => self.dynamic(pieces, &member.template, fields, target),
                None => self
                    .read(
                        &member.template,
                        fields.next(&member.names, &mut next),
                        target,
                    )
                    .map_err(|miss| miss.within(member.names.first().map_or("", |name| name))),
            };
            let Err(miss) = read else { continue };
            match (&worst, &miss) {
                (None, _) | (Some(Miss::IllTyped(_)), Miss::Blank(_)) => worst = Some(miss),
                _ => {}
            }
        }
        worst.map_or(Ok(()), Err)
    }

    /// A member whose name holds placeholders is the first that the name's text fits.
    fn dynamic(
        &mut self,
        pieces: &[Piece],
        template: &Template,
        fields: &Fields<'_>,
        target: &mut Target<'_>,
    ) -> Result<(), Miss> {
        let Some(object) = fields.first else {
            return Ok(());
        };
        for (name, at) in object.at.members() {
            if self.pieces(pieces, name, target).is_ok() {
                let field = Field {
                    at,
                    textual: object.textual,
                };
                return self
                    .read(template, Some(field), target)
                    .map_err(|miss| miss.within(name));
            }
        }
        Ok(())
    }

    fn each(
        &mut self,
        list: &Source,
        item: &Template,
        field: Field<'_>,
        target: &mut Target<'_>,
    ) -> Result<(), Miss> {
        self.anew(target.record(list.root), &list.path);
        for (index, at) in field.at.elements().enumerate() {
            let element = Field {
                at,
                textual: field.textual,
            };
            if !self.element_matches(item, element) {
                // Another kind of thing in a reply's list is passed over; in a request it is a mistake.
                if self.strict {
                    return Err(Miss::IllTyped(format!("[{index}]")));
                }
                continue;
            }
            let Some(inner) = target.within(list.root, |record| record.push(&list.path)) else {
                return Ok(());
            };
            let Target { this: pushed, .. } = inner;
            let mut nothing = crate::model::Done::default();
            let mut inner = Target {
                this: &mut nothing,
                item: Some(pushed),
                ..inner
            };
            self.read(item, Some(element), &mut inner)
                .map_err(|miss| miss.within(&format!("[{index}]")))?;
        }
        Ok(())
    }

    /// A list that a reply tells replaces what the command had asked for.
    fn anew(&self, record: Option<&mut (dyn Slot + '_)>, list: &[u8]) {
        if let Some(record) = record
            && !self.strict
            && !record.get(list).is_absent()
        {
            let _ = record.set(list, Value::Absent);
        }
    }

    /// An element written through a shape must have the shape's constants.
    fn element_matches(&self, item: &Template, element: Field<'_>) -> bool {
        let shape = match item {
            Template::Placeholder(Placeholder {
                shape: Some(shape), ..
            }) => self.shapes.get(*shape),
            _ => None,
        };
        matches(item, Some(element), Fit::Constants)
            && shape.is_none_or(|shape| matches(&shape.template, Some(element), Fit::Constants))
    }

    fn placeholder(
        &mut self,
        placeholder: &Placeholder,
        field: Option<Field<'_>>,
        target: &mut Target<'_>,
    ) -> Result<(), Miss> {
        let field = field.filter(|field| !field.at.is_null());
        let Some(field) = field else {
            return self.absent(placeholder);
        };
        if let Absence::Written(constant) = &placeholder.absence
            && constant.equals(field.at, field.textual)
        {
            return Ok(());
        }
        let Some(record) = target.record(placeholder.source.root) else {
            return Ok(());
        };
        let path = &placeholder.source.path;
        match &placeholder.source.kind {
            Type::Record(_) => self.shaped(placeholder, field, target),
            Type::List(item) => {
                self.anew(Some(record), path);
                self.list(placeholder, item, field, record)
            }
            kind => {
                let codec = placeholder.codec;
                match codec.decode(field.at, kind, field.textual, &mut self.scratch) {
                    Some(Value::Text("")) => self.absent(placeholder),
                    Some(value) if record.set(path, value).is_ok() => Ok(()),
                    _ => self.ill_typed(),
                }
            }
        }
    }

    /// Reads a list of leaves, or the one thing that some codecs write in its place.
    fn list(
        &mut self,
        placeholder: &Placeholder,
        item: &Type,
        field: Field<'_>,
        record: &mut dyn Slot,
    ) -> Result<(), Miss> {
        let path = &placeholder.source.path;
        match (placeholder.codec, field.at.kind()) {
            (Codec::Medium, kind) => {
                let (place, kind) = match kind {
                    Kind::Text(_) => (MEDIUM_URL, Type::Text),
                    _ => (MEDIUM_DATA, Type::Json),
                };
                self.element(Codec::Plain, &kind, field, (record, path), &[place])
            }
            (codec, Kind::Array) => field.at.elements().try_for_each(|at| {
                let element = Field { at, ..field };
                self.element(codec, item, element, (record, path), &[])
            }),
            (Codec::OneOrMany, _) => self.element(Codec::Plain, item, field, (record, path), &[]),
            _ => self.ill_typed(),
        }
    }

    /// Reads one leaf into a new element of the list.
    fn element(
        &mut self,
        codec: Codec,
        kind: &Type,
        field: Field<'_>,
        (record, list): (&mut dyn Slot, &[u8]),
        within: &[u8],
    ) -> Result<(), Miss> {
        let value = codec.decode(field.at, kind, field.textual, &mut self.scratch);
        let set = value.and_then(|value| record.push(list)?.set(within, value).ok());
        set.map_or_else(|| self.ill_typed(), Ok)
    }

    fn shaped(
        &mut self,
        placeholder: &Placeholder,
        field: Field<'_>,
        target: &mut Target<'_>,
    ) -> Result<(), Miss> {
        let Some(shape) = placeholder.shape.and_then(|shape| self.shapes.get(shape)) else {
            return Ok(());
        };
        let (root, path) = (placeholder.source.root, &placeholder.source.path);
        let Some(mut inner) = target.within(root, |record| record.enter(path)) else {
            return Ok(());
        };
        self.read(&shape.template, Some(field), &mut inner)?;
        self.derive(&shape.derive, &mut inner);
        Ok(())
    }

    /// Fills fields that the wire does not carry from those that it does.
    pub fn derive(&mut self, derives: &[Derive], target: &mut Target<'_>) {
        for derive in derives {
            let Some(record) = target.record(derive.target.root) else {
                continue;
            };
            if !record.get(&derive.target.path).is_absent() {
                continue;
            }
            let (text, leaf, tape);
            let at = match record.get(&derive.from.path) {
                Value::Text(value) => {
                    text = value.to_owned();
                    leaf = Leaf::text(&text);
                    Some(leaf.at())
                }
                Value::Json(json) => {
                    text = json.to_owned();
                    tape = Tape::json_text(&text).unwrap_or_default();
                    tape.root()
                }
                _ => None,
            };
            let Some(at) = at else { continue };
            if let Some(value) =
                derive
                    .codec
                    .decode(at, &derive.target.kind, false, &mut self.scratch)
            {
                let _ = record.set(&derive.target.path, value);
            }
        }
    }

    fn absent(&self, placeholder: &Placeholder) -> Result<(), Miss> {
        match placeholder.absence {
            Absence::Required if self.strict => Err(Miss::Blank(String::new())),
            _ => Ok(()),
        }
    }

    fn ill_typed(&self) -> Result<(), Miss> {
        if self.strict {
            Err(Miss::IllTyped(String::new()))
        } else {
            Ok(())
        }
    }
}
