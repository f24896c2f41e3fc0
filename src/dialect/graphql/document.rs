//! A document's text: guarded, then parsed.
//!
//! One pass over the bytes comes first. The parser calls itself for every bracket and would end the process on a few
//! thousand of them; what no lexer could read is told in Absinthe's words; and a document with more names, brackets
//! or directives than any client has is refused before it costs anything.

use async_graphql_parser::types::ExecutableDocument;
use async_graphql_parser::{Error as ParseError, Pos, parse_query};

use super::Error;
use crate::model::Fault;

/// Bytes of a document.
pub const MAX_BYTES: usize = 65_536;
const MAX_DEPTH: usize = 64;
const MAX_TOKENS: usize = 4_000;
const MAX_DIRECTIVES: usize = 100;
const MAX_SPREADS: usize = 200;
const MAX_COLONS: usize = 1_000;

/// Why a document comes to nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The document has mistakes.
    Errors(Vec<Error>),
    /// A plain request may not ask for it, with or without mistakes.
    Forbidden(Fault),
}

impl Failure {
    pub fn one(message: impl Into<String>, at: Pos) -> Failure {
        Failure::Errors(vec![Error::new(message, at)])
    }
}

/// Where a document begins.
pub const START: Pos = Pos { line: 1, column: 1 };

/// Reads a document.
///
/// # Errors
/// It is no GraphQL, or more of it than is read.
pub fn parse(text: &str) -> Result<ExecutableDocument, Failure> {
    let mut scan = Scan::new(text);
    scan.run()?;
    if !scan.tokens {
        return Err(Failure::one("No operations provided.", START));
    }
    let blanked;
    let clean = if scan.ampersands {
        blanked = scan.blanked();
        &blanked
    } else {
        text
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "the brackets have been counted above"
    )]
    let parsed = parse_query(clean);
    parsed.map_err(|error| Failure::Errors(told(&error, clean)))
}

fn told(error: &ParseError, text: &str) -> Vec<Error> {
    let twice = |what: &str, name: &str, first, second| {
        let message = format!("There can only be one {what} named \"{name}\".");
        vec![
            Error::new(message.clone(), first),
            Error::new(message, second),
        ]
    };
    match error {
        ParseError::Syntax { start, .. } => {
            let (offset, at) = Scan::new(text).token_from(*start);
            let message = format!("syntax error before: {}", spelt(&text[offset..]));
            vec![Error::new(message, at)]
        }
        ParseError::MultipleOperations { anonymous, .. } => vec![Error::new(
            "This anonymous operation must be the only defined operation.",
            *anonymous,
        )],
        ParseError::OperationDuplicated {
            operation,
            first,
            second,
        } => twice("operation", operation, *first, *second),
        ParseError::FragmentDuplicated {
            fragment,
            first,
            second,
        } => twice("fragment", fragment, *first, *second),
        ParseError::MissingOperation => vec![Error::new("No operations provided.", START)],
        other => vec![Error::new(other.to_string(), START)],
    }
}

/// A token as an error names it: signs and words of the language in single quotes, others in double quotes.
fn spelt(rest: &str) -> String {
    const WORDS: [&str; 7] = [
        "query",
        "mutation",
        "subscription",
        "fragment",
        "on",
        "true",
        "false",
    ];
    let Some(first) = rest.chars().next() else {
        return String::new();
    };
    if first.is_ascii_alphanumeric() || first == '_' || first == '-' {
        let end = rest[1..]
            .find(|char: char| !(char.is_ascii_alphanumeric() || char == '_' || char == '.'))
            .map_or(rest.len(), |end| end + 1);
        let word = &rest[..end];
        return if WORDS.contains(&word) {
            format!("'{word}'")
        } else {
            format!("\"{word}\"")
        };
    }
    if rest.starts_with("...") {
        return "'...'".into();
    }
    if first == '"' {
        let end = rest[1..].find('"').map_or(rest.len(), |end| end + 2);
        return format!("{:?}", &rest[..end]);
    }
    format!("'{first}'")
}

