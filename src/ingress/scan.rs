//! Follows the bytes of a client just far enough to see a head that names its body's length twice.
//!
//! hyper keeps to `Transfer-Encoding` then and drops the `Content-Length`, so nobody after it can tell. Whoever stands
//! before us may have kept to the other, and would see the rest of the body as our next request. This finds where
//! heads begin and end and looks at two names in them; it judges nothing else, and is followed by hyper's own parser,
//! which is strict. After a chunked body it is lost on purpose: the listener closes the connection there.

use memchr::memchr;

/// Long enough for a name that matters and any length in digits; a longer line of that name is doubtful by itself.
const HELD: usize = 64;

/// The place in the stream of requests.
#[derive(Debug)]
pub(super) struct Scan {
    place: Place,
    /// The beginning of a line whose end has not come yet.
    held: [u8; HELD],
    held_len: usize,
    started: bool,
    chunked: bool,
    length: Option<u64>,
    heads: u32,
    doubtful: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Head,
    Body(u64),
    /// Behind the head of a chunked request, which is the last.
    Beyond,
}

impl Default for Scan {
    fn default() -> Scan {
        Scan {
            place: Place::Head,
            held: [0; HELD],
            held_len: 0,
            started: false,
            chunked: false,
            length: None,
            heads: 0,
            doubtful: u32::MAX,
        }
    }
}

impl Scan {
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.place {
                Place::Beyond => return,
                Place::Body(left) => {
                    let taken = left.min(bytes.len() as u64);
                    bytes = &bytes[taken as usize..];
                    self.place = match left - taken {
                        0 => Place::Head,
                        left => Place::Body(left),
                    };
                }
                Place::Head => bytes = self.feed_head(bytes),
            }
        }
    }

    /// The number, counted from one, of the first request whose length is in doubt.
    pub fn doubtful(&self) -> u32 {
        self.doubtful
    }

    /// Has a head begun that has not ended?
    pub fn in_head(&self) -> bool {
        self.place == Place::Head && (self.started || self.held_len > 0)
    }

    /// Is nothing of a request outstanding?
    pub fn between_requests(&self) -> bool {
        self.place == Place::Head && !self.in_head()
    }

    fn feed_head<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr(b'\n', bytes) else {
            self.hold(bytes);
            return &[];
        };
        if self.held_len == 0 {
            self.end_line(&bytes[..end]);
        } else {
            self.hold(&bytes[..end]);
            let (held, len) = (self.held, std::mem::take(&mut self.held_len));
            self.end_line(&held[..len]);
        }
        &bytes[end + 1..]
    }

    fn hold(&mut self, bytes: &[u8]) {
        let taken = bytes.len().min(HELD - self.held_len);
        self.held[self.held_len..][..taken].copy_from_slice(&bytes[..taken]);
        self.held_len += taken;
    }

    fn end_line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            // Empty lines before a request are allowed, and old clients send one after a form.
            if self.started {
                self.end_head();
            }
        } else if !self.started {
            self.started = true;
        } else if named(line, b"transfer-encoding").is_some() {
            self.chunked = true;
        } else if let Some(value) = named(line, b"content-length") {
            let digits = str::from_utf8(value).ok().map(str::trim);
            self.length = digits.and_then(|digits| digits.parse().ok());
            if self.length.is_none() || line.len() >= HELD {
                self.length = Some(0);
                self.doubtful = self.doubtful.min(self.heads + 1);
            }
        }
    }

    fn end_head(&mut self) {
        self.heads += 1;
        let (length, chunked) = (self.length.take(), std::mem::take(&mut self.chunked));
        if chunked && length.is_some() {
            self.doubtful = self.doubtful.min(self.heads);
        }
        self.started = false;
        self.place = match (chunked, length) {
            (true, _) => Place::Beyond,
            (false, None | Some(0)) => Place::Head,
            (false, Some(length)) => Place::Body(length),
        };
    }
}

/// The value of a header line of this name.
fn named<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    head.eq_ignore_ascii_case(name).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The doubtful request, the same however the bytes are cut.
    fn doubtful(stream: &str) -> Option<u32> {
        let mut whole = Scan::default();
        whole.feed(stream.as_bytes());
        for size in 1..stream.len() {
            let mut cut = Scan::default();
            stream
                .as_bytes()
                .chunks(size)
                .for_each(|bytes| cut.feed(bytes));
            assert_eq!(
                (cut.doubtful, cut.place),
                (whole.doubtful, whole.place),
                "{size}"
            );
        }
        (whole.doubtful != u32::MAX).then_some(whole.doubtful)
    }

    #[test]
    fn one_length_is_beyond_doubt() {
        assert_eq!(
            doubtful("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
            None
        );
        assert_eq!(
            doubtful("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            None
        );
    }

    #[test]
    fn two_lengths_are_seen_in_either_order_behind_other_requests() {
        let first = "POST / HTTP/1.1\r\ncontent-length: 20\r\n\r\ncontent-length: 4\r\n\r\n";
        let first = &first[..first.len() - 1];
        let te = "TRANSFER-encoding: chunked";
        let cl = "Content-LENGTH:4";
        assert_eq!(
            doubtful(&format!("{first}POST / HTTP/1.1\n{cl}\n{te}\n\n")),
            Some(2)
        );
        assert_eq!(
            doubtful(&format!(
                "{first}\r\nPOST / HTTP/1.1\r\n{te}\r\n{cl}\r\n\r\n"
            )),
            Some(2)
        );
        assert_eq!(
            doubtful(&format!("{first}POST / HTTP/1.1\r\n{te}\r\n\r\n")),
            None
        );
    }

    #[test]
    fn a_length_that_cannot_be_followed_is_doubtful_from_there_on() {
        let wide = " ".repeat(80);
        assert_eq!(
            doubtful(&format!("GET / HTTP/1.1\r\nContent-Length:{wide}4\r\n\r\n")),
            Some(1)
        );
        assert_eq!(
            doubtful("GET / HTTP/1.1\r\nContent-Length: -4\r\n\r\n"),
            Some(1)
        );
    }
}
