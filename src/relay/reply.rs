//! A reply, read out of the bytes of one connection.
//!
//! Pure: bytes come in as they were received, however they were cut, and the reply that comes out borrows nothing. Where
//! it ends is decided here and nowhere else, by what RFC 9112 (6.3) says and less: whatever two readers could
//! understand in two ways is no reply. It keeps the head as it came; nobody asks for more than one or two of its fields.
//! The socket is before it, the relay's delivery after it.

use std::mem::MaybeUninit;
use std::ops::Range;

use http::{Method, StatusCode};
use httparse::{ParserConfig, Response, Status};

use super::chunks::Chunks;
use super::upstream::Unknown;

/// Fields that a head has at most, whatever is configured: room for them is made anew for each head.
pub(super) const MOST_HEADERS: usize = 128;

/// How much of a reply is accepted.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of a head, and of everything besides it that is no body.
    pub head_bytes: usize,
    /// In a head, and in the trailers; at most 128.
    pub headers: usize,
    pub reply_bytes: usize,
}

/// A complete reply.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    bytes: Vec<u8>,
    head: Range<usize>,
    body: Range<usize>,
}

impl Reply {
    /// The head's lines.
    pub fn head(&self) -> &[u8] {
        &self.bytes[self.head.clone()]
    }

    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body.clone()]
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads one reply, and then no other.
pub struct Reader<'l> {
    limits: &'l Limits,
    to_head: bool,
    stage: Stage,
    status: StatusCode,
    keep_alive: bool,
    /// What is being read, and at the end the reply's own: heads of 1xx stand before it.
    head: Range<usize>,
}

enum Stage {
    Head,
    /// The body ends there.
    Sized(usize),
    Chunked(Chunks),
    /// The body ends with the connection.
    Open,
}

impl<'l> Reader<'l> {
    /// For the reply to a request with this method.
    pub fn new(limits: &'l Limits, method: &Method) -> Reader<'l> {
        Reader {
            limits,
            to_head: method == Method::HEAD,
            stage: Stage::Head,
            status: StatusCode::OK,
            keep_alive: false,
            head: 0..0,
        }
    }

    /// Looks at everything received so far, which may change its place in `bytes`. True once the reply is complete.
    ///
    /// # Errors
    /// This is no reply, and nothing that follows will make it one.
    pub fn read(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Unknown> {
        loop {
            match &mut self.stage {
                Stage::Head => {
                    if !self.read_head(bytes)? {
                        return Ok(false);
                    }
                }
                Stage::Sized(end) => return Ok(bytes.len() >= *end),
                Stage::Chunked(chunks) => return chunks.read(bytes, self.limits),
                Stage::Open => {
                    let limit = self.limits.reply_bytes;
                    return match bytes.len() - self.head.end <= limit {
                        true => Ok(false),
                        false => Err(Unknown::TooLarge { limit }),
                    };
                }
            }
        }
    }

    /// Is the reply complete, now that the connection has ended in good order?
    pub fn ends_here(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    /// The complete reply, and whether another may come on this connection.
    pub fn finish(self, bytes: Vec<u8>) -> (Reply, bool) {
        let (body, end) = match self.stage {
            Stage::Sized(end) => (self.head.end..end, Some(end)),
            Stage::Chunked(chunks) => (chunks.body, Some(chunks.next)),
            Stage::Head | Stage::Open => (self.head.end..bytes.len(), None),
        };
        // What stands behind the reply answers no question; who comes next must not take it for an answer.
        let another = self.keep_alive && end == Some(bytes.len());
        let reply = Reply {
            status: self.status,
            bytes,
            head: self.head,
            body,
        };
        (reply, another)
    }

    /// False if a head is not complete; what it says is noted otherwise, and that of a 1xx passed over.
    fn read_head(&mut self, bytes: &[u8]) -> Result<bool, Unknown> {
        let limit = self.limits.head_bytes;
        let rest = &bytes[self.head.end..];
        let mut fields = [const { MaybeUninit::uninit() }; MOST_HEADERS];
        let fields = &mut fields[..self.limits.headers.min(MOST_HEADERS)];
        let mut head = Response::new(&mut []);
        let parsed =
            ParserConfig::default().parse_response_with_uninit_headers(&mut head, rest, fields);
        let end = match parsed.map_err(Unknown::Head)? {
            Status::Partial if rest.len() < limit => return Ok(false),
            Status::Complete(end) if end <= limit => end,
            _ => return Err(Unknown::HeadTooLarge { limit }),
        };
        let status = StatusCode::from_u16(head.code.unwrap_or_default());
        self.status = status.map_err(|_| Unknown::Head(httparse::Error::Status))?;
        self.head = self.head.end..self.head.end + end;
        if self.status.is_informational() {
            return match self.status {
                StatusCode::SWITCHING_PROTOCOLS => Err(Unknown::Switched),
                _ if self.head.end > limit => Err(Unknown::HeadTooLarge { limit }),
                _ => Ok(true),
            };
        }
        let framing = Framing::read(&head)?;
        self.frame(&framing)?;
        Ok(true)
    }

    /// Decides where the body ends.
    fn frame(&mut self, framing: &Framing) -> Result<(), Unknown> {
        let begin = self.head.end;
        let limit = self.limits.reply_bytes;
        self.keep_alive = framing.keep_alive;
        let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        self.stage = if self.to_head || bodiless.contains(&self.status) {
            // Whoever announces a body where none can be may send it all the same.
            let announced = framing.chunked || framing.length.is_some_and(|length| length > 0);
            self.keep_alive &= self.status != StatusCode::NO_CONTENT || !announced;
            Stage::Sized(begin)
        } else if framing.chunked {
            Stage::Chunked(Chunks::new(begin, self.limits))
        } else if let Some(length) = framing.length {
            let length = usize::try_from(length).ok();
            let length = length.filter(|length| *length <= limit);
            Stage::Sized(begin + length.ok_or(Unknown::TooLarge { limit })?)
        } else {
            Stage::Open
        };
        Ok(())
    }
}

/// What a head says of where its message and its connection end.
struct Framing {
    keep_alive: bool,
    chunked: bool,
    length: Option<u64>,
}

impl Framing {
    fn read(head: &Response<'_, '_>) -> Result<Framing, Unknown> {
        let old = head.version == Some(0);
        let (mut close, mut keep) = (false, !old);
        let (mut chunked, mut length) = (false, None);
        for field in head.headers.iter() {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                length = Some(same_length(field.value, length)?);
            } else if is("transfer-encoding") {
                if old || chunked || !field.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Unknown::TransferCoding);
                }
                chunked = true;
            } else if is("connection") {
                // Nobody can tell what nonsense asks for: to close is always right.
                close |= !field.value.is_ascii() || lists(field.value, "close");
                keep |= lists(field.value, "keep-alive");
            }
        }
        if chunked && length.is_some() {
            return Err(Unknown::Length);
        }
        Ok(Framing {
            keep_alive: keep && !close,
            chunked,
            length,
        })
    }
}

/// A length said again must be the same, in a field of its own or in a list.
fn same_length(value: &[u8], mut known: Option<u64>) -> Result<u64, Unknown> {
    for member in members(value) {
        let length = number(member).ok_or(Unknown::Length)?;
        if known.is_some_and(|known| known != length) {
            return Err(Unknown::Length);
        }
        known = Some(length);
    }
    known.ok_or(Unknown::Length)
}

/// Digits alone, without the sign that `parse` would let pass.
fn number(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
}

fn lists(value: &[u8], token: &str) -> bool {
    members(value).any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
}

fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}
