//! How the values of fields are written: what the mapping's templates come to, given the schema's types.
//!
//! A selection decides which fields an answer has, and so an answer is not written by a template as a whole. When a
//! mapping is loaded, its templates are taken apart into numbered spellings; a [`plan`](super::plan) knows each of its
//! fields' by number, and [`project`](super::project) looks up nothing else. What is written into a value without
//! fields is the templates' own business.

use super::schema::{Base, Schema, TypeRef};
use crate::dialect::template::{Placeholder, Source, Template};

/// How one value is written.
#[derive(Clone, Debug)]
pub enum Spelling {
    /// What the template has cannot be shown in the type: null.
    Nothing,
    /// The same for every record.
    Always(Box<[u8]>),
    /// A value without fields.
    Leaf(Template),
    /// A record, which its type's own fields show.
    Record(Placeholder),
    /// An object that the mapping spells out.
    Object(Fields),
    /// One value for each element of a list.
    List {
        of: Source,
        item: usize,
        nullable: bool,
    },
}

/// For each field of an object's type its spelling, if it has one.
pub type Fields = Box<[Option<usize>]>;

/// The spellings of a service, by their numbers.
#[derive(Clone, Debug, Default)]
pub struct Spellings(Vec<Spelling>);

impl Spellings {
    pub fn get(&self, at: usize) -> &Spelling {
        // A number is one that `add` gave.
        &self.0[at]
    }

    /// The fields of the objects that a value is or is a list of, where the mapping spells them out.
    pub fn fields(&self, at: usize) -> Option<&Fields> {
        match self.get(at) {
            Spelling::Object(fields) => Some(fields),
            Spelling::List { item, .. } => self.fields(*item),
            _ => None,
        }
    }

    /// Takes a template apart that writes a value of this type.
    pub fn add(&mut self, template: &Template, of: &TypeRef, schema: &Schema) -> usize {
        let spelling = self.spelling(template, of, schema);
        self.0.push(spelling);
        self.0.len() - 1
    }

    fn spelling(&mut self, template: &Template, of: &TypeRef, schema: &Schema) -> Spelling {
        let named = match (&of.base, template) {
            (Base::List(item), Template::Each { list, item: each }) => {
                return Spelling::List {
                    of: list.clone(),
                    nullable: item.nullable,
                    item: self.add(each, item, schema),
                };
            }
            (Base::List(_), Template::Array(none)) if none.is_empty() => {
                return Spelling::Always(Box::from(*b"[]"));
            }
            (Base::List(_), _) => return Spelling::Nothing,
            (Base::Named(named), _) => *named,
        };
        match template {
            _ if !schema.composite(named) => match template.always() {
                Some(constant) if *constant.json == *b"null" => Spelling::Nothing,
                Some(constant) => Spelling::Always(constant.json.clone()),
                None => Spelling::Leaf(template.clone()),
            },
            Template::Placeholder(placeholder) => Spelling::Record(placeholder.clone()),
            Template::Object(members) => {
                // An interface has no values of its own.
                let of = schema.types[named].possible.first().unwrap_or(&named);
                let fields = schema.types[*of].fields.iter().map(|field| {
                    let mut members = members.iter();
                    let member = members.find(|member| member.names.contains(&field.name))?;
                    Some(self.add(&member.template, &field.of, schema))
                });
                Spelling::Object(fields.collect())
            }
            _ => Spelling::Nothing,
        }
    }
}
