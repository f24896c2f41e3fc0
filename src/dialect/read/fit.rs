//! Is a template meant by what stands there? Constants decide, and for replies the structure.
//!
//! Nothing is read here and nothing is changed, so that any number of templates can be tried.

use crate::dialect::tape::{At, Kind, Leaf, Members};
use crate::dialect::template::{Absence, Member, Piece, Shape, Template, in_pieces};

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

impl<'t> Field<'t> {
    /// A whole textual place.
    pub fn leaf(leaf: &'t Leaf<'_>) -> Field<'t> {
        Field {
            at: leaf.at(),
            textual: true,
        }
    }

    fn member(self, names: &[Box<str>]) -> Option<Field<'t>> {
        let at = names.iter().find_map(|name| self.at.member(name))?;
        (!at.is_null()).then_some(Field { at, ..self })
    }
}

impl<'t> Fields<'t> {
    pub fn of(at: At<'t>, textual: bool) -> Fields<'t> {
        Fields {
            first: Some(Field { at, textual }),
            then: None,
        }
    }

    /// The member under any of its names; one that is `null` is not there.
    fn get(&self, names: &[Box<str>]) -> Option<Field<'t>> {
        let in_first = self.first.and_then(|field| field.member(names));
        in_first.or_else(|| self.then?.member(names))
    }

    /// The member's value, where that is a text.
    pub fn text(&self, names: &[Box<str>]) -> Option<&'t str> {
        match self.get(names)?.at.kind() {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// As `get`, remembering what stands behind the last member of a single object.
    pub(super) fn next(
        &self,
        names: &[Box<str>],
        next: &mut Option<Members<'t>>,
    ) -> Option<Field<'t>> {
        let (Some(Field { at, textual }), None, Some(next)) = (self.first, self.then, next) else {
            return self.get(names);
        };
        let at = at.next_member(names, next)?;
        (!at.is_null()).then_some(Field { at, textual })
    }

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

/// Is there anything of the template? A reply of placeholders only would otherwise be seen in every object, also in one
/// that tells of a failure in words that the mapping does not have.
pub fn anything_of(template: &Template, shapes: &[Shape], field: Field<'_>) -> bool {
    match template {
        Template::Placeholder(placeholder) => placeholder
            .shape
            .and_then(|shape| shapes.get(shape))
            .is_none_or(|shape| anything_of(&shape.template, shapes, field)),
        Template::Object(members) if !members.is_empty() => {
            let fields = Fields::of(field.at, field.textual);
            members.iter().any(|member| match &member.dynamic {
                Some(name) => fields.named_like(name, |_| true),
                None => fields.get(&member.names).is_some(),
            })
        }
        _ => true,
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

/// Words like `Bearer` before a credential are spelt in either case by real clients.
pub(super) fn split_prefix<'t>(text: &'t str, literal: &str) -> Option<&'t str> {
    let head = text.get(..literal.len())?;
    head.eq_ignore_ascii_case(literal)
        .then(|| &text[literal.len()..])
}
