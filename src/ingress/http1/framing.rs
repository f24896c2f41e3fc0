//! What is still to come of a request's body, and where it ends among the bytes that were received.
//!
//! Pure: pieces are taken out of the bytes as they are there. Chunks are read more strictly than by hyper: a line ends
//! with both of its bytes, a size has at most sixteen digits and nothing behind it but an extension, and all that is no
//! body is bounded. Extensions and trailers say nothing that a dialect knows; their form is looked at and they are dropped.

use bytes::{Buf as _, Bytes, BytesMut};
use httparse::Status;
use memchr::memchr;

use super::head::{Length, end};

/// Digits that a size of 64 bits has at most.
const DIGITS: usize = 16;
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

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Piece(Bytes),
    /// More must be received.
    Short,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk is malformed")]
pub struct Malformed;

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
            let next = match at {
                At::Size => size_line(bytes, spare)?,
                At::Data(_) => Some(At::DataEnd),
                At::DataEnd => data_end(bytes)?,
                At::Trailers => match trailers(bytes, *spare)? {
                    true => {
                        self.0 = Stage::Done;
                        continue;
                    }
                    false => None,
                },
            };
            match next {
                Some(next) => *at = next,
                None => return Ok(Found::Short),
            }
        }
    }
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

fn size_line(bytes: &mut BytesMut, spare: &mut usize) -> Result<Option<At>, Malformed> {
    let Some(end) = memchr(b'\n', bytes) else {
        return short(bytes, DIGITS + 1 + *spare);
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(Malformed)?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (digits, extension) = line.split_at(digits.count());
    *spare = spare.checked_sub(extension.len()).ok_or(Malformed)?;
    // Nothing but blanks stands between a size and what begins with its mark.
    let named = extension.trim_ascii_start().first();
    let fits = extension.is_empty() || named == Some(&b';');
    if !fits || !extension.iter().all(|byte| may_be_in_a_line(*byte)) {
        return Err(Malformed);
    }
    let size = size(digits).ok_or(Malformed)?;
    bytes.advance(end + 1);
    Ok(Some(match size {
        0 => At::Trailers,
        size => At::Data(size),
    }))
}

fn data_end(bytes: &mut BytesMut) -> Result<Option<At>, Malformed> {
    match bytes.get(..2) {
        Some(b"\r\n") => {
            bytes.advance(2);
            Ok(Some(At::Size))
        }
        Some(_) => Err(Malformed),
        None if bytes.starts_with(b"\r") || bytes.is_empty() => Ok(None),
        None => Err(Malformed),
    }
}

/// True once they are here and done with; mostly there are none, and an empty line alone.
fn trailers(bytes: &mut BytesMut, spare: usize) -> Result<bool, Malformed> {
    if bytes.starts_with(b"\r\n") {
        bytes.advance(2);
        return Ok(true);
    }
    let Some(end) = end(bytes, 0).map_err(|_| Malformed)? else {
        return short(bytes, spare).map(|_: Option<At>| false);
    };
    let mut fields = [httparse::EMPTY_HEADER; TRAILERS];
    let parsed = httparse::parse_headers(&bytes[..end], &mut fields);
    if end > spare || !matches!(parsed, Ok(Status::Complete(_))) {
        return Err(Malformed);
    }
    bytes.advance(end);
    Ok(true)
}

/// What is not whole may still become so, within this.
fn short<T>(bytes: &BytesMut, most: usize) -> Result<Option<T>, Malformed> {
    match bytes.len() <= most {
        true => Ok(None),
        false => Err(Malformed),
    }
}

fn may_be_in_a_line(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

fn size(digits: &[u8]) -> Option<u64> {
    if !(1..=DIGITS).contains(&digits.len()) {
        return None;
    }
    let mut digits = digits.iter().map(|byte| char::from(*byte).to_digit(16));
    digits.try_fold(0, |size, digit| Some(size << 4 | u64::from(digit?)))
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
