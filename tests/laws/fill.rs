//! Records filled with what a template can carry: a value for every placeholder that is required, for most of the
//! others, and for none that is not there.
//!
//! Two things follow from the language itself and are done here as a reader does them: a field that a shape derives is
//! derived, and a placeholder with stand-ins (`{a/b}`) always has its first field, because whatever is written in its
//! place is read as that field.

use sabir::dialect::Dialect;
use sabir::dialect::codec::Codec;
use sabir::dialect::exchange::{Parts, Segment};
use sabir::dialect::read::Reader;
use sabir::dialect::template::*;
use sabir::model::Done;
use sabir::model::record::{Type, Value};

use super::values::{Chance, Place, carries};

/// Fields of a medium, as `Media` numbers them.
const MEDIUM: [(u8, Type); 2] = [(0, Type::Text), (3, Type::Json)];

pub struct Filler<'d> {
    pub dialect: &'d Dialect,
    pub chance: Chance,
    /// Fields that must be present for the entry to be the one that is written.
    pub when: &'d [Source],
}

impl<'d> Filler<'d> {
    pub fn path(&mut self, path: &'d [Segment], target: &mut Target<'_>) {
        for segment in path {
            if let Segment::Template(template) = segment {
                self.template(template, Place::Segment, target);
            }
        }
    }

    pub fn parts(&mut self, parts: &'d Parts, target: &mut Target<'_>) {
        for header in &parts.header {
            self.template(&header.template, Place::Header, target);
        }
        let members = [&parts.form_json, &parts.params_json, &parts.query_json];
        let bodies = [&parts.query, &parts.form, &parts.json, &parts.params];
        let bodies = bodies.into_iter().flatten();
        for template in bodies.chain(members.into_iter().flatten().map(|(_, template)| template)) {
            self.template(template, Place::Whole, target);
        }
    }

    pub fn derive(&self, derives: &[Derive], target: &mut Target<'_>) {
        Reader::new(&self.dialect.shapes, false).derive(derives, target);
    }

    pub fn template(&mut self, template: &'d Template, place: Place, target: &mut Target<'_>) {
        match template {
            Template::Constant(_) => {}
            Template::Placeholder(placeholder) => self.placeholder(placeholder, place, target),
            Template::Text(pieces) => self.pieces(pieces, target),
            Template::Object(members) => {
                for member in members {
                    self.pieces(member.dynamic.as_deref().unwrap_or_default(), target);
                    self.template(&member.template, place, target);
                }
            }
            Template::Array(elements) => elements
                .iter()
                .for_each(|element| self.template(element, place, target)),
            Template::Each { list, item } => self.each(list, item, target),
        }
    }

    fn pieces(&mut self, pieces: &'d [Piece], target: &mut Target<'_>) {
        for (index, piece) in pieces.iter().enumerate() {
            if let Piece::Placeholder(placeholder) = piece {
                let last = index + 1 == pieces.len();
                let place = if last { Place::Header } else { Place::Within };
                self.placeholder(placeholder, place, target);
            }
        }
    }

    fn each(&mut self, list: &Source, item: &'d Template, target: &mut Target<'_>) {
        let filled = target
            .record(list.root)
            .is_none_or(|record| !record.get(&list.path).is_absent());
        if filled {
            return;
        }
        for _ in 0..self.chance.count(0, 3) {
            let Some(inner) = target.within(list.root, |record| record.push(&list.path)) else {
                return;
            };
            let Target { this: pushed, .. } = inner;
            let mut nothing = Done::default();
            let mut inner = Target {
                this: &mut nothing,
                item: Some(pushed),
                ..inner
            };
            self.template(item, Place::Whole, &mut inner);
        }
    }

    fn placeholder(&mut self, at: &'d Placeholder, place: Place, target: &mut Target<'_>) {
        let source = &at.source;
        let wanted = matches!(at.absence, Absence::Required)
            || !at.otherwise.is_empty()
            || self.is_demanded(source)
            || self.chance.maybe();
        let Some(record) = target.record(source.root).filter(|_| wanted) else {
            return;
        };
        match source.kind {
            Type::Record(_) => self.shaped(at, target),
            Type::List(_) if at.codec == Codec::Medium => {
                if record.get(&source.path).is_absent()
                    && let Some(medium) = record.push(&source.path)
                {
                    let (field, kind) = MEDIUM[self.chance.count(0, 1)];
                    let plain = Placeholder {
                        codec: Codec::Plain,
                        ..at.clone()
                    };
                    let value = loop {
                        // A medium that is a value is no string: that would be an address.
                        let drawn = self.chance.value(&plain, &kind, place).unwrap();
                        if !matches!(drawn.value(), Value::Json(json) if json.starts_with('"')) {
                            break drawn;
                        }
                    };
                    medium.set(&[field], value.value()).unwrap();
                }
            }
            Type::List(item) => {
                if record.get(&source.path).is_absent() {
                    for _ in 0..self.chance.count(1, 3) {
                        let value = self.chance.value(at, item, place).unwrap();
                        let pushed = record.push(&source.path).unwrap();
                        pushed.set(&[], value.value()).unwrap();
                    }
                }
            }
            kind => {
                let present = record.get(&source.path);
                if !present.is_absent() && carries(at, &kind, place, present) {
                    return;
                }
                if let Some(value) = self.chance.value(at, &kind, place) {
                    record.set(&source.path, value.value()).unwrap();
                }
            }
        }
    }

    fn shaped(&mut self, placeholder: &'d Placeholder, target: &mut Target<'_>) {
        let shape = &self.dialect.shapes[placeholder.shape.unwrap()];
        let source = &placeholder.source;
        let Some(mut inner) = target.within(source.root, |record| record.enter(&source.path))
        else {
            return;
        };
        self.template(&shape.template, Place::Whole, &mut inner);
        self.derive(&shape.derive, &mut inner);
    }

    fn is_demanded(&self, source: &Source) -> bool {
        self.when
            .iter()
            .any(|when| when.root == source.root && when.path == source.path)
    }
}
