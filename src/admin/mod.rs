//! The operator's door: is it alive, is it ready, and what has it counted.
//!
//! Served by the same listener as the public door, with the same limits, at an address that the public does not reach;
//! so it asks nobody who they are. It changes nothing: what is asked on its page for GraphQL is answered by what answers
//! clients, to whoever proves there who they are. The app tells it when traffic may come.

pub mod graphiql;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;

use crate::ingress::listener::{Body, Client, Handler, Request};
use crate::metrics::Metrics;
use crate::store::Health;
use graphiql::Graphiql;

const PATHS: &str = "There are /healthz (alive), /readyz (taking traffic), /status (in words), /metrics (Prometheus text) and /graphiql (a page to write GraphQL in).\n";

/// What the operator may see.
pub struct Admin<H> {
    /// False until everything runs, and again as soon as the process is asked to stop.
    pub ready: Arc<AtomicBool>,
    /// Can the store still accept?
    pub store: Arc<dyn Fn() -> Health + Send + Sync>,
    /// What there is to say of upstreams, of the configuration in force, and of one that could not be taken.
    pub parts: Arc<dyn Fn() -> String + Send + Sync>,
    pub metrics: Arc<Metrics>,
    pub graphiql: Graphiql<H>,
}

impl<H: Handler> Handler for Admin<H> {
    async fn answer(
        &self,
        request: &Request,
        body: Body,
        client: &Client,
    ) -> Response<Full<Bytes>> {
        if graphiql::owns(request.uri.path()) {
            return self.graphiql.answer(request, body, client).await;
        }
        if !matches!(request.method, Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, PATHS);
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allowed);
            return response;
        }
        match request.uri.path() {
            "/healthz" => text(StatusCode::OK, "alive\n"),
            "/readyz" => self.readiness(),
            "/status" => self.status(),
            "/metrics" => match self.metrics.text() {
                Ok(metrics) => series(metrics),
                Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            },
            _ => text(StatusCode::NOT_FOUND, PATHS),
        }
    }
}

impl<H> Admin<H> {
    fn readiness(&self) -> Response<Full<Bytes>> {
        match self.unready() {
            Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            None => text(StatusCode::OK, "ready\n"),
        }
    }

    fn status(&self) -> Response<Full<Bytes>> {
        let ready = self.unready().unwrap_or("ready".into());
        text(StatusCode::OK, format!("{ready}\n{}", (self.parts)()))
    }

    fn unready(&self) -> Option<String> {
        if !self.ready.load(Ordering::Acquire) {
            return Some("starting or stopping".into());
        }
        match (self.store)() {
            Health::Ok => None,
            Health::Faulted(why) => Some(format!("the store is faulted: {why}")),
            Health::Closed => Some("the store is closed".into()),
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// In Prometheus's format of that version.
fn series(metrics: String) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::OK, metrics);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
