//! Introspection: what a schema says of itself, in the types that GraphQL has for that.
//!
//! It is projected like any answer, from the schema that the door was given when the mapping was loaded.

use super::schema::{Base, FieldDef, InputDef, Schema, Shape, TypeRef};

/// The types of introspection; `__Meta` holds the fields that every root or type has unlisted.
pub const TYPES: &str = r#"
type __Meta { __schema: __Schema! __type(name: String!): __Type __typename: String! }
"Represents a schema"
type __Schema {
  description: String
  types: [__Type!]!
  queryType: __Type!
  mutationType: __Type
  subscriptionType: __Type
  directives: [__Directive!]!
}
"Represents scalars, interfaces, object types, unions, enums in the system"
type __Type {
  kind: __TypeKind!
  name: String
  description: String
  specifiedByUrl: String
  fields(includeDeprecated: Boolean = false): [__Field!]
  interfaces: [__Type!]
  possibleTypes: [__Type!]
  enumValues(includeDeprecated: Boolean = false): [__EnumValue!]
  inputFields: [__InputValue!]
  ofType: __Type
}
type __Field {
  name: String!
  description: String
  args: [__InputValue!]!
  type: __Type!
  isDeprecated: Boolean!
  deprecationReason: String
}
type __InputValue { name: String! description: String type: __Type! defaultValue: String }
type __EnumValue { name: String! description: String isDeprecated: Boolean! deprecationReason: String }
"Represents a directive"
type __Directive {
  name: String!
  description: String
  locations: [__DirectiveLocation!]!
  args: [__InputValue!]!
  isRepeatable: Boolean!
  onField: Boolean!
  onFragment: Boolean!
  onOperation: Boolean!
}
enum __TypeKind { SCALAR OBJECT INTERFACE UNION ENUM INPUT_OBJECT LIST NON_NULL }
enum __DirectiveLocation { QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT }
"#;

const DIRECTIVES: [(&str, &str); 2] = [
    (
        "include",
        "Directs the executor to include this field or fragment only when the `if` argument is true.",
    ),
    (
        "skip",
        "Directs the executor to skip this field or fragment when the `if` argument is true.",
    ),
];

/// A thing of a schema.
pub enum Item<'s> {
    Schema,
    Type(TypeRef),
    Field(&'s FieldDef),
    Input(&'s InputDef),
    Value(&'s str, Option<&'s str>),
    Directive(usize),
    /// The `if` of a directive.
    Condition,
}

/// What a member of a thing is.
pub enum Shown<'s> {
    Null,
    Bool(bool),
    Text(String),
    Texts(Vec<&'static str>),
    One(Item<'s>),
    Many(Vec<Item<'s>>),
}

fn named(of: usize) -> TypeRef {
    TypeRef {
        nullable: true,
        base: Base::Named(of),
    }
}

fn text(text: &str) -> Shown<'static> {
    Shown::Text(text.to_owned())
}

fn about<'s>(about: Option<&str>) -> Shown<'s> {
    about.map_or(Shown::Null, text)
}

impl<'s> Item<'s> {
    pub fn member(&self, schema: &'s Schema, name: &str) -> Shown<'s> {
        match self {
            Item::Schema => whole(schema, name),
            Item::Type(of) => type_member(of, schema, name),
            Item::Field(field) => match name {
                "name" => text(&field.name),
                "description" => about(field.about.as_deref()),
                "args" => Shown::Many(field.arguments.iter().map(Item::Input).collect()),
                "type" => Shown::One(Item::Type(field.of.clone())),
                "isDeprecated" => Shown::Bool(false),
                _ => Shown::Null,
            },
            Item::Input(input) => match name {
                "name" => text(&input.name),
                "description" => about(input.about.as_deref()),
                "type" => Shown::One(Item::Type(input.of.clone())),
                "defaultValue" => input
                    .default
                    .as_ref()
                    .map_or(Shown::Null, |value| Shown::Text(value.to_string())),
                _ => Shown::Null,
            },
            Item::Value(value, words) => match name {
                "name" => text(value),
                "description" => about(*words),
                "isDeprecated" => Shown::Bool(false),
                _ => Shown::Null,
            },
            Item::Directive(at) => match name {
                "name" => text(DIRECTIVES[*at].0),
                "description" => text(DIRECTIVES[*at].1),
                "locations" => Shown::Texts(vec!["FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"]),
                "args" => Shown::Many(vec![Item::Condition]),
                "onField" | "onFragment" => Shown::Bool(true),
                _ => Shown::Bool(false),
            },
            Item::Condition => match name {
                "name" => text("if"),
                "type" => schema.find("Boolean").map_or(Shown::Null, |boolean| {
                    Shown::One(Item::Type(TypeRef {
                        nullable: false,
                        base: Base::Named(boolean),
                    }))
                }),
                _ => Shown::Null,
            },
        }
    }
}

fn whole<'s>(schema: &'s Schema, name: &str) -> Shown<'s> {
    let root = |of: Option<usize>| of.map_or(Shown::Null, |of| Shown::One(Item::Type(named(of))));
    match name {
        "types" => Shown::Many(
            (0..schema.types.len())
                .filter(|of| *schema.types[*of].name != *"__Meta")
                .map(|of| Item::Type(named(of)))
                .collect(),
        ),
        "queryType" => root(Some(schema.query)),
        "mutationType" => root(schema.mutation),
        "subscriptionType" => root(schema.subscription),
        "directives" => Shown::Many((0..DIRECTIVES.len()).map(Item::Directive).collect()),
        _ => Shown::Null,
    }
}

fn type_member<'s>(of: &TypeRef, schema: &'s Schema, name: &str) -> Shown<'s> {
    if !of.nullable {
        let inner = TypeRef {
            nullable: true,
            ..of.clone()
        };
        return match name {
            "kind" => text("NON_NULL"),
            "ofType" => Shown::One(Item::Type(inner)),
            _ => Shown::Null,
        };
    }
    let at = match &of.base {
        Base::List(item) => {
            return match name {
                "kind" => text("LIST"),
                "ofType" => Shown::One(Item::Type((**item).clone())),
                _ => Shown::Null,
            };
        }
        Base::Named(at) => *at,
    };
    let found = &schema.types[at];
    let types = |of: &[usize]| Shown::Many(of.iter().map(|of| Item::Type(named(*of))).collect());
    match (name, found.shape) {
        ("kind", shape) => text(match shape {
            Shape::Scalar => "SCALAR",
            Shape::Enum => "ENUM",
            Shape::Object => "OBJECT",
            Shape::Interface => "INTERFACE",
            Shape::Union => "UNION",
            Shape::Input => "INPUT_OBJECT",
        }),
        ("name", _) => text(&found.name),
        ("description", _) => about(found.about.as_deref()),
        ("fields", Shape::Object | Shape::Interface) => {
            Shown::Many(found.fields.iter().map(Item::Field).collect())
        }
        ("interfaces", Shape::Object) => types(&found.interfaces),
        ("possibleTypes", Shape::Interface | Shape::Union) => types(&found.possible),
        ("enumValues", Shape::Enum) => Shown::Many(
            found
                .values
                .iter()
                .map(|(value, words)| Item::Value(value, words.as_deref()))
                .collect(),
        ),
        ("inputFields", Shape::Input) => {
            Shown::Many(found.inputs.iter().map(Item::Input).collect())
        }
        _ => Shown::Null,
    }
}
