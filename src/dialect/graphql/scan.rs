//! The first pass over a document's text: what it has of everything, and where its lines begin.
//!
//! The parser behind it calls itself for every bracket; what no lexer could read is told in Absinthe's words; and a
//! document with more names, brackets or directives than any client has is refused before it costs anything. What
//! Absinthe takes for blanks and the specification does not is replaced; nothing moves by that.

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
pub struct Scan<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    counts: [usize; 4],
    /// Where the lines begin that it has come to.
    pub lines: Vec<usize>,
    /// There is something in the text.
    pub tokens: bool,
    /// It has blanks that only Absinthe takes for such.
    pub unusual: bool,
}

impl<'t> Scan<'t> {
    pub fn new(text: &'t str) -> Scan<'t> {
        let mut lines = Vec::with_capacity(USUAL_LINES);
        lines.push(0);
        Scan {
            text,
            at: 0,
            depth: 0,
            counts: [0; 4],
            lines,
            tokens: false,
            unusual: false,
        }
    }

    fn place(&self) -> Pos {
        place(self.text, &self.lines, self.at)
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
                    self.token(1)?;
                    self.skip(NUMBER);
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
                    self.unusual = true;
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
        self.lines.push(self.at);
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
        self.lines
            .extend(newlines.map(|(offset, _)| start + offset + 1));
        self.at = at;
        Ok(())
    }

    /// The text as the specification has it: Absinthe's blanks as blanks, and a variable's sign next to its name.
    /// Each byte stays where it is.
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
        String::from_utf8(usual).unwrap_or_default()
    }

    /// Goes over a token that begins with this byte, a sign for anything but names and texts.
    fn over(&mut self, byte: u8) {
        match byte {
            b'"' if self.string().is_ok() => {}
            b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => self.skip(NAME),
            _ => {
                let char = self.text[self.at..].chars().next();
                self.at += char.map_or(1, char::len_utf8);
            }
        }
    }

    /// The first token at or behind a byte. Behind the last there is none to name, and yacc gives the place of the last.
    pub fn token_from(&mut self, from: usize) -> (usize, Pos) {
        let mut last = self.place();
        while let Some(byte) = self.next_token() {
            if self.at >= from {
                return (self.at, self.place());
            }
            last = self.place();
            // A place within a word or a text is a place behind it.
            self.over(byte);
        }
        (self.text.len(), last)
    }

    /// Where the last token begins that does so before a byte.
    pub fn token_before(&mut self, end: usize) -> usize {
        let mut last = self.at;
        while let Some(byte) = self.next_token() {
            if self.at >= end {
                break;
            }
            last = self.at;
            self.over(byte);
        }
        last
    }
}

/// Where a byte stands in a text whose lines begin at these.
pub fn place(text: &str, lines: &[usize], at: usize) -> Pos {
    let line = lines.partition_point(|start| *start <= at);
    let start = line.checked_sub(1).map_or(0, |line| lines[line]);
    Pos {
        line,
        column: text[start..at].chars().count() + 1,
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
