//! The reference of the mapping language says the truth: its examples compile and do what their cases say, its tables are
//! those of the program.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use sabir::dialect::codec::Codec;
use sabir::dialect::tape::Tape;
use sabir::dialect::{Dialect, mapping};
use sabir::model::record::{Schema, Type, Typed, Value};
use sabir::model::*;
use support::case::Case;
use support::check::check;

const REFERENCE: &str = include_str!("../mappings/README.md");

/// The moment of the examples: 28 July 2020, 10:05:26 and 247 microseconds.
const MOMENT: Time = Time(1_595_930_726_000_247);

/// The fenced blocks: what stands behind the fence, and the text within.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let mut blocks = Vec::new();
    let mut rest = REFERENCE;
    while let Some((_, found)) = rest.split_once("\n```") {
        let (kind, found) = found.split_once('\n').unwrap();
        let (text, after) = found.split_once("\n```").unwrap();
        blocks.push((kind, text));
        rest = after;
    }
    blocks
}

#[test]
fn every_example_does_what_is_shown() {
    let (mut prelude, mut schema) = ("", None);
    let mut dialect = Dialect::default();
    let (mut examples, mut cases) = (0, 0);
    for (kind, text) in blocks() {
        match kind {
            "toml prelude" => prelude = text,
            "graphql" => schema = Some(text),
            "toml" => {
                let complete = text.contains("[[door]]");
                let whole = if complete {
                    text.to_owned()
                } else {
                    format!("{prelude}\n\n{text}")
                };
                dialect = mapping::load("example", "README.md", &whole, schema.take())
                    .unwrap_or_else(|problems| panic!("{problems}"));
                examples += 1;
            }
            "case" => {
                let case = Case::parse(Path::new("mappings/README.md"), text);
                check(&dialect, &case).unwrap_or_else(|why| panic!("{text}\n{why}"));
                cases += 1;
            }
            other => panic!("a block of {other}"),
        }
    }
    assert!(
        examples >= 8 && cases >= 15,
        "{examples} examples, {cases} cases"
    );
}

/// The rows of the table whose first column has this head.
fn table(head: &str) -> Vec<Vec<&'static str>> {
    let mut lines = REFERENCE.lines();
    lines
        .by_ref()
        .find(|line| line.starts_with(&format!("| {head} |")))
        .unwrap();
    lines
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line
                .strip_prefix('|')
                .unwrap()
                .trim_end()
                .strip_suffix('|')
                .unwrap();
            cells.split('|').map(str::trim).collect()
        })
        .collect()
}

fn code(cell: &str) -> &str {
    cell.trim_matches('`')
}

#[test]
fn the_table_of_codecs_is_the_list_of_codecs() {
    let counted = ["bytes_N", "max_bytes_N", "min_chars_N"];
    let known: BTreeSet<&str> = Codec::NAMES.iter().copied().chain(counted).collect();
    let told: BTreeSet<&str> = table("codec").iter().map(|row| code(row[0])).collect();
    assert_eq!(told, known);
}

#[test]
fn every_codec_writes_and_reads_as_the_table_says() {
    for row in table("codec") {
        let (name, kinds, wire, notes) = (code(row[0]), row[1], code(row[2]), row[3]);
        let codec = Codec::from_name(&name.replace('N', "10")).unwrap();
        assert_eq!(codec.one_way(), notes.contains("one way"), "{name}");
        for kind in kinds.split(", ") {
            let kind = match kind.trim_start_matches("list of ") {
                "text" => Type::Text,
                "integer" => Type::Int,
                "boolean" => Type::Bool,
                "time" => Type::Time,
                "JSON" => Type::Json,
                "media" => Media::TYPE,
                other => panic!("{name} is for {other}"),
            };
            assert!(codec.fits(&kind), "{name}");
            if !matches!(kind, Type::Record(_)) {
                spells(codec, &kind, wire, notes.starts_with("read only"));
            }
        }
    }
}

/// What is shown is read, and what was read is written as shown; a time is written from the examples' moment.
fn spells(codec: Codec, kind: &Type, wire: &str, read_only: bool) {
    let tape = Tape::json(wire.as_bytes()).unwrap();
    let (mut scratch, mut other) = (String::new(), String::new());
    let read = codec.decode(tape.root().unwrap(), kind, false, &mut scratch);
    let time = matches!(kind, Type::Time);
    assert!(
        read.is_some() || codec.one_way(),
        "{codec:?} does not read {wire}"
    );
    if let (Some(Value::Time(read)), true) = (read, time) {
        assert!(
            (read.0 - MOMENT.0).abs() < 1_000_000,
            "{codec:?} reads {wire} as {read:?}"
        );
    }
    if read_only {
        return;
    }
    let value = if time {
        Value::Time(MOMENT)
    } else {
        read.unwrap()
    };
    let mut written = Vec::new();
    let scalar = codec.encode(value, &mut other).unwrap();
    scalar.write_json(Default::default(), &mut written);
    assert_eq!(String::from_utf8(written).unwrap(), wire, "{codec:?}");
}

/// The fields that a cell names; a cell without any names a record.
fn names(cell: &str, schema: &Schema) -> bool {
    let told: Vec<&str> = cell
        .split(", ")
        .map(code)
        .filter(|name| !name.is_empty())
        .collect();
    let known: Vec<&str> = schema.fields.iter().map(|(name, _)| *name).collect();
    told == known || cell == format!("a {}", schema.name.to_lowercase())
}

#[test]
fn the_tables_of_operations_records_and_kinds_are_whole() {
    let operations = table("operation");
    assert_eq!(operations.len(), Operation::ALL.len());
    for (row, operation) in operations.iter().zip(Operation::ALL) {
        assert_eq!(code(row[0]), operation.name());
        assert!(names(row[1], operation.command_schema()), "{row:?}");
        assert!(names(row[2], operation.reply_schema()), "{row:?}");
    }
    let records = [
        Message::TYPE,
        Media::TYPE,
        Mine::TYPE,
        Person::TYPE,
        Participant::TYPE,
        Channel::TYPE,
        Window::TYPE,
        Session::TYPE,
        Moderation::TYPE,
    ];
    for (row, record) in table("record").iter().zip(records) {
        let Type::Record(schema) = record else {
            unreachable!()
        };
        assert_eq!(code(row[0]), schema.name.to_lowercase());
        assert!(names(row[1], schema), "{row:?}");
    }
    for (root, record) in [
        ("envelope", Arrival::TYPE),
        ("app", App::TYPE),
        ("credential", Credential::TYPE),
        ("fault", Details::TYPE),
    ] {
        let Type::Record(schema) = record else {
            unreachable!()
        };
        let roots = table("root");
        let row = roots.iter().find(|row| code(row[0]) == root).unwrap();
        let told: Vec<&str> = row[1].split('`').skip(1).step_by(2).collect();
        let known: Vec<&str> = schema.fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(told, known, "{root}");
    }
    for kind in Kind::ALL {
        assert!(
            REFERENCE.contains(&format!("`{}`", kind.name())),
            "{}",
            kind.name()
        );
    }
}
