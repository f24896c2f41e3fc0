//! Mistakes in mappings: each kind has a small file in `tests/diagnostics/mapping`, and beside it the report that a
//! person reads. A schema stands beside the files that need one. `UPDATE=1` writes the reports anew.

use std::fs;
use std::path::Path;

use sabir::dialect::mapping;

/// Fewer would mean that cases were lost.
const KINDS: usize = 60;

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics/mapping");
    let mut wrong = Vec::new();
    let mut kinds = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        kinds += 1;
        let name = path.file_name().unwrap().to_string_lossy();
        let text = fs::read_to_string(&path).unwrap();
        let schema = fs::read_to_string(path.with_extension("graphql")).ok();
        let told = match mapping::load("case", &name, &text, schema.as_deref()) {
            Ok(_) => "no mistake found\n".to_owned(),
            Err(problems) => {
                // A syntax error is the TOML reader's own, who says no more.
                let advised = problems
                    .found()
                    .iter()
                    .all(|problem| !problem.help.is_empty());
                assert!(
                    advised || name.starts_with("syntax"),
                    "{name}: what to do?\n{problems}"
                );
                format!("{problems}\n")
            }
        };
        assert!(!told.contains("no mistake"), "{name}: no mistake found");
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expected, &told).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != told {
            wrong.push(format!("{name}:\n{told}"));
        }
    }
    assert!(kinds >= KINDS, "only {kinds} kinds");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
