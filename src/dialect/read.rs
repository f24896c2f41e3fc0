//! Reading: a template and a tape fill a target.
//!
//! First [`matches`] asks whether the constants are there: that alone decides which exchange a message is. Then the
//! placeholders are read. In a request, what is missing or of the wrong type is the client's mistake and is named as
//! the wire names it; in a reply every placeholder is optional, because servers leave out what they please.

use super::codec::Codec;
use super::tape::{At, Kind, Tape};
use super::template::{
    Absence, Derive, Member, Piece, Placeholder, Shape, Target, Template, in_pieces,
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

/// Where members are looked up: one object, or a body and then a query string.
#[derive(Clone, Copy, Default)]
pub struct Fields<'t> {
    pub first: Option<Field<'t>>,
    pub then: Option<Field<'t>>,
}

/// A value, and whether its place spells everything as text.
#[derive(Clone, Copy)]
pub struct Field<'t> {
    pub at: At<'t>,
    pub textual: bool,
}

impl<'t> Fields<'t> {
    pub fn of(at: At<'t>, textual: bool) -> Fields<'t> {
        Fields {
            first: Some(Field { at, textual }),
            then: None,
        }
    }

    /// The member under any of its names.
    fn get(&self, names: &[Box<str>]) -> Option<Field<'t>> {
        [self.first, self.then]
            .into_iter()
            .flatten()
            .find_map(|field| {
                let at = names.iter().find_map(|name| field.at.member(name))?;
                (at.kind() != Kind::Null).then_some(Field {
                    at,
                    textual: field.textual,
                })
            })
    }
}

impl<'t> Fields<'t> {
    /// Is there a member whose name fits these pieces, and whose value is good?
    fn named_like(&self, name: &[Piece], good: impl Fn(Field<'t>) -> bool) -> bool {
        let mut places = [self.first, self.then].into_iter().flatten();
        places.any(|Field { at, textual }| {
            at.members()
                .any(|(found, at)| fits(name, found) && good(Field { at, textual }))
        })
    }
}

/// What must be there for a template to be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The constants. A request with the right constants and a wrong structure is a request with a mistake.
    Constants,
    /// The constants, and objects and arrays where the template has them: servers have several shapes of one reply.
    Structure,
}

/// Is the template meant by what stands there?
pub fn matches(template: &Template, field: Option<Field<'_>>, fit: Fit) -> bool {
    match (template, field) {
        (Template::Constant(constant), Some(field)) => constant.equals(field.at, field.textual),
        (Template::Object(members), Some(field)) => {
            field.at.kind() == Kind::Object
                && members_match(members, &Fields::of(field.at, field.textual), fit)
        }
        (Template::Array(elements), Some(field)) => {
            let mut found = field.at.elements().map(|at| Field {
                at,
                textual: field.textual,
            });
            field.at.kind() == Kind::Array
                && elements
                    .iter()
                    .all(|element| matches(element, found.next(), fit))
        }
        (Template::Each { .. }, Some(field)) => field.at.kind() == Kind::Array,
        (Template::Placeholder(_), Some(_)) => true,
        (Template::Text(pieces), Some(field)) => match field.at.kind() {
            Kind::Text(text) => fits(pieces, text),
            _ => false,
        },
        (Template::Text(pieces), None) => {
            in_pieces(pieces).any(|placeholder| !matches!(placeholder.absence, Absence::Required))
        }
        (template, None) => !template.selects(),
    }
}

/// Could the text have been written by these pieces? Each placeholder takes what stands before the next literal.
fn fits(pieces: &[Piece], text: &str) -> bool {
    let mut rest = text;
    let mut open = false;
    for piece in pieces {
        match piece {
            Piece::Placeholder(_) => open = true,
            Piece::Literal(literal) => {
                let behind = if open {
                    rest.find(&**literal).map(|at| &rest[at + literal.len()..])
                } else {
                    split_prefix(rest, literal)
                };
                let Some(behind) = behind else { return false };
                rest = behind;
                open = false;
            }
        }
    }
    open || rest.is_empty()
}

