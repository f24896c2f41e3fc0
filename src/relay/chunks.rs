//! A body in chunks, put together in the place where it was read.
//!
//! What was read stays in one buffer: pieces move down over the lines between them. As strict as hyper's client, in
//! places stricter: a line has its whole end, a size is at most sixteen digits, and what is neither head nor body is
//! bounded. Extensions and trailers are looked at for their form alone and dropped.

use std::ops::Range;

use httparse::Status;
use memchr::memchr;

use super::reply::{Limits, MOST_HEADERS};
use super::upstream::Unknown;

const LINE_END: &[u8] = b"\r\n";
/// Digits that a size of 64 bits has at most.
const DIGITS: usize = 16;

/// Where in a body the reading stands.
pub(super) struct Chunks {
    /// The pieces so far.
    pub body: Range<usize>,
    /// What was not looked at yet begins here.
    pub next: usize,
    stage: Stage,
    /// What extensions and trailers may still take.
    spare: usize,
}

enum Stage {
    Size,
    /// So much of a piece is still to come.
    Data(usize),
    /// The end of the line behind a piece.
    DataEnd,
    Trailers,
}

/// What one look at the bytes came to.
enum Step {
    On,
    /// More must be read.
    Short,
    Complete,
}

impl Chunks {
    pub fn new(begin: usize, limits: &Limits) -> Chunks {
        Chunks {
            body: begin..begin,
            next: begin,
            stage: Stage::Size,
            spare: limits.head_bytes,
        }
    }

    /// Puts together what has been read. True at the end of the body.
    pub fn read(&mut self, bytes: &mut Vec<u8>, limits: &Limits) -> Result<bool, Unknown> {
        loop {
            let step = match self.stage {
                Stage::Size => self.size(&bytes[self.next..], limits)?,
                Stage::Data(left) => self.data(bytes, left),
                Stage::DataEnd => self.data_end(&bytes[self.next..])?,
                Stage::Trailers => self.trailers(&bytes[self.next..], limits)?,
            };
            match step {
                Step::On => {}
                Step::Complete => return Ok(true),
                Step::Short => break,
            }
        }
        // The room of the lines that are done with is read into again.
        bytes.copy_within(self.next.., self.body.end);
        bytes.truncate(self.body.end + bytes.len() - self.next);
        self.next = self.body.end;
        Ok(false)
    }

    fn size(&mut self, rest: &[u8], limits: &Limits) -> Result<Step, Unknown> {
        let Some(end) = memchr(b'\n', rest) else {
            return self.partial(rest, DIGITS + LINE_END.len());
        };
        let line = rest[..end].strip_suffix(b"\r").ok_or(Unknown::Chunk)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let (digits, extension) = line.split_at(digits.count());
        self.take(extension.len())?;
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
        let first = extension.iter().find(|byte| !blank(byte));
        if first.is_some_and(|first| *first != b';') || memchr(b'\r', extension).is_some() {
            return Err(Unknown::Chunk);
        }
        let size = size(digits).ok_or(Unknown::Chunk)?;
        let limit = limits.reply_bytes;
        let left = usize::try_from(size).ok();
        let left = left.filter(|left| *left <= limit - self.body.len());
        let left = left.ok_or(Unknown::TooLarge { limit })?;
        self.next += end + 1;
        self.stage = match left {
            0 => Stage::Trailers,
            _ => Stage::Data(left),
        };
        Ok(Step::On)
    }

    fn data(&mut self, bytes: &mut [u8], left: usize) -> Step {
        let here = left.min(bytes.len() - self.next);
        bytes.copy_within(self.next..self.next + here, self.body.end);
        self.next += here;
        self.body.end += here;
        if here < left {
            self.stage = Stage::Data(left - here);
            return Step::Short;
        }
        self.stage = Stage::DataEnd;
        Step::On
    }

    fn data_end(&mut self, rest: &[u8]) -> Result<Step, Unknown> {
        if let Some(b"\r\n") = rest.get(..2) {
            self.next += 2;
            self.stage = Stage::Size;
            return Ok(Step::On);
        }
        match rest {
            [] | [b'\r'] => Ok(Step::Short),
            _ => Err(Unknown::Chunk),
        }
    }

    fn trailers(&mut self, rest: &[u8], limits: &Limits) -> Result<Step, Unknown> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let fields = &mut fields[..limits.headers.min(MOST_HEADERS)];
        match httparse::parse_headers(rest, fields).map_err(Unknown::Head)? {
            Status::Partial => self.partial(rest, LINE_END.len()),
            Status::Complete((end, _)) => {
                self.take(end - LINE_END.len().min(end))?;
                // httparse lets a line end without its first half.
                let mut lines = rest[..end].split_inclusive(|byte| *byte == b'\n');
                if !lines.all(|line| line.ends_with(LINE_END)) {
                    return Err(Unknown::Chunk);
                }
                self.next += end;
                Ok(Step::Complete)
            }
        }
    }

    /// Is there still room for what has only begun, besides what need not be counted?
    fn partial(&self, rest: &[u8], uncounted: usize) -> Result<Step, Unknown> {
        match rest.len() <= self.spare.saturating_add(uncounted) {
            true => Ok(Step::Short),
            false => Err(Unknown::Chunk),
        }
    }

    fn take(&mut self, bytes: usize) -> Result<(), Unknown> {
        self.spare = self.spare.checked_sub(bytes).ok_or(Unknown::Chunk)?;
        Ok(())
    }
}

fn size(digits: &[u8]) -> Option<u64> {
    if !(1..=DIGITS).contains(&digits.len()) {
        return None;
    }
    let mut digits = digits.iter().map(|byte| char::from(*byte).to_digit(16));
    digits.try_fold(0, |size, digit| Some(size << 4 | u64::from(digit?)))
}
