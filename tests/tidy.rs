//! The rules of the house that no linter can state. Each says what to do where it is broken.
//!
//! What clippy and rustc can check stands in `Cargo.toml` and `clippy.toml` instead.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use sabir::dialect::builtin::BUILTIN;
use support::case::cases;
use support::source::{Kind, Source, files, root, short, sources};
use support::words::{holds, wire_words};

/// What each stage of the journey may import: stages, or `*::Config` for the `Config` of any stage.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("alarm", &[]),
    ("batch", &[]),
    ("lines", &[]),
    ("diagnose", &[]),
    ("tls", &[]),
    ("model", &[]),
    ("metrics", &["model"]),
    ("log", &["model", "metrics"]),
    ("dialect", &["model", "diagnose"]),
    ("route", &["model"]),
    ("store", &["model", "metrics"]),
    ("auth", &["model", "store"]),
    (
        "relay",
        &[
            "model", "dialect", "store", "metrics", "alarm", "batch", "lines",
        ],
    ),
    ("outbox", &["model", "store", "relay", "metrics"]),
    ("mirror", &["model", "store", "relay", "metrics"]),
    ("migrate", &["model", "store", "relay", "metrics"]),
    ("gateway", &["model", "auth", "route", "relay", "metrics"]),
    (
        "ingress",
        &[
            "model", "dialect", "gateway", "metrics", "log", "alarm", "batch", "lines",
        ],
    ),
    (
        "admin",
        &[
            "model", "dialect", "route", "store", "outbox", "metrics", "ingress",
        ],
    ),
    // The types of people are `auth`'s part of the configuration, formats and places are `log`'s.
    (
        "config",
        &[
            "model",
            "diagnose",
            "route",
            "auth",
            "log",
            "tls",
            "*::Config",
        ],
    ),
    ("app", &["*"]),
    (
        "cli",
        &["app", "config", "dialect", "log", "migrate", "store"],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

const FILE_LINES: usize = 450;
const FUNCTION_LINES: usize = 70;
const DOC_LINES: std::ops::RangeInclusive<usize> = 3..=15;

/// Places in `src` that may panic, each with the reason why it never does: `("src/file.rs", "the reason")`.
const MAY_PANIC: &[(&str, &str)] = &[];

/// Keys of the configuration that a dialect happens to have on the wire.
const CONFIGURATION: &[&str] = &["account", "members", "moderators", "timestamp"];

#[test]
fn a_stage_imports_only_what_it_may() {
    let sources = sources("src");
    let stages: BTreeSet<&str> = sources.iter().map(Source::stage).collect();
    let mut wrong = Vec::new();
    for source in &sources {
        let stage = source.stage();
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(known, _)| *known == stage) else {
            wrong.push(format!("{}: a stage of its own", source.path));
            continue;
        };
        for (at, path) in imports(source) {
            let first = path[0].as_str();
            let config = path.last().is_some_and(|last| last == "Config");
            let may = first == stage
                || !stages.contains(first)
                || allowed.contains(&"*")
                || allowed.contains(&first)
                || config && allowed.contains(&"*::Config");
            if !may {
                let place = source.place(at);
                wrong.push(format!("{place}: {stage} imports {}", path.join("::")));
            }
        }
    }
    tell(
        &wrong,
        "Move what is needed to a stage that both may import, or pass it in from `app`. A new stage, or a new \
         dependency that the journey really has, is written into MAY_IMPORT in tests/tidy.rs.",
    );
}

#[test]
fn no_stages_import_each_other_in_a_circle() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    loop {
        let ready = |stage: &&&str| {
            let mut below = allowed[**stage].iter();
            !settled.contains(**stage)
                && below.all(|below| below.starts_with('*') || settled.contains(below))
        };
        let Some(stage) = allowed.keys().find(ready).copied() else {
            break;
        };
        settled.insert(stage);
    }
    let wrong: Vec<_> = allowed
        .keys()
        .filter(|stage| !settled.contains(**stage))
        .collect();
    tell(
        &wrong,
        "Take one of these out of MAY_IMPORT in tests/tidy.rs.",
    );
}

