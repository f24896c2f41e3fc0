//! A request as it came over the wire, its parts read into tapes.
//!
//! Bodies are JSON, urlencoded or multipart; which one is said by the Content-Type, and where that is missing by the
//! dialect's first kind. Nothing is decided here: what the parts mean is for [`server`](super::server).

use std::borrow::Cow;

use http::Method;

use super::exchange::{BodyKind, Dialect, QueryKind};
use super::headers::Headers;
use super::query;
use super::read::{Field, Fields};
use super::tape::Tape;

/// A request whose path was found in the directory.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    pub method: &'a Method,
    /// The path's segments where templates stand, still percent-encoded.
    pub segments: &'a [&'a str],
    /// Without the question mark.
    pub query: &'a str,
    pub headers: &'a Headers,
    pub body: &'a [u8],
}

/// A request's parts, parsed.
pub struct Parsed<'a> {
    pub query: Tape<'a>,
    pub body: Option<Body<'a>>,
}

pub struct Body<'a> {
    pub kind: BodyKind,
    pub tape: Tape<'a>,
}

/// Why a request's bytes cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl<'a> Incoming<'a> {
    /// Reads the query and the body.
    ///
    /// # Errors
    /// Which part is not what it says it is.
    pub fn parse(&self, dialect: &Dialect) -> Result<Parsed<'a>, Unreadable> {
        let query = match dialect.query {
            QueryKind::Plain => query::plain(self.query),
            QueryKind::Feathers => query::feathers(self.query),
        };
        let query = query.map_err(|_| Unreadable("the query string is not UTF-8".into()))?;
        Ok(Parsed {
            query,
            body: self.parse_body(dialect)?,
        })
    }

    fn parse_body(&self, dialect: &Dialect) -> Result<Option<Body<'a>>, Unreadable> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let told = self.headers.text("Content-Type").and_then(body_kind);
        let kind = told
            .or(dialect.bodies.first().copied())
            .unwrap_or(BodyKind::Json);
        let tape = match kind {
            BodyKind::Json => self.json()?,
            BodyKind::Form => {
                let text = std::str::from_utf8(self.body).map_err(|_| query::NotUtf8);
                text.and_then(query::plain)
                    .map_err(|_| Unreadable("the form is not UTF-8".into()))?
            }
            BodyKind::Multipart => self.multipart()?,
        };
        Ok(Some(Body { kind, tape }))
    }

    fn json(&self) -> Result<Tape<'a>, Unreadable> {
        let tape = Tape::json(self.body)
            .map_err(|error| Unreadable(format!("the body is not JSON: {error}")))?;
        match tape.doubled_member() {
            Some(name) => Err(Unreadable(format!(
                "the body has the member `{name}` twice"
            ))),
            None => Ok(tape),
        }
    }

    fn multipart(&self) -> Result<Tape<'a>, Unreadable> {
        let boundary = self
            .headers
            .text("Content-Type")
            .and_then(|kind| multer::parse_boundary(kind).ok())
            .ok_or_else(|| Unreadable("the multipart body has no boundary".into()))?;
        let pairs = super::multipart::fields(self.body, &boundary)
            .ok_or_else(|| Unreadable("the multipart body cannot be read".into()))?;
        let count = pairs.len();
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| Ok((Cow::Owned(name), Cow::Owned(value))));
        Tape::of_pairs(pairs, count)
    }
}

fn body_kind(content_type: &str) -> Option<BodyKind> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is = |kind: &str| essence.eq_ignore_ascii_case(kind);
    let ends = |kind: &str| {
        let from = essence.len().checked_sub(kind.len());
        let end = from.and_then(|from| essence.get(from..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(kind))
    };
    if is("application/json") || ends("+json") {
        Some(BodyKind::Json)
    } else if is("application/x-www-form-urlencoded") {
        Some(BodyKind::Form)
    } else if is("multipart/form-data") {
        Some(BodyKind::Multipart)
    } else {
        None
    }
}

impl<'a> Parsed<'a> {
    /// Where `params` are looked up: the body if there is one, then the query.
    pub fn params(&self) -> Fields<'_> {
        Fields {
            first: self.body_field(),
            then: self.query_field(),
        }
    }

    pub fn query_field(&self) -> Option<Field<'_>> {
        self.query.root().map(|at| Field { at, textual: true })
    }

    pub fn body_field(&self) -> Option<Field<'_>> {
        let body = self.body.as_ref()?;
        body.tape.root().map(|at| Field {
            at,
            textual: body.kind != BodyKind::Json,
        })
    }

    pub fn json_field(&self) -> Option<Field<'_>> {
        self.body_field().filter(|field| !field.textual)
    }

    pub fn form_field(&self) -> Option<Field<'_>> {
        self.body_field().filter(|field| field.textual)
    }
}
