//! What the documents show is true: configurations are right, and the table of dialects is that of the mappings.
//!
//! The requests are sent by the end-to-end suite; here only their form is looked at.

mod support;

use std::fs;
use std::process::Command;

use sabir::dialect::builtin::BUILTIN;
use support::source::root;

#[test]
fn the_configurations_of_the_documents_are_right() {
    for name in ["README.md", "docs/configuration.md"] {
        let blocks = blocks(name, "toml");
        assert!(!blocks.is_empty(), "{name} shows no configuration");
        for block in blocks {
            let told = check(&block);
            assert!(
                told.starts_with("The configuration is right."),
                "{name}: {told}"
            );
            assert!(!told.contains("warning"), "{name}: {told}");
        }
    }
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

/// What `sabir check` says of a configuration, where every variable and every file that it names is there.
fn check(block: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("dialects")).unwrap();
    for file in quoted(block, "file = ") {
        fs::write(folder.path().join(file), file).unwrap();
    }
    fs::write(folder.path().join("sabir.toml"), block).unwrap();
    let names = quoted(block, "env = ");
    let done = Command::new(env!("CARGO_BIN_EXE_sabir"))
        .arg("check")
        .current_dir(folder.path())
        .envs(names.iter().map(|name| (name, name)))
        .output()
        .unwrap();
    let said = [done.stdout, done.stderr].concat();
    String::from_utf8(said).unwrap()
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
