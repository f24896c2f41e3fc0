//! The head of a request, out of the bytes that were received.
//!
//! Pure, and as strict as can be: whatever two readers could understand in two ways is no head. The grammar of lines is
//! httparse's, and a line ends with both of its bytes. What is a head but cannot be answered is a [`Refusal`] beside it,
//! so that a dialect can put it into words. The wire is before it, the conversation after it.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{Method, StatusCode, Uri, Version};
use httparse::Status;

use crate::dialect::headers::Headers;
use crate::ingress::request::Request;
use crate::ingress::screen::Refusal;
use crate::lines;

/// The longest target that there can be.
const TARGET: usize = u16::MAX as usize - 1;
/// Room for so many fields is on the stack.
const FEW: usize = 64;

/// A head that was understood.
#[derive(Debug)]
pub struct Head {
    pub request: Request,
    /// Where the body ends, if that can be known.
    pub length: Result<Length, Refusal>,
    /// The client would go on with this connection.
    pub keeps: bool,
    /// The client waits to be asked for its body.
    pub asks: bool,
}

/// How a request's body is told from what comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Sized(u64),
    Chunked,
}

impl Length {
    /// The body's bytes, if their number is known before they come.
    pub fn size(self) -> Option<u64> {
        match self {
            Length::Sized(size) => Some(size),
            Length::Chunked => None,
        }
    }
}

/// Why something is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misread {
    Malformed,
    LongTarget,
    TooLarge,
}

impl Misread {
    pub fn status(self) -> StatusCode {
        match self {
            Misread::Malformed => StatusCode::BAD_REQUEST,
            Misread::LongTarget => StatusCode::URI_TOO_LONG,
            Misread::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        }
    }
}

impl From<lines::Malformed> for Misread {
    fn from(_: lines::Malformed) -> Misread {
        Misread::Malformed
    }
}

/// Reads a head that is whole. Its fields share its bytes.
pub fn read(head: &Bytes, most_fields: usize) -> Result<Head, Misread> {
    let mut few = [const { MaybeUninit::uninit() }; FEW];
    let mut many = Vec::new();
    let fields = match few.get_mut(..most_fields) {
        Some(few) => few,
        None => {
            many.resize_with(most_fields, MaybeUninit::uninit);
            &mut many[..]
        }
    };
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, fields) {
        Ok(Status::Complete(end)) if end == head.len() => {}
        Err(error) => return Err(misread(error)),
        _ => return Err(Misread::Malformed),
    }
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Err(Misread::Malformed);
    };
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Misread::Malformed)?;
    let fields = parsed.headers.iter().map(|field| (field.name, field.value));
    finish(Request {
        uri: read_target(head, target, &method)?,
        method,
        version: match parsed.version {
            Some(1) => Version::HTTP_11,
            _ => Version::HTTP_10,
        },
        headers: Headers::within(head, fields),
    })
}

/// Could this have become a head, had it not broken off? Who half-closed in the midst of one has nothing to be told; who
/// sent what is none is told so.
pub fn begins(bytes: &[u8], most_fields: usize) -> Result<(), Misread> {
    let mut fields = vec![httparse::EMPTY_HEADER; most_fields];
    let parsed = httparse::Request::new(&mut fields).parse(bytes);
    parsed.map(|_| ()).map_err(misread)
}

fn misread(error: httparse::Error) -> Misread {
    match error {
        httparse::Error::TooManyHeaders => Misread::TooLarge,
        _ => Misread::Malformed,
    }
}

fn read_target(head: &Bytes, target: &str, method: &Method) -> Result<Uri, Misread> {
    if target.len() > TARGET {
        return Err(Misread::LongTarget);
    }
    let bytes = head.slice_ref(target.as_bytes());
    let uri = Uri::from_maybe_shared(bytes).map_err(|_| Misread::Malformed)?;
    // A fragment stays with the client. What has no scheme and no path is an authority, which only a tunnel has.
    let whole = memchr::memchr(b'#', target.as_bytes()).is_none();
    let fits = match target {
        _ if method == Method::CONNECT => true,
        "*" => method == Method::OPTIONS,
        _ => target.starts_with('/') || uri.scheme().is_some(),
    };
    match whole && fits {
        true => Ok(uri),
        false => Err(Misread::Malformed),
    }
}

