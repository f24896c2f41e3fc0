//! The first pass over a document's text: what it has of everything, and where its lines begin.
//!
//! The parser behind it calls itself for every bracket; what no lexer could read is told in Absinthe's words; and a
//! document with more names, brackets or directives than any client has is refused before it costs anything. What
//! Absinthe reads and the specification does not have is replaced.

use std::cell::OnceCell;

use unicode_segmentation::UnicodeSegmentation;

use super::Pos;
use super::document::Failure;

/// Bytes of a document.
pub const MAX_BYTES: usize = 65_536;
const MAX_DEPTH: usize = 64;
const MAX_TOKENS: usize = 4_000;
const MAX_DIRECTIVES: usize = 100;
const MAX_SPREADS: usize = 200;
const MAX_COLONS: usize = 1_000;
/// More lines than most documents have.
const USUAL_LINES: usize = 24;

/// Classes of bytes: what stands between tokens on a line, what goes on with a name, with a comment.
const BLANK: u8 = 1;
const NAME: u8 = 2;
const COMMENT: u8 = 4;

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
            _ if sign.is_ascii_alphanumeric() => NAME | COMMENT,
            _ => COMMENT,
        };
        byte += 1;
    }
    classes
};

/// A sign, a name, a number or a text, and the byte with which it begins.
pub struct Token<'t> {
    pub text: &'t str,
    pub at: usize,
}

/// A walk over a text's tokens.
pub struct Scan<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    counts: [usize; 4],
    /// Those that it has come to.
    pub lines: Lines,
    /// There is something in the text.
    pub tokens: bool,
    /// It has what only Absinthe reads.
    pub unusual: bool,
    /// Where backslashes stand in texts that escape nothing: Absinthe takes them for themselves.
    pub backslashes: Vec<usize>,
}

