//! Input values: literals and variables, made into what the schema's types say.
//!
//! In Absinthe's way: an `ID` is a text or an integer, in literals and in variables; an `Int` is never a text; a
//! single value stands for a list of one. What comes out is a tree, ready to be read like any JSON.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Display, Formatter, Write as _};
use std::rc::Rc;

use bluejay_core::{AsIter, Value as _, ValueReference};
use bluejay_parser::ast;

use super::schema::{Base, InputDef, Schema, Shape, TypeRef};
use crate::dialect::tape::Tree;

/// Integers that JavaScript holds exactly.
const MAX_INT: i64 = (1 << 53) - 1;
/// What is told of one value that is wrong.
const MAX_LINES: usize = 20;
const MAX_SHOWN: usize = 4_096;

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
    /// A variable's value, by its name.
    Variable(Box<str>),
    List(Vec<Literal>),
    Object(Vec<(String, Literal)>),
}

/// The values that came beside a document. They are shared, not copied: one may be as large as a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variables {
    values: HashMap<Box<str>, Weighed>,
}

/// A value, with about how many bytes a copy of it takes.
#[derive(Clone, Debug, PartialEq)]
struct Weighed {
    value: Rc<Literal>,
    bytes: usize,
}

impl Variables {
    /// The members of an object; of two with one name the last holds.
    pub fn of(members: Vec<(String, Tree)>) -> Variables {
        let mut variables = Variables::default();
        for (name, value) in members {
            variables.set(&name, Rc::new(given(value)));
        }
        variables
    }

    pub fn get(&self, name: &str) -> Option<&Rc<Literal>> {
        self.values.get(name).map(|known| &known.value)
    }

    pub fn set(&mut self, name: &str, value: Rc<Literal>) {
        let bytes = value.bytes();
        self.values.insert(name.into(), Weighed { value, bytes });
    }

    /// How many bytes the variables in a value stand for.
    pub fn weight(&self, value: &Literal) -> usize {
        match value {
            Literal::Variable(name) => self.values.get(name).map_or(0, |known| known.bytes),
            _ => value.parts().map(|part| self.weight(part)).sum(),
        }
    }
}

impl Literal {
    fn bytes(&self) -> usize {
        let own = match self {
            Literal::Text(text) | Literal::Given(text) | Literal::Name(text) => text.len(),
            Literal::Object(members) => members.iter().map(|(name, _)| name.len()).sum(),
            _ => 0,
        };
        size_of::<Literal>() + own + self.parts().map(Literal::bytes).sum::<usize>()
    }

    /// The elements of a list, the values of an object.
    fn parts(&self) -> impl Iterator<Item = &Literal> {
        let (elements, members) = match self {
            Literal::List(elements) => (elements.as_slice(), &[][..]),
            Literal::Object(members) => (&[][..], members.as_slice()),
            _ => (&[][..], &[][..]),
        };
        elements
            .iter()
            .chain(members.iter().map(|(_, value)| value))
    }

    /// Does it depend on a variable?
    pub fn open(&self) -> bool {
        matches!(self, Literal::Variable(_)) || self.parts().any(Literal::open)
    }

