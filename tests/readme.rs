//! What the documents show is true: configurations are read, and the table of dialects is that of the mappings.
//!
//! The requests are sent by the end-to-end suite; here only their form is looked at.

mod support;

use std::fs;

use sabir::config::{Config, Draft};
use sabir::dialect::builtin::BUILTIN;
use support::source::root;

#[test]
fn the_configurations_of_the_documents_are_read() {
    for name in ["README.md", "docs/configuration.md"] {
        let blocks = blocks(name, "toml");
        assert!(!blocks.is_empty(), "{name} shows no configuration");
        for block in blocks {
            let config = read(&block).unwrap_or_else(|problem| panic!("{name}:\n{problem}"));
            assert_eq!(config.warnings, Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn the_configuration_of_the_readme_leads_to_both_services() {
    let config = read(&blocks("README.md", "toml").concat()).unwrap();
    let upstreams = config.upstreams.values();
    let dialects: Vec<&str> = upstreams.map(|one| one.dialect.as_str()).collect();
    assert_eq!(dialects, ["rooms", "glimesh"]);
    assert_eq!(config.routes.len(), 2);
}

#[test]
fn every_dialect_has_a_line_in_the_readme() {
    let text = document("README.md");
    for (name, ..) in BUILTIN {
        let line = format!("| `{name}` |");
        assert!(text.contains(&line), "no line for {name} in README.md");
    }
    let lines = text.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(lines, BUILTIN.len(), "README.md has a dialect that is gone");
}

#[test]
fn every_request_of_the_readme_can_be_pasted() {
    const SET: &[&str] = &["SABIR", "OWNERID", "PASSWORD", "SESSION", "TOKEN"];
    let requests = blocks("README.md", "sh");
    assert_eq!(requests.len(), 7);
    for request in requests {
        assert!(request.starts_with("curl -s \"$SABIR/"), "{request}");
        assert_eq!(request.lines().count(), 1, "{request}");
        for variable in request.split('$').skip(1) {
            let end = variable.find(|letter: char| !letter.is_ascii_uppercase());
            let name = &variable[..end.unwrap_or(variable.len())];
            assert!(SET.contains(&name), "${name} is not explained: {request}");
        }
    }
}

/// Reads a configuration in an environment that has every variable it names, and every file.
fn read(block: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    fs::create_dir(folder.path().join("dialects")).unwrap();
    for file in quoted(block, "file = ") {
        fs::write(folder.path().join(file), file).unwrap();
    }
    let path = folder.path().join("sabir.toml");
    // The environment of the process is not ours to change: variables become files.
    let mut text = block.to_owned();
    for name in quoted(block, "env = ") {
        fs::write(folder.path().join(name), name).unwrap();
        text = text.replace(&format!("env = \"{name}\""), &format!("file = \"{name}\""));
    }
    fs::write(&path, text).unwrap();
    let names: Vec<&str> = BUILTIN.iter().map(|(name, ..)| *name).collect();
    let draft = Draft::open(Some(&path)).map_err(|error| error.to_string())?;
    draft.read(&names).map_err(|error| error.to_string())
}

/// The texts in quotes that follow a key.
fn quoted<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    let found = text.split(key).skip(1);
    found.filter_map(|rest| rest.split('"').nth(1)).collect()
}

/// The fenced blocks of a kind.
fn blocks(name: &str, kind: &str) -> Vec<String> {
    let text = document(name);
    let fence = format!("```{kind}\n");
    let found = text.split(&fence).skip(1);
    found
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block.to_owned())
        .collect()
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
