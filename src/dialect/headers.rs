//! The headers of a request, as they were sent.
//!
//! There are a handful of them, and hardly more are asked for: to look through them costs less than to sort them first. So
//! they stay where they were received, and a list says where each is. A name is found however its letters are written.
//! What a header means is not known here. The ingress makes the list; dialects, and the ingress itself, look into it.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

/// Pairs of a name and a value, in their order.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    bytes: Bytes,
    fields: Vec<Field>,
}

/// Where a header is among the bytes.
#[derive(Clone, Debug)]
struct Field {
    name: Range<u32>,
    value: Range<u32>,
}

impl Headers {
    /// Headers that are parts of these bytes.
    pub fn within<'b>(
        bytes: &'b Bytes,
        fields: impl Iterator<Item = (&'b str, &'b [u8])>,
    ) -> Headers {
        let places = fields.map(|(name, value)| Field {
            name: place(bytes, name.as_bytes()),
            value: place(bytes, value),
        });
        Headers {
            fields: places.collect(),
            bytes: bytes.clone(),
        }
    }

    pub fn len(&self) -> usize {
        self.fields.len()
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|field| {
            let name = str::from_utf8(self.at(&field.name));
            (name.unwrap_or_default(), self.at(&field.value))
        })
    }

    /// The first header of a name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// All headers of a name.
    pub fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &[u8]> {
        let name = name.as_bytes();
        // Mostly it is written as it is asked for: with capitals, if it came in HTTP/1.
        let same = move |field: &&Field| {
            let known = self.at(&field.name);
            known.len() == name.len() && (known == name || known.eq_ignore_ascii_case(name))
        };
        let found = self.fields.iter().filter(same);
        found.map(|field| self.at(&field.value))
    }

    /// The first header of a name, if it is nothing but visible characters of ASCII and blanks.
    pub fn text(&self, name: &str) -> Option<&str> {
        visible(self.get(name)?)
    }

    fn at(&self, place: &Range<u32>) -> &[u8] {
        let place = place.start as usize..place.end as usize;
        self.bytes.get(place).unwrap_or_default()
    }
}

/// Copies them.
impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(pairs: I) -> Headers {
        let (mut bytes, mut fields) = (BytesMut::new(), Vec::new());
        let mut add = |part: &[u8]| {
            let start = bytes.len() as u32;
            bytes.extend_from_slice(part);
            start..bytes.len() as u32
        };
        for (name, value) in pairs {
            let (name, value) = (add(name.as_bytes()), add(value));
            fields.push(Field { name, value });
        }
        Headers {
            bytes: bytes.freeze(),
            fields,
        }
    }
}

impl From<&HeaderMap> for Headers {
    fn from(map: &HeaderMap) -> Headers {
        let pairs = map.iter();
        pairs
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect()
    }
}

/// A value that is a text.
pub fn visible(value: &[u8]) -> Option<&str> {
    let visible = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    str::from_utf8(value)
        .ok()
        .filter(|_| value.iter().all(visible))
}

/// Where a part begins and ends within the whole.
fn place(whole: &[u8], part: &[u8]) -> Range<u32> {
    let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    start as u32..(start + part.len()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_however_it_is_written_and_however_it_came() {
        let sent = Bytes::from_static(b"Host: a\r\nX: 1\r\nhOST: \xe9\r\n");
        let parts = [("Host", 6..7), ("X", 12..13), ("hOST", 21..22)];
        let names = [0..4, 9..10, 15..19];
        let pairs = || {
            let fields = parts.iter().zip(&names);
            fields.map(|((_, value), name)| {
                let name = str::from_utf8(&sent[name.clone()]).unwrap();
                (name, &sent[value.clone()])
            })
        };
        let (shared, copied) = (
            Headers::within(&sent, pairs()),
            pairs().collect::<Headers>(),
        );
        for headers in [shared, copied] {
            let read: Vec<_> = headers.iter().map(|(name, _)| name).collect();
            assert_eq!(read, parts.clone().map(|(name, _)| name));
            let hosts: Vec<_> = headers.all("host").collect();
            assert_eq!(hosts, [&b"a"[..], b"\xe9"]);
            assert_eq!((headers.text("x"), headers.text("y")), (Some("1"), None));
        }
        let odd: Headers = [("a", &b"\xe9"[..]), ("b", b"\x7f")].into_iter().collect();
        assert_eq!((odd.text("a"), odd.text("b")), (None, None));
    }
}
