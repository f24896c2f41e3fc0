//! A GraphQL schema, resolved: types and fields are numbers, and a field is found by its name's snake_case form.
//!
//! Made once from the schema's text and a door's changes to it. Types that are named but nowhere defined are scalars.

use std::collections::HashMap;

use async_graphql_parser::types::{
    BaseType, InputValueDefinition, ServiceDocument, Type, TypeDefinition, TypeKind,
    TypeSystemDefinition,
};
use async_graphql_parser::{Error, Positioned, parse_schema};
use async_graphql_value::ConstValue;
use bluejay_parser::ast::executable::VariableType;

use super::introspect;
use super::values::Literal;

#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub types: Vec<TypeDef>,
    by_name: HashMap<Box<str>, usize>,
    pub query: usize,
    pub mutation: Option<usize>,
    pub subscription: Option<usize>,
    /// `__schema`, `__type` and `__typename`, which no type lists.
    pub meta: Vec<FieldDef>,
    /// What a directive takes.
    pub condition: Vec<InputDef>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    #[default]
    Scalar,
    Enum,
    Object,
    Interface,
    Union,
    Input,
}

#[derive(Clone, Debug, Default)]
pub struct TypeDef {
    pub name: Box<str>,
    pub about: Option<Box<str>>,
    pub shape: Shape,
    pub fields: Vec<FieldDef>,
    /// Of an input object.
    pub inputs: Vec<InputDef>,
    pub values: Vec<(Box<str>, Option<Box<str>>)>,
    pub interfaces: Vec<usize>,
    /// The object types that a value may be of; an object is its own.
    pub possible: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct FieldDef {
    pub name: Box<str>,
    key: Box<str>,
    pub about: Option<Box<str>>,
    pub arguments: Vec<InputDef>,
    pub of: TypeRef,
}

#[derive(Clone, Debug)]
pub struct InputDef {
    pub name: Box<str>,
    pub key: Box<str>,
    pub about: Option<Box<str>>,
    pub of: TypeRef,
    pub default: Option<Literal>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeRef {
    pub nullable: bool,
    pub base: Base,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    Named(usize),
    List(Box<TypeRef>),
}

impl TypeRef {
    /// The type within all lists.
    pub fn named(&self) -> usize {
        match &self.base {
            Base::Named(named) => *named,
            Base::List(item) => item.named(),
        }
    }
}

/// A field of a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldRef {
    Own(usize),
    Typename,
    Schema,
    Type,
}

const META: [(&str, FieldRef); 3] = [
    ("__schema", FieldRef::Schema),
    ("__type", FieldRef::Type),
    ("__typename", FieldRef::Typename),
];

/// As Elixir folds a name: `avatarURL` is `avatar_url`.
pub fn underscore(name: &str) -> String {
    let mut folded = String::with_capacity(name.len() + 4);
    let bytes = name.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        if byte.is_ascii_uppercase() && at > 0 {
            let before = bytes[at - 1];
            let ends_run = before.is_ascii_uppercase()
                && bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            if before.is_ascii_lowercase() || before.is_ascii_digit() || ends_run {
                folded.push('_');
            }
        }
        folded.push(char::from(byte.to_ascii_lowercase()));
    }
    folded
}

impl Schema {
    /// Reads a schema's text, then a door's additions (types, and fields of `extend type`), without what it lacks.
    ///
    /// # Errors
    /// A text is not a schema.
    pub fn of(text: &str, additions: &str, without: &[&str]) -> Result<Schema, Error> {
        let mut schema = Schema::default();
        for scalar in ["String", "Int", "Float", "Boolean", "ID"] {
            schema.named(scalar);
        }
        schema.add(parse_schema(introspect::TYPES)?);
        schema.add(parse_schema(text)?);
        if !additions.trim().is_empty() {
            schema.add(parse_schema(additions)?);
        }
        for place in without {
            schema.remove(place);
        }
        schema.meta = schema.find("__Meta").map_or_else(Vec::new, |meta| {
            std::mem::take(&mut schema.types[meta].fields)
        });
        schema.condition = vec![InputDef {
            name: "if".into(),
            key: "if".into(),
            about: None,
            of: TypeRef {
                nullable: false,
                base: Base::Named(schema.named("Boolean")),
            },
            default: None,
        }];
        schema.complete();
        Ok(schema)
    }

    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The number of the type of this name, which may be defined later.
    fn named(&mut self, name: &str) -> usize {
        if let Some(known) = self.find(name) {
            return known;
        }
        self.types.push(TypeDef {
            name: name.into(),
            ..TypeDef::default()
        });
        self.by_name.insert(name.into(), self.types.len() - 1);
        self.types.len() - 1
    }

