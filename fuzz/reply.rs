//! An upstream's bytes through the reader of replies: the function that the fuzzer and the replay of its corpus share.
//!
//! Nothing may panic, a limit holds whatever is said, and how the bytes are cut changes nothing.

use http::Method;
use sabir::relay::upstream::{Limits, Reader, Reply};

const LIMITS: Limits = Limits {
    head_bytes: 512,
    headers: 8,
    reply_bytes: 256,
};

/// The reply's method and the length of its pieces in the first byte, then the reply.
pub fn reply(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let method = if first & 1 == 1 {
        Method::HEAD
    } else {
        Method::GET
    };
    let whole = read(&method, bytes, bytes.len());
    for length in [1, usize::from(first >> 1)] {
        assert_eq!(read(&method, bytes, length), whole, "in pieces of {length}");
    }
}

/// What is read out of bytes that come in pieces: status, head, body.
fn read(method: &Method, bytes: &[u8], length: usize) -> Option<(u16, Vec<u8>, Vec<u8>)> {
    let mut reader = Reader::new(&LIMITS, method);
    let mut held = Vec::new();
    for piece in bytes.chunks(length.max(1)) {
        held.extend_from_slice(piece);
        if reader.read(&mut held).ok()? {
            return Some(told(reader.finish(held).0));
        }
    }
    reader.ends_here().then(|| told(reader.finish(held).0))
}

fn told(reply: Reply) -> (u16, Vec<u8>, Vec<u8>) {
    assert!(reply.head().len() <= LIMITS.head_bytes && reply.body().len() <= LIMITS.reply_bytes);
    assert!(reply.head().ends_with(b"\n"));
    (
        reply.status.as_u16(),
        reply.head().into(),
        reply.body().into(),
    )
}
