//! What a client has sent and nobody has taken yet.
//!
//! Pure: bytes are put in as they are received, however they were cut, and heads and pieces of bodies are taken out, one
//! request after another. The wire puts in, the conversation and the handler take out.

use bytes::{Buf as _, Bytes, BytesMut};

use super::framing::{Found, Framing};
use super::head::{Length, Misread};
use crate::lines::{Malformed, section_end};

#[derive(Debug)]
pub struct Inbox {
    pub bytes: BytesMut,
    /// So much is a head without its end.
    seen: usize,
    /// Of the request whose head was taken last.
    framing: Framing,
}

impl Default for Inbox {
    fn default() -> Inbox {
        Inbox {
            bytes: BytesMut::new(),
            seen: 0,
            framing: Framing::new(Length::Sized(0)),
        }
    }
}

impl Inbox {
    /// The next head, once it is whole. To be asked for when the request before is finished.
    pub fn head(&mut self, most_bytes: usize) -> Result<Option<Bytes>, Misread> {
        // Empty lines before a request are allowed, and old clients send one after a form.
        while self.bytes.starts_with(b"\r\n") {
            self.bytes.advance(2);
            self.seen = 0;
        }
        let first = self.bytes.first();
        if first.is_some_and(|first| !first.is_ascii_graphic() && *first != b'\r') {
            // Something else is spoken here: TLS, say, whose speaker would wait for our part of it.
            return Err(Misread::Malformed);
        }
        // What stands beyond is not looked at: it may be here or not, as the bytes were cut.
        let within = &self.bytes[..self.bytes.len().min(most_bytes)];
        match section_end(within, self.seen)? {
            Some(end) => {
                self.seen = 0;
                Ok(Some(self.bytes.split_to(end).freeze()))
            }
            None if within.len() < most_bytes => {
                self.seen = within.len();
                Ok(None)
            }
            None => Err(Misread::TooLarge),
        }
    }

    /// A request begins whose body may be taken. If all of it is here, this is it. Without a length it is the last.
    pub fn begin(&mut self, length: Option<Length>) -> Option<Bytes> {
        self.framing = length.map_or_else(Framing::lost, Framing::new);
        let Some(Length::Sized(size)) = length else {
            return None;
        };
        let size = usize::try_from(size).ok()?;
        if size > self.bytes.len() {
            return None;
        }
        self.framing = Framing::new(Length::Sized(0));
        Some(match size {
            0 => Bytes::new(),
            size => self.bytes.split_to(size).freeze(),
        })
    }

    /// The next piece of the body, as far as it is here.
    pub fn piece(&mut self) -> Result<Found, Malformed> {
        self.framing.take(&mut self.bytes)
    }

    /// Throws away what is here of the body. True if that was the rest of it, so that another request may follow.
    pub fn finish(&mut self) -> bool {
        loop {
            match self.piece() {
                Ok(Found::Piece(_)) => {}
                Ok(Found::End) => return true,
                Ok(Found::Short) | Err(_) => return false,
            }
        }
    }

    /// Is nothing of a request outstanding?
    pub fn is_quiet(&self) -> bool {
        self.framing.is_done() && self.bytes.is_empty()
    }
}
