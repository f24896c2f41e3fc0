//! One input of the fuzzer for what HTTP/1 clients send: requests are taken out of the bytes as a connection takes
//! them, and it may not matter how the bytes were cut. Shared with the test that replays the corpus.

use sabir::ingress::http1::framing::Found;
use sabir::ingress::http1::head::{Head, Length, begins, read};
use sabir::ingress::http1::inbox::Inbox;

const MOST_BYTES: usize = 16 << 10;
const MOST_FIELDS: usize = 64;

/// What a stream came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    requests: Vec<(String, Vec<u8>)>,
    end: String,
}

pub fn stream(data: &[u8]) {
    let whole = told(data, data.len().max(1));
    for size in [1, 2, 3, 7, 64] {
        assert_eq!(told(data, size), whole, "in pieces of {size}");
    }
    for (head, _) in &whole.requests {
        assert!(!head.contains('\r') && !head.contains('\0'), "{head}");
    }
}

fn told(data: &[u8], size: usize) -> Told {
    let (mut inbox, mut told) = (Inbox::default(), Told::default());
    let mut pieces = data.chunks(size);
    told.end = loop {
        let head = match inbox.head(MOST_BYTES) {
            Ok(Some(head)) => head,
            Ok(None) => match pieces.next() {
                Some(piece) => {
                    inbox.bytes.extend_from_slice(piece);
                    continue;
                }
                None => break format!("end: {:?}", begins(&inbox.bytes, MOST_FIELDS)),
            },
            Err(misread) => break format!("{misread:?}"),
        };
        assert!(head.len() <= MOST_BYTES && head.ends_with(b"\r\n\r\n"));
        let head = match read(&head, MOST_FIELDS) {
            Ok(head) => head,
            Err(misread) => break format!("{misread:?}"),
        };
        let length = match &head.length {
            Ok(length) => *length,
            Err(refusal) => break format!("{refusal:?}"),
        };
        match body(&mut inbox, length, &mut pieces) {
            Ok(body) => told.requests.push((words(&head), body)),
            Err(why) => break why,
        }
    };
    told
}

fn body<'d>(
    inbox: &mut Inbox,
    length: Length,
    pieces: &mut impl Iterator<Item = &'d [u8]>,
) -> Result<Vec<u8>, String> {
    if let Some(body) = inbox.begin(Some(length)) {
        return Ok(body.to_vec());
    }
    let mut body = Vec::new();
    loop {
        match inbox.piece() {
            Ok(Found::Piece(piece)) => body.extend_from_slice(&piece),
            Ok(Found::End) => break,
            Ok(Found::Short) => match pieces.next() {
                Some(piece) => inbox.bytes.extend_from_slice(piece),
                None => return Err("broken off".into()),
            },
            Err(malformed) => return Err(malformed.to_string()),
        }
    }
    assert!(length.size().is_none_or(|size| size == body.len() as u64));
    Ok(body)
}

fn words(head: &Head) -> String {
    let request = &head.request;
    let fields: Vec<_> = request.headers.iter().collect();
    let (method, target) = (&request.method, &request.uri);
    format!("{method} {target} {fields:?} {} {}", head.keeps, head.asks)
}
