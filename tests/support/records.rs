//! Model records written as TOML: filled from a table, and dumped as `path = value` lines that can be compared.

use std::collections::BTreeMap;

use sabir::model::Time;
use sabir::model::record::{Schema, Slot, Type, Value};

/// Fills a record from a TOML table.
pub fn fill(slot: &mut dyn Slot, schema: &Schema, table: &toml::Table) -> Result<(), String> {
    for (name, value) in table {
        let (number, kind) = schema
            .field(name)
            .ok_or_else(|| format!("{} has no field {name}", schema.name))?;
        fill_field(slot, number, &kind, value).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}

fn fill_field(
    slot: &mut dyn Slot,
    number: u8,
    kind: &Type,
    value: &toml::Value,
) -> Result<(), String> {
    match (kind, value) {
        (Type::Record(schema), toml::Value::Table(table)) => {
            let inner = slot.enter(&[number]).ok_or("no record here")?;
            fill(inner, schema, table)
        }
        (Type::List(item), toml::Value::Array(elements)) => {
            elements.iter().try_for_each(|element| {
                let place = slot.push(&[number]).ok_or("no list here")?;
                match (item, element) {
                    (Type::Record(schema), toml::Value::Table(table)) => fill(place, schema, table),
                    (item, element) => set(place, &[], item, element),
                }
            })
        }
        // A list of media is mostly one medium.
        (Type::List(Type::Record(schema)), toml::Value::Table(table)) => {
            fill(slot.push(&[number]).ok_or("no list here")?, schema, table)
        }
        (kind, value) => set(slot, &[number], kind, value),
    }
}

fn set(slot: &mut dyn Slot, path: &[u8], kind: &Type, value: &toml::Value) -> Result<(), String> {
    let text;
    let value = match (kind, value) {
        (Type::Text, toml::Value::String(text)) => Value::Text(text),
        (Type::Json, toml::Value::String(text)) => Value::Json(text),
        (Type::Int, toml::Value::Integer(int)) => Value::Int(*int),
        (Type::Bool, toml::Value::Boolean(flag)) => Value::Bool(*flag),
        (Type::Time, toml::Value::Datetime(_) | toml::Value::String(_)) => {
            text = value.to_string().trim_matches('"').to_owned();
            Value::Time(time(&text)?)
        }
        _ => return Err(format!("{value} is not {}", kind.name())),
    };
    slot.set(path, value).map_err(|_| "does not fit".into())
}

fn time(text: &str) -> Result<Time, String> {
    text.parse::<jiff::Timestamp>()
        .map(|stamp| Time(stamp.as_microsecond()))
        .map_err(|why| format!("{text}: {why}"))
}

/// Every field that is present, by its path.
pub fn dump(slot: &dyn Slot, schema: &Schema) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::new();
    dump_record(slot, schema, "", &mut lines);
    lines
}

fn dump_record(
    slot: &dyn Slot,
    schema: &Schema,
    prefix: &str,
    lines: &mut BTreeMap<String, String>,
) {
    for (number, (name, kind)) in schema.fields.iter().enumerate() {
        let path = format!("{prefix}{name}");
        dump_value(slot.get(&[number as u8]), kind, &path, lines);
    }
}

fn dump_value(value: Value<'_>, kind: &Type, path: &str, lines: &mut BTreeMap<String, String>) {
    let text = match (value, kind) {
        (Value::Absent, _) => return,
        (Value::Record(record), Type::Record(schema)) => {
            return dump_record(record, schema, &format!("{path}."), lines);
        }
        (Value::List(list), Type::List(item)) => {
            for index in 0..list.len() {
                dump_value(
                    list.at(index).get(&[]),
                    item,
                    &format!("{path}[{index}]"),
                    lines,
                );
            }
            return;
        }
        (Value::Text(text) | Value::Json(text), _) => format!("{text:?}"),
        (Value::Int(int), _) => int.to_string(),
        (Value::Bool(flag), _) => flag.to_string(),
        (Value::Time(time), _) => jiff::Timestamp::from_microsecond(time.0)
            .unwrap()
            .to_string(),
        (other, kind) => panic!("{path}: {other:?} in a {kind:?}"),
    };
    lines.insert(path.to_owned(), text);
}

pub fn show(lines: &BTreeMap<String, String>) -> String {
    lines
        .iter()
        .map(|(path, value)| format!("  {path} = {value}\n"))
        .collect()
}
