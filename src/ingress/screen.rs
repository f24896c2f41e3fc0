//! Turns away what HTTP/1 allows a client to send and nobody can answer safely.
//!
//! What is malformed in itself was refused before, without asking. What is left are requests that two readers would
//! understand differently, or that ask for something we do not do. A refusal is a value: the status is decided here, the
//! words may be a dialect's.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, Version, header};
use http_body_util::Full;

use super::coding::Coding;
use super::request::Request;
use crate::dialect::headers::Headers;

/// Why a request is refused before any dialect has looked at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the Host header is missing")]
    NoHost,
    #[error("there is more than one Host header")]
    ManyHosts,
    #[error("the Host header is not a host")]
    NotAHost,
    #[error("Content-Length and Transfer-Encoding exclude each other")]
    TwoLengths,
    #[error("the Content-Length is not a length")]
    NotALength,
    #[error("the last Transfer-Encoding must be chunked")]
    Endless,
    #[error("the only Transfer-Encoding understood here is chunked")]
    TransferCoding,
    #[error("the body's Content-Encoding is not understood here")]
    ContentCoding,
    #[error("the only Expect understood here is 100-continue")]
    Expectation,
    #[error("this is not a proxy of that kind")]
    Tunnel,
    #[error("there are too many headers")]
    ManyHeaders,
}

impl Refusal {
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::NoHost
            | Refusal::ManyHosts
            | Refusal::NotAHost
            | Refusal::TwoLengths
            | Refusal::NotALength
            | Refusal::Endless => StatusCode::BAD_REQUEST,
            Refusal::TransferCoding | Refusal::Tunnel => StatusCode::NOT_IMPLEMENTED,
            Refusal::Expectation => StatusCode::EXPECTATION_FAILED,
            Refusal::ContentCoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::ManyHeaders => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        }
    }

    /// The refusal in nobody's dialect.
    pub fn plain(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(format!("{self}\n"))));
        *response.status_mut() = self.status();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        response
    }
}

/// Is this a request that can be answered, and how is its body packed? `fit` is what only the connection can tell of it,
/// and stands behind the coding that it may be about.
pub(super) fn screen(
    request: &Request,
    fit: Result<(), Refusal>,
) -> Result<Option<Coding>, Refusal> {
    let headers = &request.headers;
    if request.method == Method::CONNECT {
        return Err(Refusal::Tunnel);
    }
    fit?;
    let mut expected = headers.all("Expect");
    if expected.any(|value| !value.eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::Expectation);
    }
    let coding = Coding::of(headers)?;
    screen_host(headers, request.version)?;
    Ok(coding)
}

/// HTTP/2 names the host in the request's target, and may name it again in the header. What comes later reads the
/// header alone.
pub(super) fn agree_on_host<B>(request: &mut http::Request<B>) -> Result<(), Refusal> {
    let Some(authority) = request.uri().authority() else {
        return Ok(());
    };
    let named = authority.as_str();
    let mut hosts = request.headers().get_all(header::HOST).iter();
    if hosts.any(|host| !host.as_bytes().eq_ignore_ascii_case(named.as_bytes())) {
        return Err(Refusal::ManyHosts);
    }
    let host = HeaderValue::from_str(named).map_err(|_| Refusal::NotAHost)?;
    request.headers_mut().insert(header::HOST, host);
    Ok(())
}

fn screen_host(headers: &Headers, version: Version) -> Result<(), Refusal> {
    let mut hosts = headers.all("Host");
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Err(Refusal::ManyHosts),
        (Some(host), None) if !is_host(host) => Err(Refusal::NotAHost),
        (Some(_), None) => Ok(()),
        // Older than the header.
        (None, None) if version == Version::HTTP_10 => Ok(()),
        (None, None) => Err(Refusal::NoHost),
    }
}

/// Letters, digits and what addresses and ports are written with; no list, no user, no path.
fn is_host(host: &[u8]) -> bool {
    let fits = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b':'
                    | b'['
                    | b']'
                    | b'%'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('..=b'+' | b';' | b'='
            )
    };
    !host.is_empty() && host.iter().all(fits)
}