    fn add(&mut self, document: ServiceDocument) {
        for definition in document.definitions {
            match definition {
                TypeSystemDefinition::Schema(roots) => {
                    let roots = roots.node;
                    if let Some(query) = roots.query {
                        self.query = self.named(&query.node);
                    }
                    self.mutation = roots.mutation.map(|name| self.named(&name.node));
                    self.subscription = roots.subscription.map(|name| self.named(&name.node));
                }
                TypeSystemDefinition::Type(definition) => self.define(definition.node),
                TypeSystemDefinition::Directive(_) => {}
            }
        }
    }

    fn define(&mut self, definition: TypeDefinition) {
        let at = self.named(&definition.name.node);
        if !definition.extend {
            self.types[at].about = definition.description.map(|about| about.node.into());
        }
        let (shape, fields, implements) = match definition.kind {
            TypeKind::Scalar => (Shape::Scalar, Vec::new(), Vec::new()),
            TypeKind::Object(object) => (Shape::Object, object.fields, object.implements),
            TypeKind::Interface(interface) => {
                (Shape::Interface, interface.fields, interface.implements)
            }
            TypeKind::Union(union) => {
                for member in union.members {
                    let member = self.named(&member.node);
                    self.types[at].possible.push(member);
                }
                (Shape::Union, Vec::new(), Vec::new())
            }
            TypeKind::Enum(values) => {
                for value in values.values {
                    let about = value.node.description.map(|about| about.node.into());
                    let name = value.node.value.node.as_str().into();
                    self.types[at].values.push((name, about));
                }
                (Shape::Enum, Vec::new(), Vec::new())
            }
            TypeKind::InputObject(input) => {
                let inputs: Vec<_> = input
                    .fields
                    .into_iter()
                    .map(|input| self.input(input))
                    .collect();
                self.types[at].inputs.extend(inputs);
                (Shape::Input, Vec::new(), Vec::new())
            }
        };
        self.types[at].shape = shape;
        for interface in implements {
            let interface = self.named(&interface.node);
            self.types[at].interfaces.push(interface);
        }
        for field in fields {
            let field = field.node;
            let arguments = field
                .arguments
                .into_iter()
                .map(|argument| self.input(argument))
                .collect();
            let of = self.type_ref(&field.ty.node);
            let name = field.name.node.as_str();
            let defined = FieldDef {
                name: name.into(),
                key: underscore(name).into(),
                about: field.description.map(|about| about.node.into()),
                arguments,
                of,
            };
            // A door's own field takes the place of the schema's.
            let fields = &mut self.types[at].fields;
            match fields.iter_mut().find(|known| known.key == defined.key) {
                Some(known) => *known = defined,
                None => fields.push(defined),
            }
        }
    }

    fn input(&mut self, input: Positioned<InputValueDefinition>) -> InputDef {
        let input = input.node;
        let name = input.name.node.as_str();
        InputDef {
            name: name.into(),
            key: underscore(name).into(),
            about: input.description.map(|about| about.node.into()),
            of: self.type_ref(&input.ty.node),
            default: input.default_value.map(|value| constant(value.node)),
        }
    }

    fn type_ref(&mut self, found: &Type) -> TypeRef {
        let base = match &found.base {
            BaseType::Named(name) => Base::Named(self.named(name)),
            BaseType::List(item) => Base::List(Box::new(self.type_ref(item))),
        };
        TypeRef {
            nullable: found.nullable,
            base,
        }
    }