impl<'t> Scan<'t> {
    pub fn new(text: &'t str) -> Scan<'t> {
        let mut starts = Vec::with_capacity(USUAL_LINES);
        starts.push(0);
        let lines = Lines {
            starts,
            letters: OnceCell::new(),
        };
        Scan {
            text,
            at: 0,
            depth: 0,
            counts: [0; 4],
            lines,
            tokens: false,
            unusual: false,
            backslashes: Vec::new(),
        }
    }

    fn place(&self) -> Pos {
        self.place_of(self.at)
    }

    /// Goes over the whole text.
    ///
    /// # Errors
    /// It has what no lexer reads, or too much of something.
    pub fn run(&mut self) -> Result<(), Failure> {
        if self.text.len() > MAX_BYTES {
            return Err(Failure::one(
                format!("The document is larger than {MAX_BYTES} bytes"),
                Pos::START,
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
                b'$' => {
                    self.at += 1;
                    self.unusual |= !self.is(NAME);
                }
                b'!' | b'=' | b'|' => self.at += 1,
                b'"' => {
                    self.token(0)?;
                    self.string()?;
                }
                b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                    self.token(1)?;
                    self.skip(NAME);
                }
                b'-' | b'0'..=b'9' => {
                    self.token(0)?;
                    if !self.number() {
                        return Err(self.unreadable());
                    }
                }
                _ => return Err(self.unreadable()),
            }
        }
        Ok(())
    }

    /// Is the next byte of a class?
    fn is(&self, class: u8) -> bool {
        let next = self.text.as_bytes().get(self.at);
        next.is_some_and(|byte| CLASSES[usize::from(*byte)] & class != 0)
    }

    /// Goes over the bytes of a class.
    fn skip(&mut self, class: u8) {
        while self.is(class) {
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
        let sample: String = self.text[self.at..].graphemes(true).take(10).collect();
        Failure::one(format!("Parsing failed at `{sample}`"), self.place())
    }

    /// Skips blanks and comments; the first byte of the token behind them.
    fn next_token(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            self.skip(BLANK);
            match *bytes.get(self.at)? {
                b'\n' => {
                    self.at += 1;
                    self.lines.starts.push(self.at);
                }
                // Absinthe takes it for a blank, and counts no line.
                b'\r' => self.at += 1,
                b'&' => {
                    self.unusual = true;
                    self.at += 1;
                }
                0xef if self.text[self.at..].starts_with('\u{feff}') => self.at += 3,
                b'#' => self.skip(COMMENT),
                byte => return Some(byte),
            }
        }
    }

    /// Goes over a number, if there is one: what Absinthe takes for one ends where its grammar ends.
    fn number(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        let is = |at: usize, signs: &[u8]| bytes.get(at).is_some_and(|sign| signs.contains(sign));
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let start = self.at + usize::from(is(self.at, b"-"));
        let mut end = if is(start, b"0") {
            start + 1
        } else {
            digits(start)
        };
        if end == start {
            return false;
        }
        if is(end, b".") && digits(end + 1) > end + 1 {
            end = digits(end + 1);
        }
        let exponent = end + 1 + usize::from(is(end + 1, b"+-"));
        if is(end, b"eE") && digits(exponent) > exponent {
            end = digits(exponent);
        }
        self.at = end;
        true
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
                Some(b'\\') if !block => {
                    let escape = escapes(&bytes[at + 1..]);
                    if !escape {
                        self.unusual = true;
                        self.backslashes.push(at);
                    }
                    at += 1 + usize::from(escape);
                }
                Some(_) => at += 1,
            }
        }
        let newlines = bytes[start..at]
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n');
        self.lines
            .starts
            .extend(newlines.map(|(offset, _)| start + offset + 1));
        self.at = at;
        Ok(())
    }

    /// The text as the specification has it: Absinthe's blanks as blanks, a variable's sign next to its name, and a
    /// second backslash before each that stands for itself. Nothing else moves.
    pub fn usual(&self) -> String {
        let mut scan = Scan::new(self.text);
        let mut usual = self.text.as_bytes().to_vec();
        let mut from = 0;
        while let Some(byte) = scan.next_token() {
            blank(&mut usual[from..scan.at]);
            let start = scan.at;
            scan.over(byte);
            if byte == b'$' && !scan.is(NAME) && scan.next_token().is_some() {
                usual[start..scan.at].fill(b' ');
                usual[scan.at - 1] = b'$';
            }
            from = scan.at;
        }
        blank(&mut usual[from..]);
        let mut whole = Vec::with_capacity(usual.len() + self.backslashes.len());
        let mut from = 0;
        for at in &self.backslashes {
            whole.extend_from_slice(&usual[from..*at]);
            whole.push(b'\\');
            from = *at;
        }
        whole.extend_from_slice(&usual[from..]);
        String::from_utf8(whole).unwrap_or_default()
    }

    /// Goes over a token that begins with this byte, a sign for anything but names, numbers and texts.
    fn over(&mut self, byte: u8) {
        match byte {
            b'"' if self.string().is_ok() => {}
            b'.' if self.text[self.at..].starts_with("...") => self.at += 3,
            b'-' | b'0'..=b'9' if self.number() => {}
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => self.skip(NAME),
            _ => {
                let char = self.text[self.at..].chars().next();
                self.at += char.map_or(1, char::len_utf8);
            }
        }
    }

    /// The next token of a text that has been gone over.
    pub fn token_in(&mut self) -> Option<Token<'t>> {
        let byte = self.next_token()?;
        let at = self.at;
        self.over(byte);
        let text = &self.text[at..self.at];
        Some(Token { text, at })
    }

    /// Where a byte stands that it has come to.
    pub fn place_of(&self, at: usize) -> Pos {
        self.lines.place(self.text, at)
    }
}

/// Where a text's lines begin; and its letters, once somebody asks for a place behind some that are more than a byte.
#[derive(Debug)]
pub struct Lines {
    starts: Vec<usize>,
    letters: OnceCell<Vec<usize>>,
}

impl Lines {
    /// Where a byte of the text stands.
    pub fn place(&self, text: &str, at: usize) -> Pos {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).map_or(0, |line| self.starts[line]);
        let before = &text[start..at];
        let column = if before.is_ascii() {
            before.len()
        } else {
            let letters = || text.grapheme_indices(true).map(|(at, _)| at).collect();
            let letters = self.letters.get_or_init(letters);
            let before = |at: usize| letters.partition_point(|letter| *letter < at);
            before(at) - before(start)
        };
        Pos {
            line,
            column: column + 1,
        }
    }
}

/// Do these bytes, behind a backslash, begin with what it escapes?
fn escapes(rest: &[u8]) -> bool {
    match rest {
        [b'u', digits @ ..] => digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_hexdigit),
        [sign, ..] => b"\"\\/bfnrt".contains(sign),
        [] => false,
    }
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
