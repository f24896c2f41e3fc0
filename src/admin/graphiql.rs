//! A page to write GraphQL in, and the way from it to the doors of dialects that answer GraphQL.
//!
//! The page is GraphiQL, from files that are built in; a browser loads nothing from anywhere else. What is asked there
//! goes to the handler that answers clients, in this process, so that it is judged, counted and logged as from any
//! client: being at the operator's door proves nothing to a dialect. Only doors of documents are reached in this way.
//! What a browser sends for another site's page is refused; the listener stands before this, clients' handler after it.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use http_body_util::Full;
use serde_json::json;
use tokio::sync::Semaphore;

use super::text;
use crate::dialect::headers::Headers;
use crate::ingress::exchange::Doors;
use crate::ingress::listener::{Body, Client, Handler, Request};

const PAGE: &str = "/graphiql";

/// Nothing from elsewhere, and no script but those of our own files. Of styles, GraphiQL's dialogs write one into the page;
/// pictures are in its own style.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

const NONE: &str = "No dialect that is served answers GraphQL, so there is nothing to ask. Which are served, `dialects` in \
                    [listen] says.\n";
const NO_DOOR: &str = "No dialect that is served answers GraphQL there.\n";
const NAME: &str = "This page is opened by an address or as localhost: under any other name it could be another site's.\n";
const ELSEWHERE: &str = "This was asked by a page from elsewhere.\n";
const NO_JSON: &str = "A document is sent as application/json.\n";
const STOPPING: &str = "Sabir is stopping, or asked too much at once.\n";

/// The page's parts by their paths below its own. What is vendored is packed by gzip.
const PARTS: &[(&str, &str, &[u8])] = &[
    ("", HTML, include_bytes!("graphiql/page.html")),
    ("/page.css", STYLE, include_bytes!("graphiql/page.css")),
    ("/start.js", SCRIPT, include_bytes!("graphiql/start.js")),
    (
        "/react.production.min.js",
        SCRIPT,
        include_bytes!("../../vendor/graphiql/react.production.min.js.gz"),
    ),
    (
        "/react-dom.production.min.js",
        SCRIPT,
        include_bytes!("../../vendor/graphiql/react-dom.production.min.js.gz"),
    ),
    (
        "/graphiql.min.js",
        SCRIPT,
        include_bytes!("../../vendor/graphiql/graphiql.min.js.gz"),
    ),
    (
        "/graphiql.min.css",
        STYLE,
        include_bytes!("../../vendor/graphiql/graphiql.min.css.gz"),
    ),
    (
        "/licences.txt",
        PLAIN,
        include_bytes!("../../vendor/graphiql/licences.txt.gz"),
    ),
];

/// What a file packed by gzip begins with.
const PACKED: &[u8] = &[0x1f, 0x8b];

/// The page, and who answers what is asked there.
pub struct Graphiql<H> {
    /// What is served now.
    pub doors: Box<dyn Fn() -> Arc<Doors>>,
    pub clients: Rc<H>,
    /// One for each question that is being answered; whoever takes them all ends this.
    pub places: Arc<Semaphore>,
}

/// Is the path the page's, or one of its parts'?
pub fn owns(path: &str) -> bool {
    path.strip_prefix(PAGE)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl<H: Handler> Graphiql<H> {
    pub async fn answer(
        &self,
        request: &Request,
        body: Body,
        client: &Client,
    ) -> Response<Full<Bytes>> {
        let path = request.uri.path().strip_prefix(PAGE).unwrap_or_default();
        if !at_home(&request.headers) {
            return text(StatusCode::MISDIRECTED_REQUEST, NAME);
        }
        match request.method {
            Method::GET | Method::HEAD => self.show(path),
            Method::POST => self.ask(request, body, client).await,
            _ => {
                let mut response = text(StatusCode::METHOD_NOT_ALLOWED, NO_DOOR);
                let allowed = HeaderValue::from_static("GET, HEAD, POST");
                response.headers_mut().insert(header::ALLOW, allowed);
                response
            }
        }
    }

    fn show(&self, path: &str) -> Response<Full<Bytes>> {
        let doors = (self.doors)();
        if path == "/doors" {
            return listed(&doors);
        }
        if path.is_empty() && doors.graphs().is_empty() {
            return text(StatusCode::NOT_FOUND, NONE);
        }
        match PARTS.iter().find(|(name, ..)| *name == path) {
            Some((_, kind, part)) => sent(kind, *part),
            None => text(StatusCode::NOT_FOUND, "The page has no such part.\n"),
        }
    }

    /// Has what is asked at a door answered there.
    async fn ask(&self, request: &Request, body: Body, client: &Client) -> Response<Full<Bytes>> {
        if !own_page(&request.headers) {
            return text(StatusCode::FORBIDDEN, ELSEWHERE);
        }
        if !is_json(&request.headers) {
            return text(StatusCode::UNSUPPORTED_MEDIA_TYPE, NO_JSON);
        }
        let doors = (self.doors)();
        let path = request.uri.path().strip_prefix(PAGE).unwrap_or_default();
        let graphs = doors.graphs();
        let Some(graph) = graphs.iter().find(|graph| graph.path == path) else {
            return text(StatusCode::NOT_FOUND, NO_DOOR);
        };
        let Ok(_place) = self.places.try_acquire() else {
            return text(StatusCode::SERVICE_UNAVAILABLE, STOPPING);
        };
        let Ok(uri) = path.parse::<Uri>() else {
            return text(StatusCode::NOT_FOUND, NO_DOOR);
        };
        let mut request = request.clone();
        request.uri = uri;
        if let Some(host) = graph.host {
            request.headers = under_host(&request.headers, host);
        }
        let mut response = self.clients.answer(&request, body, client).await;
        // The door may be open to everybody's pages; this one is not.
        let headers = response.headers_mut();
        headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        response
    }
}

/// The same headers with another host.
fn under_host(headers: &Headers, host: &str) -> Headers {
    let others = headers.iter();
    let others = others.filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
    others.chain([("host", host.as_bytes())]).collect()
}

/// What the page offers to ask.
fn listed(doors: &Doors) -> Response<Full<Bytes>> {
    let graphs = doors.graphs();
    let graphs = graphs.iter().map(|graph| {
        json!({
            "name": format!("{} {}", graph.dialect, graph.door),
            "path": graph.path,
        })
    });
    let list = serde_json::Value::from_iter(graphs).to_string();
    sent("application/json", list)
}

fn sent(kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let body = body.into();
    let packed = body.starts_with(PACKED);
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    // There is no browser that does not unpack this.
    if packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Is this asked under a name that nobody else can give us? A page from elsewhere can have its own name lead here, and a
/// browser then takes us for the site that the page is from.
fn at_home(headers: &Headers) -> bool {
    if headers.get("Host").is_none() {
        return true;
    }
    let Some(host) = headers.text("Host") else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost") || bare.unwrap_or(name).parse::<IpAddr>().is_ok()
}

/// Was this not asked by another site's page? A browser says so in the first header; where it keeps that one to itself, as
/// it does to a host that it does not trust, in the second. Other programs send neither, and have no page's rights.
fn own_page(headers: &Headers) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == b"same-origin" || site == b"none";
    }
    if headers.get("origin").is_none() {
        return true;
    }
    let origin = headers.text("origin").unwrap_or_default();
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some_and(|authority| headers.text("Host") == Some(authority))
}

/// The one kind of body that no form can send: for that alone a browser asks first, and is not let.
fn is_json(headers: &Headers) -> bool {
    let kind = headers.text("Content-Type");
    let essence = kind.and_then(|kind| kind.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}
