//! Golden cases: one exchange per file, as raw bytes and as the model's records.

use std::path::{Path, PathBuf};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sabir::dialect::client::Request;
use sabir::dialect::fields;

pub struct Case {
    pub path: PathBuf,
    pub role: String,
    pub door: Option<String>,
    pub sections: Vec<(String, String)>,
}

/// An HTTP message as a case spells it.
pub struct Message {
    pub first: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// Every case of a dialect, sorted by name.
pub fn cases(dialect: &str) -> Vec<Case> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    cases_in(&golden.join(dialect))
}

/// Every case of a folder, sorted by name.
pub fn cases_in(folder: &Path) -> Vec<Case> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "case"))
        .collect();
    paths.sort();
    paths.iter().map(|path| Case::read(path)).collect()
}

impl Case {
    pub fn read(path: &Path) -> Case {
        Case::parse(path, &std::fs::read_to_string(path).unwrap())
    }

    /// A case that stands in another file.
    pub fn parse(path: &Path, text: &str) -> Case {
        let (head, rest) = text.split_once("\n--- ").unwrap_or((text, ""));
        let setting = |key: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
                .map(|value| value.trim().to_owned())
        };
        let sections = rest
            .split("\n--- ")
            .filter(|section| !section.is_empty())
            .map(|section| {
                let (name, body) = section.split_once('\n').unwrap_or((section, ""));
                (
                    name.trim().to_owned(),
                    body.strip_suffix('\n').unwrap_or(body).to_owned(),
                )
            })
            .collect();
        Case {
            path: path.to_owned(),
            role: setting("role").unwrap_or_else(|| "both".into()),
            door: setting("door"),
            sections,
        }
    }

    pub fn section(&self, name: &str) -> Option<&str> {
        self.sections
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, body)| body.as_str())
    }

    pub fn table(&self, name: &str) -> Option<Result<toml::Table, String>> {
        self.section(name).map(|text| {
            text.parse::<toml::Table>()
                .map_err(|why| format!("{name}: {why}"))
        })
    }

    pub fn message(&self, name: &str) -> Option<Message> {
        self.section(name).map(Message::read)
    }

    pub fn serves(&self) -> bool {
        self.role != "client"
    }

    pub fn calls(&self) -> bool {
        self.role != "server"
    }

    pub fn name(&self) -> String {
        let folder = self
            .path
            .parent()
            .and_then(Path::file_name)
            .unwrap_or_default();
        format!(
            "{}/{}",
            folder.to_string_lossy(),
            self.path.file_stem().unwrap_or_default().to_string_lossy()
        )
    }
}

impl Message {
    pub fn read(text: &str) -> Message {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let first = lines.next().unwrap_or_default().to_owned();
        let headers = map(lines);
        // Multipart bodies have lines of their own kind.
        let multipart = headers
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"));
        let body = if multipart {
            body.replace('\n', "\r\n")
        } else {
            body.to_owned()
        };
        Message {
            first,
            headers,
            body,
        }
    }

    pub fn method(&self) -> Method {
        self.first
            .split(' ')
            .next()
            .unwrap_or_default()
            .parse()
            .unwrap()
    }

    pub fn target(&self) -> &str {
        self.first.split(' ').nth(1).unwrap_or("/")
    }

    pub fn status(&self) -> u16 {
        self.first
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0)
    }
}

/// Header lines as a map.
pub fn map<'l>(lines: impl Iterator<Item = &'l str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if let (Ok(name), Ok(value)) = (
            name.trim().parse::<HeaderName>(),
            HeaderValue::from_str(value.trim()),
        ) {
            headers.append(name, value);
        }
    }
    headers
}

/// A map of headers as the lines that it is on the wire.
pub fn lines(headers: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        assert!(fields::add(&mut lines, name, value.as_bytes()));
    }
    lines
}

/// The path, the query and the headers of a request that a dialect's client wrote.
pub fn parts(request: &Request) -> (&str, &str, HeaderMap) {
    let target = std::str::from_utf8(request.target()).unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let lines = std::str::from_utf8(request.fields()).unwrap();
    (path, query, map(lines.lines()))
}