/// What the fields say of the message itself.
fn finish(request: Request) -> Result<Head, Misread> {
    let fields = &request.headers;
    let new = request.version == Version::HTTP_11;
    if !new && fields.get("Transfer-Encoding").is_some() {
        return Err(Misread::Malformed);
    }
    let length = read_length(fields);
    let has_body = !matches!(length, Ok(Length::Sized(0)));
    let asks = fields
        .get("Expect")
        .is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"));
    Ok(Head {
        length,
        keeps: match new {
            true => !names(fields, "close"),
            false => names(fields, "keep-alive") && !names(fields, "close"),
        },
        asks: asks && new && has_body,
        request,
    })
}

/// Is this among what the client says of the connection?
fn names(fields: &Headers, option: &str) -> bool {
    let mut values = fields.all("Connection");
    values.any(|value| {
        let mut options = value.split(|byte| *byte == b',');
        options.any(|named| named.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    })
}

fn read_length(fields: &Headers) -> Result<Length, Refusal> {
    let mut sizes = fields.all("Content-Length");
    let mut codings = fields.all("Transfer-Encoding");
    let Some(last) = codings.next_back() else {
        let Some(first) = sizes.next() else {
            return Ok(Length::Sized(0));
        };
        // The same once more is the same.
        let size = size(first).ok_or(Refusal::NotALength)?;
        return match sizes.all(|other| other == first) {
            true => Ok(Length::Sized(size)),
            false => Err(Refusal::NotALength),
        };
    };
    let last_coding = last.rsplit(|byte| *byte == b',').next();
    let last_coding = last_coding.unwrap_or_default().trim_ascii();
    if !last_coding.eq_ignore_ascii_case(b"chunked") {
        return Err(Refusal::Endless);
    }
    if codings.next().is_some() || last_coding.len() != last.len() {
        return Err(Refusal::TransferCoding);
    }
    match sizes.next() {
        Some(_) => Err(Refusal::TwoLengths),
        None => Ok(Length::Chunked),
    }
}

fn size(digits: &[u8]) -> Option<u64> {
    // A sign is none.
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(fields: &str) -> Result<Length, Refusal> {
        let head = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
        read(&Bytes::from(head), 9).unwrap().length
    }

    #[test]
    fn a_body_has_one_end() {
        use Length::*;
        for (fields, length) in [
            ("A: b", Ok(Sized(0))),
            ("Content-Length: 007", Ok(Sized(7))),
            ("Content-Length: 7\r\ncontent-length: 7", Ok(Sized(7))),
            ("Content-Length: 18446744073709551615", Ok(Sized(u64::MAX))),
            (
                "Content-Length: 18446744073709551616",
                Err(Refusal::NotALength),
            ),
            ("Content-Length: 7, 7", Err(Refusal::NotALength)),
            (
                "Content-Length: 7\r\nContent-Length: 07",
                Err(Refusal::NotALength),
            ),
            ("Content-Length:", Err(Refusal::NotALength)),
            ("Content-Length: -0", Err(Refusal::NotALength)),
            ("Transfer-Encoding: Chunked", Ok(Chunked)),
            (
                "Transfer-Encoding: chunked\r\nContent-Length: 7",
                Err(Refusal::TwoLengths),
            ),
            (
                "Content-Length: x\r\nTransfer-Encoding: chunked",
                Err(Refusal::TwoLengths),
            ),
            (
                "Transfer-Encoding: gzip, chunked",
                Err(Refusal::TransferCoding),
            ),
            (
                "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
                Err(Refusal::TransferCoding),
            ),
            ("Transfer-Encoding: ,chunked", Err(Refusal::TransferCoding)),
            ("Transfer-Encoding: chunked, gzip", Err(Refusal::Endless)),
            ("Transfer-Encoding:", Err(Refusal::Endless)),
            ("Transfer-Encoding: \"chunked\"", Err(Refusal::Endless)),
        ] {
            assert_eq!(lengths(fields), length, "{fields}");
        }
    }
}