/// As [`matches`], for members wherever they are looked up.
pub fn members_match(members: &[Member], fields: &Fields<'_>, fit: Fit) -> bool {
    members.iter().all(|member| {
        let structure = fit == Fit::Structure
            && matches!(
                member.template,
                Template::Object(_) | Template::Array(_) | Template::Each { .. }
            );
        if !member.selects && !structure && !member.demanded {
            return true;
        }
        if let Some(name) = &member.dynamic {
            return fields.named_like(name, |field| matches(&member.template, Some(field), fit));
        }
        match fields.get(&member.names) {
            None if member.demanded => false,
            None if !member.selects => true,
            field => matches(&member.template, field, fit),
        }
    })
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
        let mut worst = None;
        for member in members {
            let read = match &member.dynamic {
                Some(pieces) => self.dynamic(pieces, &member.template, fields, target),
                None => self
                    .read(&member.template, fields.get(&member.names), target)
                    .map_err(|miss| miss.within(member.names.first().map_or("", |name| name))),
            };
            match (&worst, read) {
                (None, Err(miss)) | (Some(Miss::IllTyped(_)), Err(miss @ Miss::Blank(_))) => {
                    worst = Some(miss);
                }
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
        list: &super::template::Source,
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
            let Target {
                this,
                item: outer,
                arrival,
                app,
                credential,
                fault,
            } = target;
            let record: &mut dyn Slot = match (list.root, outer) {
                (super::template::Root::Item, Some(outer)) => &mut **outer,
                _ => &mut **this,
            };
            let Some(pushed) = record.push(&list.path) else {
                return Ok(());
            };
            let mut nothing = crate::model::Done::default();
            let mut inner = Target {
                this: &mut nothing,
                item: Some(pushed),
                arrival,
                app,
                credential,
                fault,
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
        let field = field.filter(|field| field.at.kind() != Kind::Null);
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
        if matches!(placeholder.source.kind, Type::List(_)) {
            self.anew(Some(record), path);
        }
        match placeholder.source.kind {
            Type::Record(_) => self.shaped(placeholder, field, target),
            Type::List(_) if placeholder.codec == Codec::Medium => {
                let Some(medium) = record.push(path) else {
                    return Ok(());
                };
                let url = matches!(field.at.kind(), Kind::Text(_));
                let kind = if url { Type::Text } else { Type::Json };
                let value = Codec::Plain.decode(field.at, &kind, field.textual, &mut self.scratch);
                let place = if url { MEDIUM_URL } else { MEDIUM_DATA };
                match value.map(|value| medium.set(&[place], value)) {
                    Some(Ok(())) => Ok(()),
                    _ => self.ill_typed(),
                }
            }
            Type::List(item)
                if placeholder.codec == Codec::OneOrMany && field.at.kind() != Kind::Array =>
            {
                let value = Codec::Plain.decode(field.at, item, field.textual, &mut self.scratch);
                match value.and_then(|value| record.push(path).map(|place| place.set(&[], value))) {
                    Some(Ok(())) => Ok(()),
                    _ => self.ill_typed(),
                }
            }
            Type::List(item) => {
                if field.at.kind() != Kind::Array {
                    return self.ill_typed();
                }
                for at in field.at.elements() {
                    let value =
                        placeholder
                            .codec
                            .decode(at, item, field.textual, &mut self.scratch);
                    let set = value
                        .and_then(|value| record.push(path).map(|place| place.set(&[], value)));
                    if set != Some(Ok(())) && self.strict {
                        return self.ill_typed();
                    }
                }
                Ok(())
            }
            kind => {
                let value =
                    placeholder
                        .codec
                        .decode(field.at, &kind, field.textual, &mut self.scratch);
                match value {
                    Some(Value::Text("")) => self.absent(placeholder),
                    Some(value) if record.set(path, value).is_ok() => Ok(()),
                    _ => self.ill_typed(),
                }
            }
        }
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
        let Target {
            this,
            item,
            arrival,
            app,
            credential,
            fault,
        } = target;
        let outer: &mut dyn Slot = match (placeholder.source.root, item) {
            (super::template::Root::Item, Some(item)) => &mut **item,
            _ => &mut **this,
        };
        let Some(record) = outer.enter(&placeholder.source.path) else {
            return Ok(());
        };
        let mut inner = Target {
            this: record,
            item: None,
            arrival,
            app,
            credential,
            fault,
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
            let (text, tape);
            let at = match record.get(&derive.from.path) {
                Value::Text(value) => {
                    text = value.to_owned();
                    tape = Tape::of_text(&text);
                    tape.root()
                }
                Value::Json(json) => {
                    text = json.to_owned();
                    tape = Tape::json(text.as_bytes()).unwrap_or_default();
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

    /// Reads text around placeholders: each takes what stands before the next literal.
    ///
    /// # Errors
    /// The text does not fit.
    pub fn pieces(
        &mut self,
        pieces: &[Piece],
        text: &str,
        target: &mut Target<'_>,
    ) -> Result<(), Miss> {
        let mut rest = text;
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Literal(literal) => match split_prefix(rest, literal) {
                    Some(behind) => rest = behind,
                    None => return self.ill_typed(),
                },
                Piece::Placeholder(placeholder) => {
                    let end = match pieces.get(index + 1) {
                        Some(Piece::Literal(literal)) => match rest.find(&**literal) {
                            Some(end) => end,
                            None => return self.ill_typed(),
                        },
                        _ => rest.len(),
                    };
                    self.textual(placeholder, &rest[..end], target)?;
                    rest = &rest[end..];
                }
            }
        }
        if rest.is_empty() {
            Ok(())
        } else {
            self.ill_typed()
        }
    }

    /// Reads a placeholder that stands in a text.
    fn textual(
        &mut self,
        placeholder: &Placeholder,
        text: &str,
        target: &mut Target<'_>,
    ) -> Result<(), Miss> {
        if text.is_empty() {
            return self.absent(placeholder);
        }
        let Some(record) = target.record(placeholder.source.root) else {
            return Ok(());
        };
        match placeholder
            .codec
            .decode_text(text, &placeholder.source.kind, true)
        {
            Some(value) if record.set(&placeholder.source.path, value).is_ok() => Ok(()),
            _ => self.ill_typed(),
        }
    }

    /// Reads a whole textual place: a header's value or a path's segment.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn place(
        &mut self,
        template: &Template,
        text: Option<&str>,
        target: &mut Target<'_>,
    ) -> Result<(), Miss> {
        let Some(text) = text else {
            return self.read(template, None, target);
        };
        let tape = Tape::of_text(text);
        self.read(
            template,
            tape.root().map(|at| Field { at, textual: true }),
            target,
        )
    }

    fn absent(&self, placeholder: &Placeholder) -> Result<(), Miss> {
        match placeholder.absence {
            Absence::Required if self.strict => Err(Miss::Blank(String::new())),
            _ => Ok(()),
        }
    }

    fn absent_pieces(&self, pieces: &[Piece]) -> Result<(), Miss> {
        in_pieces(pieces).try_for_each(|placeholder| self.absent(placeholder))
    }

    fn ill_typed(&self) -> Result<(), Miss> {
        if self.strict {
            Err(Miss::IllTyped(String::new()))
        } else {
            Ok(())
        }
    }
}

/// Words like `Bearer` before a credential are spelt in either case by real clients.
fn split_prefix<'t>(text: &'t str, literal: &str) -> Option<&'t str> {
    let head = text.get(..literal.len())?;
    head.eq_ignore_ascii_case(literal)
        .then(|| &text[literal.len()..])
}