    /// It with its variables filled in. `None`: it is a variable that was not given.
    fn filled<'v>(&'v self, variables: &'v Variables) -> Option<Cow<'v, Literal>> {
        let inner = |value: &'v Literal| Some(value.filled(variables)?.into_owned());
        Some(match self {
            Literal::Variable(name) => Cow::Borrowed(&**variables.get(name)?),
            _ if !self.open() => Cow::Borrowed(self),
            Literal::List(elements) => {
                Cow::Owned(Literal::List(elements.iter().filter_map(inner).collect()))
            }
            Literal::Object(members) => {
                let given = |(name, value): &'v (String, _)| Some((name.clone(), inner(value)?));
                Cow::Owned(Literal::Object(members.iter().filter_map(given).collect()))
            }
            _ => Cow::Borrowed(self),
        })
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

/// A value as a document has it.
impl<const CONST: bool> From<&ast::Value<'_, CONST>> for Literal {
    fn from(value: &ast::Value<'_, CONST>) -> Literal {
        match value.as_ref() {
            ValueReference::Variable(variable) => Literal::Variable(variable.as_str().into()),
            ValueReference::Null => Literal::Null,
            ValueReference::Boolean(flag) => Literal::Bool(flag),
            ValueReference::Integer(int) => match int.as_i64() {
                Some(int) => Literal::Int(int),
                None => Literal::Float(int.as_f64().unwrap_or(f64::MAX)),
            },
            ValueReference::Float(float) => Literal::Float(float.clamp(f64::MIN, f64::MAX)),
            ValueReference::String(text) => Literal::Text(text.into()),
            ValueReference::Enum(name) => Literal::Name(name.into()),
            ValueReference::List(list) => Literal::List(list.iter().map(Literal::from).collect()),
            ValueReference::Object(object) => {
                let mut members: Vec<(String, Literal)> = Vec::new();
                for (name, value) in object.iter() {
                    let (name, value) = (name.as_str(), Literal::from(value));
                    // Of two with one name the last holds.
                    match members.iter_mut().find(|(known, _)| known == name) {
                        Some((_, known)) => *known = value,
                        None => members.push((name.to_owned(), value)),
                    }
                }
                Literal::Object(members)
            }
        }
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
            let elements = match literal {
                Literal::List(elements) => elements.as_slice(),
                one => std::slice::from_ref(one),
            };
            let mut lines = Vec::new();
            let mut coerced = Vec::new();
            for (index, element) in elements.iter().enumerate() {
                if lines.len() >= MAX_LINES {
                    break;
                }
                match coerce(element, item, schema) {
                    Ok(element) => coerced.push(element),
                    Err(inner) => {
                        let expected = schema.type_name(item);
                        lines.push(format!(
                            "In element #{}: Expected type \"{expected}\", found {}.",
                            index + 1,
                            shown(element)
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
                _ => Err(unknown_fields(literal)),
            },
            _ => scalar(literal, &schema.types[*named].name).ok_or_else(|| unknown_fields(literal)),
        },
    }
}

/// An object where there are no fields.
fn unknown_fields(literal: &Literal) -> Vec<String> {
    let Literal::Object(members) = literal else {
        return Vec::new();
    };
    let members = members.iter().take(MAX_LINES);
    members
        .map(|(name, _)| format!("In field \"{name}\": Unknown field."))
        .collect()
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
    let mut coerced = Vec::new();
    let mut lines = Vec::new();
    let given: Vec<Option<usize>> = members
        .iter()
        .map(|(name, _)| super::schema::input(inputs, name))
        .collect();
    for (at, input) in inputs.iter().enumerate().rev() {
        if given.contains(&Some(at)) {
            continue;
        }
        match &input.default {
            Some(default) => {
                if let Ok(value) = coerce(default, &input.of, schema) {
                    coerced.push((String::from(&*input.name), value));
                }
            }
            None if !input.of.nullable => lines.push(mismatch(&input.name, input, schema, "null")),
            None => {}
        }
    }
    for ((name, value), found) in members.iter().zip(given) {
        if lines.len() >= MAX_LINES {
            break;
        }
        let Some(input) = found.map(|at| &inputs[at]) else {
            let suggestion = super::suggest::of_input(inputs, name);
            lines.push(format!("In field \"{name}\": Unknown field.{suggestion}"));
            continue;
        };
        match coerce(value, &input.of, schema) {
            Ok(value) => coerced.push((String::from(&*input.name), value)),
            Err(inner) => {
                lines.push(mismatch(name, input, schema, &shown(value)));
                lines.extend(inner);
            }
        }
    }
    if lines.is_empty() {
        Ok(Tree::Object(coerced))
    } else {
        Err(lines)
    }
}

fn mismatch(name: &str, input: &InputDef, schema: &Schema, found: &str) -> String {
    let expected = schema.type_name(&input.of);
    format!("In field \"{name}\": Expected type \"{expected}\", found {found}.")
}

impl Display for Literal {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Null => out.write_str("null"),
            Literal::Bool(flag) => write!(out, "{flag}"),
            Literal::Int(int) => write!(out, "{int}"),
            Literal::Float(float) => write!(out, "{float:?}"),
            Literal::Text(text) | Literal::Given(text) => inspected(out, text),
            Literal::Name(name) => out.write_str(name),
            Literal::Variable(name) => write!(out, "${name}"),
            Literal::List(elements) => listed(out, elements),
            Literal::Object(members) => {
                keyed(out, members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

/// A text as Elixir shows it.
fn inspected(out: &mut Formatter<'_>, text: &str) -> fmt::Result {
    out.write_str("\"")?;
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        let escape = match sign {
            '"' | '\\' => sign,
            '#' if signs.peek() == Some(&'{') => sign,
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\u{7f}' => 'd',
            '\u{1b}' => 'e',
            '\u{c}' => 'f',
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '\u{b}' => 'v',
            _ if sign.is_control() => {
                write!(out, "\\x{:02X}", u32::from(sign))?;
                continue;
            }
            _ => {
                out.write_char(sign)?;
                continue;
            }
        };
        write!(out, "\\{escape}")?;
    }
    out.write_str("\"")
}

fn listed(
    out: &mut Formatter<'_>,
    elements: impl IntoIterator<Item = impl Display>,
) -> fmt::Result {
    out.write_str("[")?;
    for (index, element) in elements.into_iter().enumerate() {
        let lead = if index > 0 { ", " } else { "" };
        write!(out, "{lead}{element}")?;
    }
    out.write_str("]")
}

fn keyed(
    out: &mut Formatter<'_>,
    members: impl IntoIterator<Item = (impl Display, impl Display)>,
) -> fmt::Result {
    out.write_str("{")?;
    for (index, (name, value)) in members.into_iter().enumerate() {
        let lead = if index > 0 { ", " } else { "" };
        write!(out, "{lead}{name}: {value}")?;
    }
    out.write_str("}")
}

/// A text that takes no more than an error shows.
#[derive(Default)]
struct Short(String);

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = (MAX_SHOWN + 1).saturating_sub(self.0.len());
        let fits = text.char_indices().map(|(at, char)| at + char.len_utf8());
        match fits.take_while(|end| *end <= room).last() {
            Some(end) => self.0.push_str(&text[..end]),
            None if text.is_empty() => {}
            None => return Err(fmt::Error),
        }
        Ok(())
    }
}

/// A value as an error shows it, up to a length.
pub fn shown(value: &impl Display) -> String {
    let mut short = Short::default();
    // What does not fit is not shown; the error's own text ends with the sign for that.
    let _ = write!(short, "{value}");
    short.0
}

/// An argument's value; nothing where its variable was not given.
///
/// # Errors
/// It is not of the argument's type.
pub fn argument(
    schema: &Schema,
    (name, value): (&str, &Literal),
    of: &TypeRef,
    variables: &Variables,
) -> Result<Option<Tree>, String> {
    let Some(literal) = value.filled(variables) else {
        return Ok(None);
    };
    coerce(&literal, of, schema).map(Some).map_err(|lines| {
        let mut message = format!("Argument \"{name}\" has invalid value {}.", shown(value));
        for line in lines {
            message.push('\n');
            message.push_str(&line);
        }
        message
    })
}