#[test]
fn files_are_short() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            wrong.push(format!("{}: {lines} lines", source.path));
        }
    }
    tell(
        &wrong,
        &format!(
            "A file has at most {FILE_LINES} lines. Make a folder of it, with a file for each thing that it does."
        ),
    );
}

#[test]
fn functions_are_short() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        for (at, name) in functions(&source) {
            let Some(open) = body(&source, at) else {
                continue;
            };
            let close = source.closing(open);
            let inside = source.tokens[open + 1..close].iter();
            let lines: BTreeSet<usize> = inside.map(|token| token.line).collect();
            if lines.len() > FUNCTION_LINES && !source.tokens[at].test {
                let (place, lines) = (source.place(at), lines.len());
                wrong.push(format!("{place}: {name} has {lines} lines"));
            }
        }
    }
    tell(
        &wrong,
        &format!(
            "A function has at most {FUNCTION_LINES} lines of code, and rarely more than 25. Keep the branching in \
             it and give the plain work to functions below it."
        ),
    );
}

#[test]
fn files_say_what_they_are() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let lines = source.text.lines();
        let doc = lines.take_while(|line| line.starts_with("//!")).count();
        let least = if is_list(&source) {
            1
        } else {
            *DOC_LINES.start()
        };
        if !(least..=*DOC_LINES.end()).contains(&doc) {
            wrong.push(format!("{}: {doc} lines", source.path));
        }
    }
    tell(
        &wrong,
        "A file that is more than a list of modules begins with 3 to 15 lines of `//!`: what it does, what it \
         deliberately does not do, and what stands before and after it on the journey.",
    );
}

#[test]
fn names_say_what_a_thing_is() {
    const FILES: &[&str] = &[
        "util", "utils", "common", "helper", "helpers", "manager", "misc",
    ];
    const FUNCTIONS: &[&str] = &["process_", "do_", "handle_"];
    let mut wrong = Vec::new();
    for source in sources("src") {
        let mut names = source.path.trim_end_matches(".rs").split(['/', '_']);
        if names.any(|name| FILES.contains(&name)) {
            wrong.push(source.path.clone());
        }
        for (at, name) in functions(&source) {
            if FUNCTIONS.iter().any(|start| name.starts_with(start)) {
                wrong.push(format!("{}: {name}", source.place(at)));
            }
        }
    }
    tell(
        &wrong,
        &format!(
            "Name a file by the thing it holds (not {}) and a function by what it does to what (not {}).",
            FILES.join(", "),
            FUNCTIONS.join(", ")
        ),
    );
}

#[test]
fn nothing_panics_on_purpose() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        if MAY_PANIC.iter().any(|(path, _)| *path == source.path) {
            continue;
        }
        for at in 0..source.tokens.len() {
            let panics = ["unwrap", "expect", "unwrap_err", "expect_err"]
                .iter()
                .any(|name| source.reads(at, &[".", name, "("]))
                || ["panic", "todo", "unimplemented"]
                    .iter()
                    .any(|name| source.reads(at, &[name, "!"]))
                || source.reads(at, &["unreachable", "!", "(", ")"]);
            if panics && !source.tokens[at].test {
                wrong.push(source.place(at));
            }
        }
    }
    tell(
        &wrong,
        "Nothing that a client or an upstream sends may panic. Return an error, or make the impossible case \
         impossible to write; `unreachable!` says why it is. The last resort is MAY_PANIC in tests/tidy.rs, with a \
         reason.",
    );
}

