//! The reference of the language is true: each mapping in it loads, each case in it holds, and its tables are whole.

mod support;

use std::path::Path;

use sabir::dialect::codec::Codec;
use sabir::dialect::{Dialect, mapping};
use sabir::model::{Kind, Operation};
use support::case::Case;
use support::check::check;

fn reference() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/mappings/README.md")).unwrap()
}

/// The fenced blocks, each with its kind and its line.
fn blocks(text: &str) -> Vec<(String, usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some((kind.to_owned(), number + 1, String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, _, body)), None) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn every_example_is_a_mapping_and_every_case_holds() {
    let text = reference();
    let mut prelude = String::new();
    let mut dialect: Option<Dialect> = None;
    let (mut mappings, mut cases) = (0, 0);
    for (kind, line, body) in blocks(&text) {
        match kind.as_str() {
            "prelude" => prelude = body,
            "toml" => {
                // A file's own keys come before its tables.
                let at = body
                    .find("[[")
                    .into_iter()
                    .chain(body.find("\n["))
                    .min()
                    .unwrap_or(0);
                let own = if body.starts_with('[') {
                    ""
                } else {
                    &body[..at]
                };
                let source = format!("{own}\n{prelude}\n{}", &body[own.len()..]);
                let loaded = mapping::load("demo", &format!("line {line}"), &source, None);
                dialect = Some(loaded.unwrap_or_else(|problems| panic!("{problems}")));
                mappings += 1;
            }
            "case" => {
                let dialect = dialect.as_ref().expect("a case follows a mapping");
                let case = Case::parse(Path::new("reference"), &body);
                check(dialect, &case)
                    .unwrap_or_else(|why| panic!("the case at line {line}: {why}"));
                cases += 1;
            }
            other => panic!("line {line}: a block of kind `{other}` is not checked"),
        }
    }
    assert!(
        mappings >= 8 && cases >= 6,
        "{mappings} mappings, {cases} cases"
    );
}

#[test]
fn the_table_of_codecs_has_all_of_them_and_no_other() {
    let text = reference();
    let (_, table) = text.split_once("<!-- codecs -->").unwrap();
    let rows = table
        .lines()
        .skip(3)
        .take_while(|line| line.starts_with('|'));
    let mut told: Vec<&str> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|name| !name.ends_with("_N"))
        .collect();
    let mut known = Codec::NAMES.to_vec();
    told.sort_unstable();
    known.sort_unstable();
    assert_eq!(told, known);
}

#[test]
fn the_table_of_operations_has_all_of_them_and_no_other() {
    let text = reference();
    let (_, table) = text.split_once("<!-- operations -->").unwrap();
    let told: Vec<String> = table
        .lines()
        .skip(3)
        .take_while(|line| line.starts_with('|'))
        .map(str::to_owned)
        .collect();
    let known: Vec<String> = Operation::ALL
        .iter()
        .map(|operation| {
            let (command, reply) = (
                operation.command_schema().name,
                operation.reply_schema().name,
            );
            format!("| `{}` | `{command}` | `{reply}` |", operation.name())
        })
        .collect();
    assert_eq!(told, known);
}

#[test]
fn the_list_of_kinds_has_all_of_them_and_no_other() {
    let text = reference();
    let (_, list) = text.split_once("<!-- kinds -->").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let told: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(told, known);
}
