//! Header fields as they stand on the wire: a line for each, with its end.
//!
//! A request's fields are written once, and of a reply's one or two are asked for and mostly none; a map of them would
//! cost more than all that is done with it. It knows no field's meaning, and lines that a peer wrote must have been
//! checked before they come here.

use http::HeaderName;
use memchr::memchr;

/// Lines of fields, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The first value under a name, if it is plain text.
    pub fn get(self, name: &HeaderName) -> Option<&'a str> {
        let (_, value) = self.each().find(|(found, _)| is(found, name))?;
        let plain = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
        let value = value.iter().all(plain).then_some(value)?;
        std::str::from_utf8(value).ok()
    }

    /// Every name with its value.
    pub fn each(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.0
            .split(|byte| *byte == b'\n')
            .filter_map(|line| memchr(b':', line).map(|colon| line.split_at(colon)))
            .map(|(name, value)| (name, value[1..].trim_ascii()))
    }
}

fn is(found: &[u8], name: &HeaderName) -> bool {
    found.eq_ignore_ascii_case(name.as_str().as_bytes())
}

/// Adds a line. False, and nothing is added, if a value like this cannot stand in one.
#[must_use]
pub fn add(lines: &mut Vec<u8>, name: &HeaderName, value: &[u8]) -> bool {
    // Without a branch for each byte, they are compared many at once.
    let fits = |all, byte: &u8| all & ((*byte >= b' ' && *byte != 0x7f) | (*byte == b'\t'));
    if !value.iter().fold(true, fits) {
        return false;
    }
    lines.extend_from_slice(name.as_str().as_bytes());
    lines.extend_from_slice(b": ");
    lines.extend_from_slice(value);
    lines.extend_from_slice(b"\r\n");
    true
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};

    use super::*;

    #[test]
    fn the_first_of_a_name_is_found_in_any_case() {
        let fields = Fields(b"retry-AFTER:\t 7 \r\nRetry-After: 8\nx-date: no\r\ndate: \xe9\r\n");
        assert_eq!(fields.get(&RETRY_AFTER), Some("7"));
        assert_eq!((fields.get(&DATE), fields.get(&CONTENT_TYPE)), (None, None));
        assert_eq!(fields.each().count(), 4);
    }

    #[test]
    fn a_value_is_one_line() {
        let mut lines = Vec::new();
        for value in ["a\r\nb: c", "a\nb", "\0", "\x7f"] {
            assert!(!add(&mut lines, &DATE, value.as_bytes()), "{value:?}");
        }
        assert!(add(&mut lines, &DATE, "a\tü".as_bytes()));
        assert_eq!(lines, "date: a\tü\r\n".as_bytes());
    }
}
