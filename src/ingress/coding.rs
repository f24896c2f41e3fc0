//! Content codings of requests: what a client may have packed its body with, and the unpacking within a limit.
//!
//! A body is unpacked once it is here, because it is small by then; what comes out is counted while it comes, so a
//! small body that unpacks to a huge one costs no more than the limit. A coding that is not known here is refused by
//! `screen` before the body is read.

use std::io::Read;

use super::body::BodyError;
use super::screen::Refusal;
use crate::dialect::headers::Headers;
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// What is understood, as a refusal tells it.
pub(super) const ACCEPTED: &str = "gzip, deflate";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    /// The coding that a head names; none if the body is as it is.
    pub fn of(headers: &Headers) -> Result<Option<Coding>, Refusal> {
        let mut codings = headers.all("Content-Encoding");
        let Some(coding) = codings.next() else {
            return Ok(None);
        };
        if codings.next().is_some() {
            return Err(Refusal::ContentCoding);
        }
        match coding.to_ascii_lowercase().as_slice() {
            b"identity" => Ok(None),
            b"gzip" | b"x-gzip" => Ok(Some(Coding::Gzip)),
            b"deflate" => Ok(Some(Coding::Deflate)),
            _ => Err(Refusal::ContentCoding),
        }
    }

    /// What was packed, if it is no larger than the limit.
    pub fn unpack(self, packed: &[u8], limit: usize) -> Result<Bytes, BodyError> {
        match self {
            Coding::Gzip => gather(MultiGzDecoder::new(packed), limit),
            // The name means zlib, and some clients leave zlib's two bytes and its checksum out.
            Coding::Deflate if is_zlib(packed) => gather(ZlibDecoder::new(packed), limit),
            Coding::Deflate => gather(DeflateDecoder::new(packed), limit),
        }
    }
}

fn is_zlib(packed: &[u8]) -> bool {
    matches!(packed, [method, flags, ..]
        if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31))
}

fn gather(unpacked: impl Read, limit: usize) -> Result<Bytes, BodyError> {
    let mut bytes = Vec::new();
    let read = unpacked.take(limit as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|_| BodyError::Coding)?;
    if bytes.len() > limit {
        return Err(BodyError::TooLarge { limit });
    }
    Ok(bytes.into())
}