/// Classes of bytes: what stands between tokens on a line, what goes on with a name, with a number, with a comment.
const BLANK: u8 = 1;
const NAME: u8 = 2;
const NUMBER: u8 = 4;
const COMMENT: u8 = 8;

/// The classes of each byte.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < classes.len() {
        let sign = byte as u8;
        classes[byte] = match sign {
            b' ' | b'\t' | b',' => BLANK | COMMENT,
            b'\n' | b'\r' => 0,
            b'_' => NAME | COMMENT,
            b'.' | b'+' | b'-' => NUMBER | COMMENT,
            _ if sign.is_ascii_alphanumeric() => NAME | NUMBER | COMMENT,
            _ => COMMENT,
        };
        byte += 1;
    }
    classes
};

/// A walk over a text's tokens.
struct Scan<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    line_start: usize,
    depth: usize,
    counts: [usize; 4],
    tokens: bool,
    ampersands: bool,
}

impl<'t> Scan<'t> {
    fn new(text: &'t str) -> Scan<'t> {
        Scan {
            text,
            at: 0,
            line: 1,
            line_start: 0,
            depth: 0,
            counts: [0; 4],
            tokens: false,
            ampersands: false,
        }
    }

    fn place(&self) -> Pos {
        let column = self.text[self.line_start..self.at].chars().count() + 1;
        Pos {
            line: self.line,
            column,
        }
    }

    fn run(&mut self) -> Result<(), Failure> {
        if self.text.len() > MAX_BYTES {
            return Err(Failure::one(
                format!("The document is larger than {MAX_BYTES} bytes"),
                START,
            ));
        }
        while let Some(byte) = self.next_token() {
            self.tokens = true;
            match byte {
                b'{' | b'(' | b'[' => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return self.too_many("nested brackets", MAX_DEPTH);
                    }
                    self.token(1)?;
                }
                b'}' | b')' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                b'@' => self.count(0, "directives", MAX_DIRECTIVES, 1)?,
                b':' => self.count(1, "arguments and aliases", MAX_COLONS, 1)?,
                b'.' if self.text[self.at..].starts_with("...") => {
                    self.count(2, "fragment spreads", MAX_SPREADS, 3)?
                }
                b'!' | b'$' | b'=' | b'|' => self.at += 1,
                b'"' => {
                    self.token(0)?;
                    self.string()?;
                }
                b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                    self.token(1)?;
                    self.skip(NAME);
                }
                b'-' | b'0'..=b'9' => {
                    self.token(1)?;
                    self.skip(NUMBER);
                }
                _ => return Err(self.unreadable()),
            }
        }
        Ok(())
    }

    /// Goes over the bytes of a class.
    fn skip(&mut self, class: u8) {
        let bytes = self.text.as_bytes();
        let of_class = |byte: &u8| CLASSES[usize::from(*byte)] & class != 0;
        while bytes.get(self.at).is_some_and(of_class) {
            self.at += 1;
        }
    }

    /// A name, a value or an opening bracket.
    fn token(&mut self, length: usize) -> Result<(), Failure> {
        self.count(3, "names, values and brackets", MAX_TOKENS, length)
    }

    fn count(
        &mut self,
        what: usize,
        name: &str,
        most: usize,
        length: usize,
    ) -> Result<(), Failure> {
        self.counts[what] += 1;
        if self.counts[what] > most {
            return self.too_many(name, most);
        }
        self.at += length;
        Ok(())
    }

    fn too_many(&self, what: &str, most: usize) -> Result<(), Failure> {
        Err(Failure::one(
            format!("The document has more than {most} {what}"),
            self.place(),
        ))
    }

    fn unreadable(&self) -> Failure {
        let sample: String = self.text[self.at..].chars().take(10).collect();
        Failure::one(format!("Parsing failed at `{sample}`"), self.place())
    }

    /// Skips blanks and comments; the first byte of the token behind them.
    fn next_token(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            self.skip(BLANK);
            match *bytes.get(self.at)? {
                b'\n' => self.new_line(1),
                b'\r' if bytes.get(self.at + 1) == Some(&b'\n') => self.new_line(2),
                b'\r' => self.new_line(1),
                b'&' => {
                    self.ampersands = true;
                    self.at += 1;
                }
                0xef if self.text[self.at..].starts_with('\u{feff}') => self.at += 3,
                b'#' => self.skip(COMMENT),
                byte => return Some(byte),
            }
        }
    }

    fn new_line(&mut self, length: usize) {
        self.at += length;
        self.line += 1;
        self.line_start = self.at;
    }

    fn string(&mut self) -> Result<(), Failure> {
        let (start, bytes) = (self.at, self.text.as_bytes());
        let block = self.text[start..].starts_with("\"\"\"");
        let mut at = start + if block { 3 } else { 1 };
        loop {
            match bytes.get(at) {
                None => return Err(self.unreadable()),
                Some(b'"') if !block => break at += 1,
                Some(b'"') if self.text[at..].starts_with("\"\"\"") => break at += 3,
                Some(b'\n' | b'\r') if !block => return Err(self.unreadable()),
                Some(b'\\') if block && self.text[at..].starts_with("\\\"\"\"") => at += 4,
                Some(b'\\') if !block => at += 2,
                Some(_) => at += 1,
            }
        }
        // A backslash may have stepped over the end, or into a letter.
        if !self.text.is_char_boundary(at) {
            return Err(self.unreadable());
        }
        let newlines = bytes[start..at]
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n');
        for (offset, _) in newlines {
            self.line += 1;
            self.line_start = start + offset + 1;
        }
        self.at = at;
        Ok(())
    }

    /// The text with Absinthe's blanks as blanks of the specification. They are one byte each: no place moves.
    fn blanked(&self) -> String {
        let mut scan = Scan::new(self.text);
        let mut clean = self.text.as_bytes().to_vec();
        let mut from = 0;
        while scan.next_token().is_some() {
            blank(&mut clean[from..scan.at]);
            let string = scan.text.as_bytes()[scan.at] == b'"';
            if !string || scan.string().is_err() {
                let char = scan.text[scan.at..]
                    .chars()
                    .next()
                    .map_or(1, char::len_utf8);
                scan.at += char;
            }
            from = scan.at;
        }
        blank(&mut clean[from..]);
        String::from_utf8(clean).unwrap_or_default()
    }

    /// The first token at or behind a place.
    fn token_from(&mut self, from: Pos) -> (usize, Pos) {
        let from = offset(self.text, from);
        // Behind the last token there is none to name, and yacc gives the place of the last.
        let mut last = self.place();
        while let Some(byte) = self.next_token() {
            if self.at >= from {
                return (self.at, self.place());
            }
            last = self.place();
            if byte == b'"' && self.string().is_ok() {
                continue;
            }
            if byte == b'_' || byte.is_ascii_alphanumeric() {
                self.skip(NAME);
                // A place within a word is a place behind it.
                continue;
            }
            self.at += 1;
        }
        (self.text.len(), last)
    }
}

/// How many bytes stand before a place of the parser's, which knows only one kind of line end.
fn offset(text: &str, at: Pos) -> usize {
    let lines = text.split_inclusive('\n').take(at.line.saturating_sub(1));
    let line: usize = lines.map(str::len).sum();
    let mut chars = text[line..].char_indices();
    let column = chars.nth(at.column.saturating_sub(1));
    column.map_or(text.len(), |(column, _)| line + column)
}

fn blank(bytes: &mut [u8]) {
    let mut comment = false;
    for byte in bytes {
        match *byte {
            b'#' => comment = true,
            b'\n' | b'\r' => comment = false,
            b'&' if !comment => *byte = b' ',
            _ => {}
        }
    }
}