#[test]
fn the_environment_is_read_by_the_configuration_alone() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        for at in 0..source.tokens.len() {
            let reads = ["var", "vars", "var_os", "vars_os"]
                .iter()
                .any(|name| source.reads(at, &["env", ":", ":", name]));
            if reads && source.stage() != "config" && !source.tokens[at].test {
                wrong.push(source.place(at));
            }
        }
    }
    tell(
        &wrong,
        "Make it a key of the configuration: a variable SABIR__… then comes with it.",
    );
}

#[test]
fn no_test_is_switched_off() {
    let mut wrong = Vec::new();
    for source in sources("src").iter().chain(&sources("tests")) {
        for at in 0..source.tokens.len() {
            // A child process that a test starts is a test to cargo, and not to be run alone.
            let child = source.tokens.get(at + 4);
            if source.reads(at, &["#", "[", "ignore"])
                && child.is_none_or(|reason| reason.text != "started by another test")
            {
                wrong.push(source.place(at));
            }
        }
    }
    tell(
        &wrong,
        "Mend the test or take it away; a skipped one looks like a passed one.",
    );
}

#[test]
fn what_a_dialect_says_stands_in_its_mapping_alone() {
    let wire = wire_words();
    let mut wrong = Vec::new();
    // The log speaks to nobody but the operator.
    for source in sources("src")
        .iter()
        .filter(|source| source.stage() != "log")
    {
        let config = source.stage() == "config";
        let names = config || source.path == "src/dialect/builtin.rs";
        for (at, token) in source.tokens.iter().enumerate() {
            if token.kind != Kind::Text || token.test {
                continue;
            }
            let key = config && CONFIGURATION.contains(&token.text.as_str());
            let found = wire
                .iter()
                .find(|(word, _)| !key && holds(&token.text, word));
            if let Some((word, mapping)) = found {
                wrong.push(format!("{}: {word:?} is {mapping}'s", source.place(at)));
            }
            if !names && BUILTIN.iter().any(|(name, ..)| *name == token.text) {
                wrong.push(format!("{}: names {}", source.place(at), token.text));
            }
        }
    }
    tell(
        &wrong,
        "Code may not know an exchange, a member or a text of any one dialect: say it in the mapping, and if the \
         language has no way to, give it one that any mapping can use.",
    );
}

#[test]
fn every_mapping_has_good_and_bad_cases() {
    let mut wrong = Vec::new();
    for path in files(&root().join("mappings"), "toml") {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let cases = cases(&name);
        let bad = cases.iter().filter(|case| {
            case.section("refusal").is_some()
                || case
                    .section("outcome")
                    .is_some_and(|outcome| outcome.contains("fault"))
        });
        let bad = bad.count();
        if bad == 0 || bad == cases.len() {
            let good = cases.len() - bad;
            wrong.push(format!("{}: {good} good, {bad} bad", short(&path)));
        }
        if !BUILTIN.iter().any(|(builtin, ..)| *builtin == name) {
            wrong.push(format!("{}: not built in", short(&path)));
        }
    }
    tell(
        &wrong,
        "Add cases to tests/golden/<dialect>/, and the name to src/dialect/builtin.rs and tests/golden.rs.",
    );
}

#[test]
fn contributing_names_the_suites_that_there_are() {
    let text = document("CONTRIBUTING.md");
    let named: BTreeSet<&str> = text
        .split('`')
        .filter(|name| name.starts_with("tests/") && name.ends_with(".rs"))
        .collect();
    let suites = files(&root().join("tests"), "rs");
    let suites: BTreeSet<String> = suites
        .iter()
        .filter(|path| path.parent() == Some(&root().join("tests")))
        .map(|path| short(path))
        .collect();
    let mut wrong = Vec::new();
    let gone = named.iter().filter(|name| !suites.contains(**name));
    wrong.extend(gone.map(|name| format!("{name}: named, and not there")));
    let unnamed = suites.iter().filter(|name| !named.contains(name.as_str()));
    wrong.extend(unnamed.map(|name| format!("{name}: there, and not named")));
    tell(
        &wrong,
        "Keep the table of suites in CONTRIBUTING.md as it is in tests/.",
    );
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    let shallow = std::fs::read_dir(root()).unwrap();
    let mut paths: Vec<_> = shallow.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    for folder in ["docs", "mappings"] {
        paths.extend(files(&root().join(folder), "md"));
    }
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let links = text.split("](").skip(1);
        for link in links.filter_map(|rest| rest.split_once(')')) {
            let target = link.0.split('#').next().unwrap_or_default();
            let folder = path.parent().unwrap_or(root());
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                wrong.push(format!("{}: {target}", short(&path)));
            }
        }
    }
    tell(&wrong, "Write the file, or take the link away.");
}

