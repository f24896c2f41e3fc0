//! The head of a request, whichever HTTP it came in.
//!
//! A plain value without the body, which has one reader and a limit of its own. `http1` and `http2` make it, `screen`
//! looks whether it can be answered, and the handler reads it.

use http::{Method, Uri, Version, request};

use crate::dialect::headers::Headers;

#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub version: Version,
    pub headers: Headers,
}

impl From<&request::Parts> for Request {
    fn from(parts: &request::Parts) -> Request {
        Request {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            version: parts.version,
            headers: Headers::from(&parts.headers),
        }
    }
}
