//! Conversations with a running Sabir, as files: every byte that a client sends, and every byte that it is told.
//!
//! Each case in `tests/conversations/<dialect>/` begins anew, with the configuration beside it, and holds requests and
//! their replies in turn. `…` in a reply stands for what is new each time. `UPDATE=1` writes replies that are missing.

mod support;

use std::path::Path;
use std::sync::Mutex;

use support::case::{Case, Message, cases_in};
use support::running::{Answer, Sabir};

/// Fields that are new each time, wherever they stand.
const FRESH: [&str; 5] = [
    "insertedAt",
    "updatedAt",
    "access_token",
    "refresh_token",
    "created_at",
];

#[test]
fn glimesh() {
    let cases = converse("glimesh");
    let errors = cases.iter().filter(|case| {
        let last = case.sections.last().unwrap();
        last.1.contains("error") || !last.1.starts_with("HTTP/1.1 2")
    });
    let errors = errors.count();
    assert!(cases.len() >= 80, "{} cases", cases.len());
    assert!(errors * 2 >= cases.len(), "{errors} errors");
}

/// Holds every conversation of a dialect.
fn converse(dialect: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/conversations")
        .join(dialect);
    let config = std::fs::read_to_string(folder.join("config.toml")).unwrap();
    let cases = cases_in(&folder);
    let (next, wrong) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(case) = next.lock().unwrap().next() else {
                        break;
                    };
                    if let Err(why) = hold(case, &config) {
                        wrong
                            .lock()
                            .unwrap()
                            .push(format!("== {}\n{why}", case.name()));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} of {} conversations:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    cases
}

/// Holds one conversation.
fn hold(case: &Case, config: &str) -> Result<(), String> {
    let sabir = Sabir::start(config);
    let update = std::env::var_os("UPDATE").is_some();
    let mut written = Vec::new();
    let mut sections = case.sections.iter().peekable();
    while let Some((name, text)) = sections.next() {
        if name != "request" {
            return Err(format!("a {name} where a request is awaited"));
        }
        let answer = asked(&sabir, &Message::read(text))?;
        written.push(("request", text.clone()));
        match sections.next_if(|(name, _)| name == "reply") {
            Some((_, wanted)) => {
                compare(&Message::read(wanted), &answer)?;
                written.push(("reply", wanted.clone()));
            }
            None if update => written.push(("reply", as_reply(&answer))),
            None => return Err("a request without a reply; UPDATE=1 writes it".into()),
        }
    }
    if update {
        write(case, &written);
    }
    Ok(())
}

fn asked(sabir: &Sabir, request: &Message) -> Result<Answer, String> {
    let (method, target) = request
        .first
        .split_once(' ')
        .ok_or("a request begins with its method")?;
    let headers: Vec<(&str, &str)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    Ok(sabir.ask(method, target, &headers, &request.body))
}

fn compare(wanted: &Message, got: &Answer) -> Result<(), String> {
    let headers = wanted
        .headers
        .iter()
        .all(|(name, value)| got.header(name.as_str()) == Some(value.to_str().unwrap_or_default()));
    if wanted.status() == got.status && headers && fits(&wanted.body, &got.body) {
        return Ok(());
    }
    Err(format!(
        " wanted\n{}\n{}\n got\n{}\n\n{}",
        wanted.first, wanted.body, got.head, got.body
    ))
}

/// Is the text as wanted, with anything but quotes in the place of each `…`?
fn fits(wanted: &str, got: &str) -> bool {
    let mut pieces = wanted.split('…');
    let Some(mut rest) = pieces.next().and_then(|first| got.strip_prefix(first)) else {
        return false;
    };
    for piece in pieces {
        let end = rest.find(['"', '\'']).unwrap_or(rest.len());
        let Some(behind) = rest[end..].strip_prefix(piece) else {
            return false;
        };
        rest = behind;
    }
    rest.is_empty()
}

/// An answer as a case spells it, to be read before it is believed.
fn as_reply(answer: &Answer) -> String {
    let mut body = answer.body.clone();
    for field in FRESH {
        let name = format!("\"{field}\":\"");
        let mut from = 0;
        while let Some(at) = body[from..].find(&name) {
            let start = from + at + name.len();
            let end = start + body[start..].find('"').unwrap();
            body.replace_range(start..end, "…");
            from = start;
        }
    }
    let kind = answer
        .header("content-type")
        .map(|kind| format!("Content-Type: {kind}\n"))
        .unwrap_or_default();
    format!("HTTP/1.1 {}\n{kind}\n{body}", answer.status)
}

fn write(case: &Case, sections: &[(&str, String)]) {
    let before = std::fs::read_to_string(&case.path).unwrap();
    let head = before.split("\n--- ").next().unwrap_or_default();
    let mut text = format!("{head}\n");
    for (name, section) in sections {
        text += &format!("--- {name}\n{section}\n");
    }
    std::fs::write(&case.path, text).unwrap();
}