// ------------------------------------------------------------------------------------------- what the rules look at

/// Fails with every place and what to do.
fn tell<T: std::fmt::Display>(wrong: &[T], what_to_do: &str) {
    let places: Vec<String> = wrong.iter().map(|place| format!("  {place}")).collect();
    assert!(
        wrong.is_empty(),
        "\n{}\n\n{what_to_do}\n",
        places.join("\n")
    );
}

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Is there nothing in the file but modules and what it takes out of them?
fn is_list(source: &Source) -> bool {
    const DEFINES: &[&str] = &[
        "fn",
        "struct",
        "enum",
        "trait",
        "impl",
        "const",
        "static",
        "type",
        "macro_rules",
    ];
    let mut words = source
        .tokens
        .iter()
        .filter(|token| token.kind == Kind::Word);
    !words.any(|token| DEFINES.contains(&token.text.as_str()))
}

/// Every function's name, and where it stands.
fn functions(source: &Source) -> Vec<(usize, &str)> {
    let named = (1..source.tokens.len())
        .filter(|at| source.says(at - 1, "fn") && source.tokens[*at].kind == Kind::Word);
    named
        .map(|at| (at, source.tokens[at].text.as_str()))
        .collect()
}

/// The brace that opens a function's body, if it has one.
fn body(source: &Source, name: usize) -> Option<usize> {
    let mut at = name;
    loop {
        let token = source.tokens.get(at)?;
        match (token.kind, token.text.as_str()) {
            (Kind::Sign, "{") => return Some(at),
            (Kind::Sign, ";") => return None,
            (Kind::Sign, "(" | "[") => at = source.closing(at) + 1,
            _ => at += 1,
        }
    }
}

/// Every path that begins at the crate's root, with the place where it stands.
fn imports(source: &Source) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let krate = if source.stage() == "main" {
        "sabir"
    } else {
        "crate"
    };
    let mut at = 0;
    while at < source.tokens.len() {
        let start = at;
        let rooted = if source.reads(at, &[krate, ":", ":"]) {
            at += 3;
            true
        } else {
            let mut supers = 0;
            while source.reads(at, &["super", ":", ":"]) {
                supers += 1;
                at += 3;
            }
            supers > 0 && supers >= source.depth()
        };
        if rooted {
            let mut paths = Vec::new();
            leaves(source, at, &[], &mut paths);
            found.extend(paths.into_iter().map(|path| (start, path)));
        }
        at = at.max(start + 1);
    }
    found
}

/// The paths of a tree as `use` has them: `a::{b, c::d}` are two. Gives the place after it.
fn leaves(source: &Source, at: usize, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    if source.says(at, "{") {
        let close = source.closing(at);
        let mut next = at + 1;
        while next < close {
            let after = leaves(source, next, before, found);
            next = if source.says(after, ",") {
                after + 1
            } else {
                after.max(next + 1)
            };
        }
        return close + 1;
    }
    let Some(token) = source.tokens.get(at) else {
        return at;
    };
    let path = [before, std::slice::from_ref(&token.text)].concat();
    if source.reads(at + 1, &[":", ":"]) {
        return leaves(source, at + 3, &path, found);
    }
    found.push(path);
    at + 1
}
