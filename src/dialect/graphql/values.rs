//! Input values: literals and variables, made into what the schema's types say.
//!
//! In Absinthe's way: an `ID` is a text or an integer, in literals and in variables; an `Int` is never a text; a
//! single value stands for a list of one. What comes out is a tree, ready to be read like any JSON.

use std::fmt::{self, Display, Formatter};

use async_graphql_value::{ConstValue, Name, Value};

use async_graphql_parser::Pos;

use super::Error;
use super::schema::{Base, InputDef, Schema, Shape, TypeRef};
use crate::dialect::tape::Tree;

/// Integers that JavaScript holds exactly.
const MAX_INT: i64 = (1 << 53) - 1;

/// A value before its type is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// A text of a variable, which may also name an enum's value.
    Given(String),
    Name(String),
    List(Vec<Literal>),
    Object(Vec<(String, Literal)>),
}

/// The values that came beside a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variables {
    values: Vec<(String, Literal)>,
}

impl Variables {
    /// The members of an object.
    pub fn of(members: Vec<(String, Tree)>) -> Variables {
        let values = members
            .into_iter()
            .map(|(name, value)| (name, given(value)))
            .collect();
        Variables { values }
    }

    pub fn get(&self, name: &str) -> Option<&Literal> {
        self.values
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    pub fn set(&mut self, name: &str, value: Literal) {
        self.values.push((name.to_owned(), value));
    }
}

fn given(tree: Tree) -> Literal {
    match tree {
        Tree::Null => Literal::Null,
        Tree::Bool(flag) => Literal::Bool(flag),
        Tree::Int(int) => Literal::Int(int),
        Tree::Float(float) => Literal::Float(float),
        Tree::Text(text) => Literal::Given(text),
        Tree::Array(elements) => Literal::List(elements.into_iter().map(given).collect()),
        Tree::Object(members) => Literal::Object(
            members
                .into_iter()
                .map(|(name, value)| (name, given(value)))
                .collect(),
        ),
    }
}

/// A literal with its variables filled in. `None`: it is a variable that was not given.
pub fn filled(value: &Value, variables: &Variables) -> Option<Literal> {
    Some(match value {
        Value::Variable(name) => return variables.get(name).cloned(),
        Value::Null => Literal::Null,
        Value::Boolean(flag) => Literal::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(int) => Literal::Int(int),
            None => Literal::Float(number.as_f64().unwrap_or(f64::MAX)),
        },
        Value::String(text) => Literal::Text(text.clone()),
        Value::Enum(name) => Literal::Name(name.to_string()),
        Value::Binary(_) => Literal::Null,
        Value::List(elements) => Literal::List(
            elements
                .iter()
                .filter_map(|element| filled(element, variables))
                .collect(),
        ),
        Value::Object(members) => Literal::Object(
            members
                .iter()
                .filter_map(|(name, value)| Some((name.to_string(), filled(value, variables)?)))
                .collect(),
        ),
    })
}

pub fn constant(value: &ConstValue) -> Literal {
    filled(&value.clone().into_value(), &Variables::default()).unwrap_or(Literal::Null)
}

/// Every variable in a value.
pub fn variables_in<'v>(value: &'v Value, found: &mut Vec<&'v Name>) {
    match value {
        Value::Variable(name) => found.push(name),
        Value::List(elements) => elements
            .iter()
            .for_each(|element| variables_in(element, found)),
        Value::Object(members) => members
            .values()
            .for_each(|value| variables_in(value, found)),
        _ => {}
    }
}

/// Makes a value what its type says.
///
/// # Errors
/// It is not of the type; the lines say where within, and none that it is the value itself.
pub fn coerce(literal: &Literal, of: &TypeRef, schema: &Schema) -> Result<Tree, Vec<String>> {
    if *literal == Literal::Null {
        return if of.nullable {
            Ok(Tree::Null)
        } else {
            Err(Vec::new())
        };
    }
    match &of.base {
        Base::List(item) => {
            let Literal::List(elements) = literal else {
                return coerce(literal, item, schema).map(|element| Tree::Array(vec![element]));
            };
            let mut lines = Vec::new();
            let mut coerced = Vec::new();
            for (index, element) in elements.iter().enumerate() {
                match coerce(element, item, schema) {
                    Ok(element) => coerced.push(element),
                    Err(inner) => {
                        let expected = schema.type_name(item);
                        lines.push(format!(
                            "In element #{}: Expected type \"{expected}\", found {element}.",
                            index + 1
                        ));
                        lines.extend(inner);
                    }
                }
            }
            if lines.is_empty() {
                Ok(Tree::Array(coerced))
            } else {
                Err(lines)
            }
        }
        Base::Named(named) => match schema.types[*named].shape {
            Shape::Input => object(literal, &schema.types[*named].inputs, schema),
            Shape::Enum => match literal {
                Literal::Name(name) | Literal::Given(name)
                    if schema.types[*named]
                        .values
                        .iter()
                        .any(|(known, _)| **known == **name) =>
                {
                    Ok(Tree::Text(name.clone()))
                }
                _ => Err(Vec::new()),
            },
            _ => scalar(literal, &schema.types[*named].name).ok_or_else(Vec::new),
        },
    }
}

