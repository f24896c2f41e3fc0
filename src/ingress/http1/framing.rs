//! What is still to come of a request's body, and where it ends among the bytes that were received.
//!
//! Pure: pieces are taken out of the bytes as they are there. What the lines between chunks may be is said in
//! `lines`; here stands how far the reading has come.

use bytes::{Buf as _, Bytes, BytesMut};

use super::head::Length;
use crate::lines::{Malformed, chunk_end, chunk_size, trailers_end};

/// What all extensions and trailers of a body may take.
const BESIDES: usize = 16 << 10;
const TRAILERS: usize = 64;

/// Where the body that is being read ends.
#[derive(Debug)]
pub struct Framing(Stage);

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// All of it was taken.
    Done,
    /// Nobody knows any more.
    Lost,
    Sized(u64),
    Chunk(At, usize),
}

/// A place in a chunked body. Beside it stands what extensions and trailers may still take.
#[derive(Clone, Copy, Debug)]
enum At {
    Size,
    /// So much of a chunk is still to come.
    Data(u64),
    /// The end of the line behind a chunk.
    DataEnd,
    Trailers,
}

impl At {
    fn chunk(size: u64) -> At {
        match size {
            0 => At::Trailers,
            size => At::Data(size),
        }
    }
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Piece(Bytes),
    /// More must be received.
    Short,
    End,
}

impl Framing {
    pub fn new(length: Length) -> Framing {
        Framing(match length {
            Length::Sized(0) => Stage::Done,
            Length::Sized(size) => Stage::Sized(size),
            Length::Chunked => Stage::Chunk(At::Size, BESIDES),
        })
    }

    pub fn lost() -> Framing {
        Framing(Stage::Lost)
    }

    pub fn is_done(&self) -> bool {
        matches!(self.0, Stage::Done)
    }

    /// The next piece, as far as it is here.
    pub fn take(&mut self, bytes: &mut BytesMut) -> Result<Found, Malformed> {
        let taken = self.step(bytes);
        if taken.is_err() {
            self.0 = Stage::Lost;
        }
        taken
    }

    fn step(&mut self, bytes: &mut BytesMut) -> Result<Found, Malformed> {
        loop {
            let (at, spare) = match &mut self.0 {
                Stage::Done => return Ok(Found::End),
                Stage::Lost => return Err(Malformed),
                Stage::Sized(left) => {
                    let piece = piece(bytes, left);
                    if *left == 0 {
                        self.0 = Stage::Done;
                    }
                    return Ok(piece);
                }
                Stage::Chunk(At::Data(left), _) if *left > 0 => return Ok(piece(bytes, left)),
                Stage::Chunk(at, spare) => (at, spare),
            };
            let come = match at {
                At::Size => chunk_size(bytes, spare, is_extension)?
                    .map(|(size, end)| (Some(At::chunk(size)), end)),
                At::Data(_) => Some((Some(At::DataEnd), 0)),
                At::DataEnd => chunk_end(bytes)?.map(|end| (Some(At::Size), end)),
                At::Trailers => trailers_end(bytes, *spare, TRAILERS)?.map(|end| (None, end)),
            };
            let Some((next, end)) = come else {
                return Ok(Found::Short);
            };
            bytes.advance(end);
            match next {
                Some(next) => *at = next,
                None => self.0 = Stage::Done,
            }
        }
    }
}

/// Nothing but blanks stands between a size and what begins with its mark.
fn is_extension(behind: &[u8]) -> bool {
    let may_be_there = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    let named = behind.trim_ascii_start().first();
    (behind.is_empty() || named == Some(&b';')) && behind.iter().all(may_be_there)
}

