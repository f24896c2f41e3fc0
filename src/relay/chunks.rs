//! A body in chunks, put together in the place where it was read.
//!
//! What was read stays in one buffer: pieces move down over the lines between them. What a line of it
//! may be is said in `lines`; here stands how far the reading has come, and how large the body may become.

use std::ops::Range;

use memchr::memchr;

use super::reply::Limits;
use super::upstream::Unknown;
use crate::lines::{Malformed, chunk_end, chunk_size, trailers_end};

impl From<Malformed> for Unknown {
    fn from(_: Malformed) -> Unknown {
        Unknown::Chunk
    }
}

/// Some servers fill their sizes up with blanks, and hyper takes any byte in an extension but the one that may end it.
fn is_extension(behind: &[u8]) -> bool {
    let named = behind.trim_ascii_start().first();
    named.is_none_or(|named| *named == b';') && memchr(b'\r', behind).is_none()
}

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
        let Some((size, end)) = chunk_size(rest, &mut self.spare, is_extension)? else {
            return Ok(Step::Short);
        };
        let limit = limits.reply_bytes;
        let left = usize::try_from(size).ok();
        let left = left.filter(|left| *left <= limit - self.body.len());
        let left = left.ok_or(Unknown::TooLarge { limit })?;
        self.next += end;
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
        let Some(end) = chunk_end(rest)? else {
            return Ok(Step::Short);
        };
        self.next += end;
        self.stage = Stage::Size;
        Ok(Step::On)
    }

    fn trailers(&mut self, rest: &[u8], limits: &Limits) -> Result<Step, Unknown> {
        let Some(end) = trailers_end(rest, self.spare, limits.headers)? else {
            return Ok(Step::Short);
        };
        self.next += end;
        Ok(Step::Complete)
    }
}