fn scalar(literal: &Literal, name: &str) -> Option<Tree> {
    Some(match (name, literal) {
        ("ID" | "String", Literal::Text(text) | Literal::Given(text)) => Tree::Text(text.clone()),
        ("ID", Literal::Int(int)) => Tree::Text(int.to_string()),
        ("Int", Literal::Int(int)) if (-MAX_INT..=MAX_INT).contains(int) => Tree::Int(*int),
        ("Float", Literal::Float(float)) => Tree::Float(*float),
        ("Float", Literal::Int(int)) => Tree::Float(*int as f64),
        ("Boolean", Literal::Bool(flag)) => Tree::Bool(*flag),
        ("ID" | "String" | "Int" | "Float" | "Boolean", _) => return None,
        (_, Literal::Text(text) | Literal::Given(text)) => Tree::Text(text.clone()),
        _ => return None,
    })
}

fn object(literal: &Literal, inputs: &[InputDef], schema: &Schema) -> Result<Tree, Vec<String>> {
    let Literal::Object(members) = literal else {
        return Err(Vec::new());
    };
    let mut lines = Vec::new();
    let mut coerced = Vec::new();
    let find = |name: &str| {
        let key = super::schema::underscore(name);
        inputs.iter().find(|input| *input.key == *key)
    };
    for (name, value) in members {
        let Some(input) = find(name) else {
            lines.push(format!("In field \"{name}\": Unknown field."));
            continue;
        };
        match coerce(value, &input.of, schema) {
            Ok(value) => coerced.push((input.name.to_string(), value)),
            Err(inner) => {
                let expected = schema.type_name(&input.of);
                lines.push(format!(
                    "In field \"{name}\": Expected type \"{expected}\", found {value}."
                ));
                lines.extend(inner);
            }
        }
    }
    for input in inputs {
        let key = &*input.name;
        if coerced.iter().any(|(name, _)| name == key) {
            continue;
        }
        match &input.default {
            Some(default) => {
                if let Ok(value) = coerce(&constant(default), &input.of, schema) {
                    coerced.push((key.to_owned(), value));
                }
            }
            None if !input.of.nullable && lines.is_empty() => {
                let expected = schema.type_name(&input.of);
                lines.push(format!(
                    "In field \"{key}\": Expected type \"{expected}\", found null."
                ));
            }
            None => {}
        }
    }
    if lines.is_empty() {
        Ok(Tree::Object(coerced))
    } else {
        Err(lines)
    }
}

impl Display for Literal {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Null => out.write_str("null"),
            Literal::Bool(flag) => write!(out, "{flag}"),
            Literal::Int(int) => write!(out, "{int}"),
            Literal::Float(float) => write!(out, "{float:?}"),
            Literal::Text(text) | Literal::Given(text) => write!(out, "\"{text}\""),
            Literal::Name(name) => out.write_str(name),
            Literal::List(elements) => {
                let elements: Vec<String> = elements.iter().map(Literal::to_string).collect();
                write!(out, "[{}]", elements.join(", "))
            }
            Literal::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}"))
                    .collect();
                write!(out, "{{{}}}", members.join(", "))
            }
        }
    }
}

/// A literal as an error shows it: as it was written, variables by their names.
pub fn written(value: &Value) -> String {
    match value {
        Value::Variable(name) => format!("${name}"),
        Value::List(elements) => {
            let elements: Vec<String> = elements.iter().map(written).collect();
            format!("[{}]", elements.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{name}: {}", written(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        other => filled(other, &Variables::default())
            .unwrap_or(Literal::Null)
            .to_string(),
    }
}

/// An argument's value; nothing where its variable was not given.
///
/// # Errors
/// It is not of the argument's type.
pub fn argument(
    schema: &Schema,
    name: &str,
    value: &Value,
    of: &TypeRef,
    variables: &Variables,
    at: Pos,
) -> Result<Option<Tree>, Error> {
    let Some(literal) = filled(value, variables) else {
        return Ok(None);
    };
    if literal == Literal::Null && !of.nullable {
        let expected = schema.type_name(of);
        let message = format!("In argument \"{name}\": Expected type \"{expected}\", found null.");
        return Err(Error::new(message, at));
    }
    coerce(&literal, of, schema).map(Some).map_err(|lines| {
        let mut message = format!("Argument \"{name}\" has invalid value {}.", written(value));
        for line in lines {
            message.push('\n');
            message.push_str(&line);
        }
        Error::new(message, at)
    })
}