fn piece(bytes: &mut BytesMut, left: &mut u64) -> Found {
    let here = bytes
        .len()
        .min(usize::try_from(*left).unwrap_or(usize::MAX));
    if here == 0 {
        return Found::Short;
    }
    *left -= here as u64;
    Found::Piece(bytes.split_to(here).freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a body comes to when it is received in pieces of this size, and what is left over.
    fn read(length: Length, sent: &[u8], size: usize) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
        let mut framing = Framing::new(length);
        let (mut bytes, mut body) = (BytesMut::new(), Vec::new());
        let mut pieces = sent.chunks(size);
        loop {
            match framing.take(&mut bytes)? {
                Found::Piece(piece) => body.extend_from_slice(&piece),
                Found::Short => match pieces.next() {
                    Some(piece) => bytes.extend_from_slice(piece),
                    None => panic!("short"),
                },
                Found::End => break,
            }
        }
        bytes.extend_from_slice(&pieces.collect::<Vec<_>>().concat());
        Ok((body, bytes.to_vec()))
    }

    fn chunked(sent: &str) -> Result<(String, String), Malformed> {
        let all = read(Length::Chunked, sent.as_bytes(), sent.len());
        for size in 1..sent.len() {
            assert_eq!(read(Length::Chunked, sent.as_bytes(), size), all, "{size}");
        }
        let text = |bytes| String::from_utf8(bytes).unwrap();
        all.map(|(body, rest)| (text(body), text(rest)))
    }

    #[test]
    fn what_follows_a_body_is_left_where_it_is() {
        for size in 1..9 {
            let (body, rest) = read(Length::Sized(3), b"abcGET /", size).unwrap();
            assert_eq!((&body[..], &rest[..]), (&b"abc"[..], &b"GET /"[..]));
        }
        for sent in [
            "3\r\nabc\r\n0\r\n\r\nGET /",
            "1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\nGET /",
            "0000000000000003 \t;x=\"\t\"\r\nabc\r\n000\r\nA: b\r\nC: \r\n\r\nGET /",
        ] {
            assert_eq!(chunked(sent), Ok(("abc".into(), "GET /".into())), "{sent}");
        }
    }

    #[test]
    fn a_chunk_has_one_form() {
        for sent in [
            "3\nabc\r\n0\r\n\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "3\r\nabc0\r\n\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            "3 \r\nabc\r\n0\r\n\r\n",
            " 3\r\nabc\r\n0\r\n\r\n",
            "+3\r\nabc\r\n0\r\n\r\n",
            "0x3\r\nabc\r\n0\r\n\r\n",
            "\r\n",
            ";a\r\n",
            "3;a\rb\r\nabc\r\n0\r\n\r\n",
            "3;a\0\r\nabc\r\n0\r\n\r\n",
            "3,a\r\nabc\r\n0\r\n\r\n",
            "10000000000000003\r\nabc\r\n0\r\n\r\n",
            "00000000000000003\r\nabc\r\n0\r\n\r\n",
            "0\r\nA : b\r\n\r\n",
            "0\r\n a\r\n\r\n",
            "0\r\nA: b\n\r\n",
            "0\r\nA: b\rc\r\n\r\n",
            "0\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(chunked(sent), Err(Malformed), "{sent:?}");
        }
    }

    #[test]
    fn what_is_no_body_is_bounded() {
        let (chunk, end) = (format!("1;{}\r\na\r\n", "x".repeat(1000)), "0\r\n\r\n");
        let extended = |times: usize| format!("{}{end}", chunk.repeat(times));
        let all = |sent: String| read(Length::Chunked, sent.as_bytes(), 4096);
        assert_eq!(all(extended(16)).unwrap().0.len(), 16);
        assert_eq!(all(extended(17)), Err(Malformed));
        let trailers = |size: usize| format!("0\r\nA: {}\r\n\r\n", "x".repeat(size));
        assert!(all(trailers(16 << 10)).is_err() && all(trailers(15 << 10)).is_ok());
        assert!(all(format!("0\r\n{}\r\n", "A: b\r\n".repeat(65))).is_err());
        let endless = |begin: &str| format!("{begin}{}", "x".repeat(20 << 10));
        assert!(all(endless("3;")).is_err() && all(endless("0\r\nA: ")).is_err());
    }
}