    /// A type as a query names it.
    pub fn resolve(&self, found: &VariableType<'_>) -> Option<TypeRef> {
        let (base, required) = match found {
            VariableType::Named {
                name, is_required, ..
            } => (Base::Named(self.find(name.as_str())?), is_required),
            VariableType::List {
                inner, is_required, ..
            } => (Base::List(Box::new(self.resolve(inner)?)), is_required),
        };
        Some(TypeRef {
            nullable: !required,
            base,
        })
    }

    /// Takes a field away that a door does not have.
    fn remove(&mut self, place: &str) {
        if let Some((of, field)) = place.split_once('.')
            && let Some(of) = self.find(of)
        {
            self.types[of].fields.retain(|known| *known.name != *field);
        }
    }

    /// Which objects each type may be: those of an interface by their names, as Absinthe has them.
    fn complete(&mut self) {
        let objects = self.types.iter().enumerate();
        let objects = objects.filter(|(_, of)| of.shape == Shape::Object);
        let mut objects: Vec<usize> = objects.map(|(at, _)| at).collect();
        objects.sort_by_key(|at| underscore(&self.types[*at].name));
        for at in objects {
            self.types[at].possible = vec![at];
            for interface in self.types[at].interfaces.clone() {
                self.types[interface].possible.push(at);
            }
        }
    }

    pub fn type_name(&self, of: &TypeRef) -> String {
        let mut name = match &of.base {
            Base::Named(named) => self.types[*named].name.to_string(),
            Base::List(item) => format!("[{}]", self.type_name(item)),
        };
        if !of.nullable {
            name.push('!');
        }
        name
    }

    /// The field that a query means by a name.
    pub fn field(&self, of: usize, name: &str) -> Option<FieldRef> {
        if name.starts_with("__") && self.composite(of) {
            let (_, meta) = META.iter().find(|(known, _)| *known == name)?;
            let possible = *meta == FieldRef::Typename || of == self.query;
            return possible.then_some(*meta);
        }
        let fields = &self.types[of].fields;
        let exact = fields.iter().position(|field| *field.name == *name);
        let at = exact.or_else(|| {
            let key = underscore(name);
            fields.iter().position(|field| *field.key == *key)
        })?;
        Some(FieldRef::Own(at))
    }

    pub fn definition(&self, of: usize, field: FieldRef) -> Option<&FieldDef> {
        let name = match field {
            FieldRef::Own(at) => return self.types[of].fields.get(at),
            meta => META.iter().find(|(_, known)| *known == meta)?.0,
        };
        self.meta.iter().find(|known| *known.name == *name)
    }

    /// Has the type fields to be selected?
    pub fn composite(&self, of: usize) -> bool {
        matches!(
            self.types[of].shape,
            Shape::Object | Shape::Interface | Shape::Union
        )
    }

    /// Can a value be of both types?
    pub fn overlap(&self, left: usize, right: usize) -> bool {
        self.types[left]
            .possible
            .iter()
            .any(|at| self.types[right].possible.contains(at))
    }
}

/// An argument's default.
fn constant(value: ConstValue) -> Literal {
    match value {
        ConstValue::Null | ConstValue::Binary(_) => Literal::Null,
        ConstValue::Boolean(flag) => Literal::Bool(flag),
        ConstValue::Number(number) => match number.as_i64() {
            Some(int) => Literal::Int(int),
            None => Literal::Float(number.as_f64().unwrap_or(f64::MAX)),
        },
        ConstValue::String(text) => Literal::Text(text),
        ConstValue::Enum(name) => Literal::Name(name.to_string()),
        ConstValue::List(elements) => Literal::List(elements.into_iter().map(constant).collect()),
        ConstValue::Object(members) => {
            let members = members.into_iter();
            let members = members.map(|(name, value)| (name.to_string(), constant(value)));
            Literal::Object(members.collect())
        }
    }
}

impl FieldDef {
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The argument that a query means by a name.
    pub fn argument(&self, name: &str) -> Option<usize> {
        input(&self.arguments, name)
    }
}

/// Which of some arguments or fields a name means.
pub fn input(inputs: &[InputDef], name: &str) -> Option<usize> {
    let exact = inputs.iter().position(|input| *input.name == *name);
    exact.or_else(|| {
        let key = underscore(name);
        inputs.iter().position(|input| *input.key == *key)
    })
}
