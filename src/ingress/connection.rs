//! One connection of a client, from its first byte to its last.
//!
//! What HTTP/1 leaves open and an attacker would use (a missing or doubled Host, two lengths, unknown codings) is
//! refused here, before a handler sees it, and whoever keeps us waiting is let go. Before it stands the listener, after
//! it the exchange.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::body::Body;
use super::coding::ACCEPTED;
use super::http2;
use super::listener::{Client, Floor, Handler, Seat};
use super::screen::{Refusal, screen};
use super::wire::{Socket, Vitals, Wire};
use crate::alarm::Alarm;
use crate::metrics::waits::accounted;

/// Carries one connection whose first bytes are a handshake, which is no longer waited for than the first request.
pub(super) async fn secure<H: Handler>(
    seat: Seat<H>,
    tls: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
) {
    seat.take().await;
    let vitals = Vitals::new();
    let mut alarm = Alarm::default();
    let mut handshake = pin!(tls.accept(stream));
    let stream = poll_fn(|cx| {
        if let Poll::Ready(done) = handshake.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        let deadline = vitals.deadline(&seat.floor.patience);
        ready!(seat.floor.poll_overdue(deadline, &mut alarm, cx));
        Poll::Ready(None)
    })
    .await;
    match stream {
        Some(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            http2::converse(seat, stream, peer, vitals.born()).await;
        }
        Some(Ok(stream)) => converse(seat, stream, peer, vitals).await,
        Some(Err(error)) => debug!(%peer, %error, "no handshake"),
        None => debug!(%peer, "cut off a handshake that was waited for too long"),
    }
}

/// Carries one connection from its first byte to its last.
pub(super) async fn converse<H: Handler, S: Socket>(
    seat: Seat<H>,
    stream: S,
    peer: SocketAddr,
    vitals: Arc<Vitals>,
) {
    let floor = &*seat.floor;
    seat.take().await;
    let wire = TokioIo::new(Wire::new(stream, Arc::clone(&vitals)));
    let client = Client::new(peer, vitals.presence.clone());
    let service = service_fn(|request| exchange(floor, &vitals, &client, request));
    let connection = floor.http1.serve_connection(wire, service);
    let mut connection = pin!(connection.with_upgrades());
    let mut alarm = Alarm::default();
    poll_fn(|cx| {
        if let Poll::Ready(end) = connection.as_mut().poll(cx) {
            if let Err(error) = end {
                debug!(%peer, %error, "connection ended badly");
            }
            return Poll::Ready(());
        }
        // Only after a poll: a request that is already in the socket is not cut off.
        let last_call = floor.last_call(&vitals);
        let deadline = vitals.deadline(&floor.patience);
        let deadline = deadline.into_iter().chain(last_call).min();
        ready!(floor.poll_overdue(deadline, &mut alarm, cx));
        if vitals.cut() {
            let _ = connection.as_mut().poll(cx);
        }
        debug!(%peer, "cut off a connection that was waited for too long");
        Poll::Ready(())
    })
    .await
}

/// One request and its reply.
async fn exchange<H: Handler>(
    floor: &Floor<H>,
    vitals: &Vitals,
    client: &Client,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let certain = vitals.begin();
    // What follows a chunked body is not followed (see `scan`), so nothing may.
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let lengths = match chunked && !certain {
        true => Err(Refusal::TwoLengths),
        false => Ok(()),
    };
    let (mut response, refused) = respond(floor, client, request, lengths).await;
    if chunked || refused || floor.stopping() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    vitals.end();
    Ok(response)
}

/// Answers a request, unless `fit` or its head says that it cannot be. The last value says that it was refused.
pub(super) async fn respond<H: Handler>(
    floor: &Floor<H>,
    client: &Client,
    request: Request<Incoming>,
    fit: Result<(), Refusal>,
) -> (Response<Full<Bytes>>, bool) {
    match screen(&request, fit) {
        Ok(coding) => {
            let body = |incoming| Body::new(incoming, coding, floor.body_bytes, floor.body_within);
            let answer = pin!(floor.handler.answer(request.map(body), client));
            (accounted(answer).await, false)
        }
        Err(refusal) => {
            let (method, path) = (request.method(), request.uri().path());
            let mut response = floor.handler.refuse(&refusal, method, path);
            if refusal == Refusal::ContentCoding {
                let accepted = HeaderValue::from_static(ACCEPTED);
                response
                    .headers_mut()
                    .insert(header::ACCEPT_ENCODING, accepted);
            }
            (response, true)
        }
    }
}
