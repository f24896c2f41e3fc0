//! What a dialect with GraphQL doors adds: who asks, and the answer with its headers.
//!
//! The forms of faults are the mapping's, as for any exchange; that an answer is JSON, and how a batch of them is
//! told apart, is GraphQL over HTTP and stands here.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use super::request::{self, Documents};
use super::{Entry, Service};
use crate::dialect::escape::{Style, json_text};
use crate::dialect::exchange::{Dialect, FaultForm, ReplyBody, SealKey};
use crate::dialect::server::Rendered;
use crate::dialect::server::render::named;
use crate::dialect::tape::Tree;
use crate::dialect::template::{Scope, Template};
use crate::dialect::wire::Incoming;
use crate::model::{App, Arrival, Credential, Done, Fault, Operation};

/// A request at a GraphQL door.
#[derive(Debug)]
pub struct Read {
    pub credential: Credential,
    pub documents: Result<Documents, StatusCode>,
}

impl Dialect {
    /// The GraphQL service of a door, if the path is the door itself.
    pub fn service(&self, door: usize, path: &str) -> Option<&Service> {
        let service = self.services.iter().find(|service| service.door == door)?;
        let rest = path.strip_prefix(&*self.doors[door].path)?;
        matches!(rest, "" | "/").then_some(service)
    }

    /// Reads a request at a GraphQL door.
    pub fn read_documents(&self, incoming: &Incoming<'_>) -> Read {
        Read {
            credential: self.proof(incoming),
            documents: request::read(incoming),
        }
    }

    /// An answer of JSON at a GraphQL door.
    pub fn answered(&self, status: StatusCode, body: Vec<u8>, arrival: &Arrival) -> Rendered {
        let nothing = Done::default();
        let app = App::default();
        let scope = Scope::new(&nothing, arrival, &app);
        let mut rendered = self.assemble(
            status.as_u16(),
            &[],
            &ReplyBody::Empty,
            &scope,
            SealKey::None,
        );
        rendered
            .headers
            .entry(header::CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
        rendered.body = Bytes::from(body);
        rendered
    }

    /// A request that was refused for its HTTP: the status in words, as JSON for those who say that they read it.
    pub fn plain(&self, status: StatusCode, json: bool, arrival: &Arrival) -> Rendered {
        let words = status.canonical_reason().unwrap_or_default();
        if json {
            return self.answered(status, format!("\"{words}\"").into_bytes(), arrival);
        }
        let mut rendered = self.answered(status, words.as_bytes().to_vec(), arrival);
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        rendered.headers.insert(header::CONTENT_TYPE, html);
        rendered
    }

    /// A fault that is the whole answer.
    pub fn whole_fault(
        &self,
        fault: &Fault,
        on: Option<Operation>,
        door: usize,
        arrival: &Arrival,
    ) -> Rendered {
        let nothing = Done::default();
        let app = App::default();
        let scope = Scope {
            request: Some(&nothing),
            fault: Some(&fault.details),
            ..Scope::new(&*fault.details, arrival, &app)
        };
        match self.fault_form(fault.kind, on, &fault.details.field, door) {
            Some(form) => self.assemble(
                form.status.unwrap_or(200),
                &form.header,
                &form.body,
                &scope,
                form.seal,
            ),
            None => self.plain(StatusCode::INTERNAL_SERVER_ERROR, true, arrival),
        }
    }

    /// Puts the wire's name in the place of a field's.
    pub(super) fn name_field(&self, fault: &mut Fault, entry: &Entry) {
        let arguments = entry.arguments.as_ref();
        if let Some(name) = arguments.and_then(|template| named(template, &fault.details.field)) {
            fault.details.field = name.into();
        }
    }
}

/// The words of a fault's GraphQL error.
pub(super) fn words(form: &FaultForm) -> Option<&Template> {
    let ReplyBody::Json(Template::Object(members)) = &form.body else {
        return None;
    };
    let Template::Array(errors) = &members.first().filter(|_| form.evident)?.template else {
        return None;
    };
    match errors.first()? {
        Template::Object(members) => members.first().map(|member| &member.template),
        _ => None,
    }
}

/// What would be the whole answer, as the payload of one item: an object as it is, a text as an error's.
pub fn payload(whole: &[u8]) -> Vec<u8> {
    if !whole.starts_with(b"\"") {
        return whole.to_vec();
    }
    [b"{\"errors\":[{\"message\":", whole, b"}]}"].concat()
}

/// Writes an item of a batch's answer: its payload, and then what the item had besides its document, in the order in
/// which Absinthe.Plug's maps are written.
pub fn item(beside: Vec<(String, Tree)>, payload: &[u8], out: &mut Vec<u8>) {
    let mut members: Vec<(String, Vec<u8>)> = beside
        .into_iter()
        .map(|(name, value)| {
            let mut json = String::new();
            let tape = value.into_tape();
            if let Some(root) = tape.root() {
                root.write_json(&mut json);
            }
            (name, json.into_bytes())
        })
        .collect();
    members.retain(|(name, _)| name != "payload");
    members.sort();
    out.extend_from_slice(b"{\"payload\":");
    out.extend_from_slice(payload);
    for (name, value) in &members {
        out.push(b',');
        json_text(name, Style::Plain, out);
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
}
