//! A reply's bytes: its head put into words, and how much of it has been sent.
//!
//! What a connection says of itself (where the body ends, whether another request may follow, the date) is said here
//! and nowhere else. Before it stands the handler's reply, after it the wire.

use bytes::{Buf as _, Bytes};
use http::{Response, StatusCode, header};
use http_body_util::Full;

/// A body up to this size is copied behind its head.
const SMALL: usize = 2 << 10;

/// How a reply is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// To a client of HTTP/1.0.
    pub old: bool,
    /// In answer to HEAD.
    pub to_head: bool,
    /// Another request may follow.
    pub keeps: bool,
}

impl Manner {
    /// Of a reply to what was no request.
    pub const LAST: Manner = Manner {
        old: false,
        to_head: false,
        keeps: false,
    };
}

#[derive(Debug)]
pub struct Reply {
    head: Vec<u8>,
    sent: usize,
    body: Bytes,
}

impl Reply {
    /// Writes the head into `room`, which is empty.
    pub fn new(
        response: Response<Full<Bytes>>,
        manner: Manner,
        date: &[u8; 29],
        room: Vec<u8>,
    ) -> Reply {
        let (parts, body) = response.into_parts();
        let mut reply = Reply {
            head: room,
            sent: 0,
            body: body.into_inner().unwrap_or_default(),
        };
        reply.status(parts.status, manner);
        let switching = parts.status == StatusCode::SWITCHING_PROTOCOLS;
        let (mut told, mut dated) = (false, false);
        for (name, value) in &parts.headers {
            told |= *name == header::CONTENT_LENGTH;
            dated |= *name == header::DATE;
            let ours = match *name {
                header::CONNECTION => !switching,
                header::CONTENT_LENGTH => !manner.to_head,
                header::TRANSFER_ENCODING => true,
                _ => false,
            };
            if !ours {
                reply.field(name.as_str(), value.as_bytes());
            }
        }
        match (manner.keeps || switching, manner.old) {
            (false, _) => reply.field("connection", b"close"),
            (true, true) => reply.field("connection", b"keep-alive"),
            (true, false) => {}
        }
        reply.end(parts.status, manner, told);
        if !dated {
            reply.field("date", date);
        }
        reply.head.extend_from_slice(b"\r\n");
        if reply.body.len() <= SMALL {
            let body = std::mem::take(&mut reply.body);
            reply.head.extend_from_slice(&body);
        }
        reply
    }

    fn status(&mut self, status: StatusCode, manner: Manner) {
        let version: &[u8] = match manner.old {
            false => b"HTTP/1.1 ",
            true => b"HTTP/1.0 ",
        };
        self.head.extend_from_slice(version);
        self.head.extend_from_slice(status.as_str().as_bytes());
        self.head.push(b' ');
        let reason = status.canonical_reason().unwrap_or_default();
        self.head.extend_from_slice(reason.as_bytes());
        self.head.extend_from_slice(b"\r\n");
    }

    /// Says where the body ends, and takes away one that may not be sent.
    fn end(&mut self, status: StatusCode, manner: Manner, told: bool) {
        let bodyless = status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        // Of a body that HEAD does not get, no length is as good as a wrong one.
        let unknown = manner.to_head && (told || self.body.is_empty());
        if !bodyless && !unknown {
            let mut digits = itoa::Buffer::new();
            let length = digits.format(self.body.len());
            self.field("content-length", length.as_bytes());
        }
        if bodyless || manner.to_head {
            self.body = Bytes::new();
        }
    }

    fn field(&mut self, name: &str, value: &[u8]) {
        self.head.extend_from_slice(name.as_bytes());
        self.head.extend_from_slice(b": ");
        self.head.extend_from_slice(value);
        self.head.extend_from_slice(b"\r\n");
    }

    /// What has not been sent yet.
    pub fn rest(&self) -> (&[u8], &[u8]) {
        (&self.head[self.sent..], &self.body)
    }

    pub fn sent(&mut self, bytes: usize) {
        let of_head = bytes.min(self.head.len() - self.sent);
        self.sent += of_head;
        self.body.advance(bytes - of_head);
    }

    pub fn is_sent(&self) -> bool {
        self.sent == self.head.len() && self.body.is_empty()
    }

    pub fn into_room(self) -> Vec<u8> {
        self.head
    }
}
