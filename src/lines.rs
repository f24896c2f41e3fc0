//! Lines of HTTP/1 that both halves read: where a section of them ends, and those in which a chunked body is framed.
//!
//! Pure, and strict, so that nobody before or behind us can take the same bytes for something else: a line ends with
//! both of its bytes, a size has at most sixteen digits. Extensions and trailers
//! say nothing that a dialect knows: their form is looked at, what they take is bounded, and they are dropped. Whoever
//! receives the bytes keeps them, and knows how far it has come: `relay::chunks` and `ingress::http1::framing`.

use httparse::Status;
use memchr::{memchr, memchr_iter};

const LINE_END: &[u8] = b"\r\n";
/// Digits that a size of 64 bits has at most.
const DIGITS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk is malformed")]
pub struct Malformed;

/// Where a section of lines ends that an empty one ends, once that is here. Up to `seen` was looked at before.
pub fn section_end(bytes: &[u8], seen: usize) -> Result<Option<usize>, Malformed> {
    for at in memchr_iter(b'\n', &bytes[seen..]) {
        let line = &bytes[..seen + at];
        // Some take half of a line's end for the whole, others for a part of the line.
        if !line.ends_with(b"\r") {
            return Err(Malformed);
        }
        if line.ends_with(b"\n\r") {
            return Ok(Some(line.len() + 1));
        }
    }
    Ok(None)
}

/// A chunk's size, and where its line ends, once that is here. `spare` is what extensions and trailers may still take,
/// `fits` says what may stand behind a size.
pub fn chunk_size(
    bytes: &[u8],
    spare: &mut usize,
    fits: fn(&[u8]) -> bool,
) -> Result<Option<(u64, usize)>, Malformed> {
    let Some(end) = memchr(b'\n', bytes) else {
        return short(bytes, DIGITS + 1, *spare);
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(Malformed)?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (digits, extension) = line.split_at(digits.count());
    *spare = spare.checked_sub(extension.len()).ok_or(Malformed)?;
    match size(digits) {
        Some(size) if fits(extension) => Ok(Some((size, end + 1))),
        _ => Err(Malformed),
    }
}

/// Where the line ends that stands behind a chunk, once that is here.
pub fn chunk_end(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    match bytes {
        [b'\r', b'\n', ..] => Ok(Some(LINE_END.len())),
        [] | [b'\r'] => Ok(None),
        _ => Err(Malformed),
    }
}

/// Where trailers end, once that is here; mostly there are none, and an empty line alone.
pub fn trailers_end(bytes: &[u8], spare: usize, most: usize) -> Result<Option<usize>, Malformed> {
    if bytes.starts_with(LINE_END) {
        return Ok(Some(LINE_END.len()));
    }
    let Some(end) = section_end(bytes, 0)? else {
        return short(bytes, LINE_END.len(), spare);
    };
    let mut fields = vec![httparse::EMPTY_HEADER; most];
    let parsed = httparse::parse_headers(&bytes[..end], &mut fields);
    match end - LINE_END.len() <= spare && matches!(parsed, Ok(Status::Complete(_))) {
        true => Ok(Some(end)),
        false => Err(Malformed),
    }
}

/// What is not whole may still become so, within what is spared for it and what need not be.
fn short<T>(bytes: &[u8], uncounted: usize, spare: usize) -> Result<Option<T>, Malformed> {
    match bytes.len() <= spare.saturating_add(uncounted) {
        true => Ok(None),
        false => Err(Malformed),
    }
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

    #[test]
    fn a_head_ends_at_its_empty_line_wherever_it_is_cut() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET";
        for seen in 0..26 {
            assert_eq!(section_end(&bytes[..seen], 0), Ok(None), "{seen}");
            assert_eq!(section_end(bytes, seen), Ok(Some(27)), "{seen}");
        }
        for half in ["GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "\n"] {
            assert_eq!(section_end(half.as_bytes(), 0), Err(Malformed));
        }
    }
}
