//! The audits of the npm package `graphql-http` against the Glimesh door: how near it is to "GraphQL over HTTP".
//!
//! `tests/graphql_http/differs.txt` lists the audits that Glimesh itself does not pass, each with the reason; what is
//! listed there must fail here too. `scripts/tools.sh audits` fetches the package, in the version that its lock names.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use support::running::Sabir;

const CONFIG: &str = r#"
[[account]]
name = "Mytho"
token = "mytho-token"
"#;

/// What the package has in this version.
const AUDITS: usize = 61;

#[test]
fn audits_fail_where_glimesh_differs_and_nowhere_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    run(Command::new(root.join("scripts/tools.sh")).arg("audits"));
    let sabir = Sabir::start(CONFIG);
    let told = run(Command::new("node")
        .arg(root.join("tests/graphql_http/audits.mjs"))
        .arg(root.join(".tools/graphql_http"))
        .args([&format!("http://{}/api/graph", sabir.public), "mytho-token"]));
    let audits: BTreeMap<&str, &str> = told
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .collect();
    assert_eq!(audits.len(), AUDITS, "{told}");
    let list = std::fs::read_to_string(root.join("tests/graphql_http/differs.txt")).unwrap();
    let differs: BTreeMap<&str, &str> = list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once("  ").expect("each has a reason"))
        .collect();
    let mut wrong = Vec::new();
    for (audit, came) in &audits {
        let passed = came.starts_with("ok\t");
        match differs.get(audit) {
            None if !passed => wrong.push(format!("{audit} fails, and is not listed: {came}")),
            Some(why) if passed => wrong.push(format!("{audit} passes, and is listed: {why}")),
            _ => {}
        }
    }
    let gone = differs.keys().filter(|audit| !audits.contains_key(*audit));
    wrong.extend(gone.map(|audit| format!("{audit} is listed, and no audit")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a program prints, if it ends well.
fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
