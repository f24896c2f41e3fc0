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
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::body::Body;
use super::coding::ACCEPTED;
use super::floor::{Seat, Terms};
use super::http2;
use super::listener::{Client, Handler};
use super::screen::{Refusal, screen};
use super::wire::{Socket, Wire};
use crate::alarm::Alarm;
use crate::metrics::waits::accounted;

/// Carries one connection from its beginning to its end.
pub(super) async fn plain<H: Handler>(seat: Seat<H>, stream: TcpStream, peer: SocketAddr) {
    if begins(&seat, &stream, peer).await {
        converse(seat, stream, peer).await;
    }
}

/// Carries one connection whose first bytes are a handshake, which is no longer waited for than the first request.
pub(super) async fn secure<H: Handler>(
    seat: Seat<H>,
    tls: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
) {
    if !begins(&seat, &stream, peer).await {
        return;
    }
    let mut alarm = Alarm::default();
    let mut handshake = pin!(tls.accept(stream));
    let stream = poll_fn(|cx| {
        if let Poll::Ready(done) = handshake.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        ready!(seat.poll_overdue(seat.deadline(), &mut alarm, cx));
        Poll::Ready(None)
    })
    .await;
    match stream {
        Some(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            http2::converse(seat, stream, peer).await;
        }
        Some(Ok(stream)) => converse(seat, stream, peer).await,
        Some(Err(error)) => debug!(%peer, %error, "no handshake"),
        None => debug!(%peer, "cut off a handshake that was waited for too long"),
    }
}

/// Waits for the first byte. Whoever sends none has no buffers.
async fn begins<H>(seat: &Seat<H>, stream: &TcpStream, peer: SocketAddr) -> bool {
    seat.take().await;
    let mut alarm = Alarm::default();
    let begins = poll_fn(|cx| {
        // Not its readiness: the runtime takes a new socket for ready until it has looked.
        let mut byte = [0];
        if stream
            .poll_peek(cx, &mut ReadBuf::new(&mut byte))
            .is_ready()
        {
            return Poll::Ready(true);
        }
        ready!(seat.poll_overdue(seat.deadline(), &mut alarm, cx));
        Poll::Ready(false)
    })
    .await;
    if !begins {
        debug!(%peer, "cut off a connection on which nothing came");
        // They come in crowds.
        seat.floor.turn().await;
    }
    begins
}

/// Carries one connection from its first byte to its last.
async fn converse<H: Handler, S: Socket>(seat: Seat<H>, stream: S, peer: SocketAddr) {
    let vitals = &seat.vitals;
    let wire = TokioIo::new(Wire::new(stream, Arc::clone(vitals)));
    let client = Client::new(peer, vitals.presence.clone());
    let service = service_fn(|request| exchange(&seat, &client, request));
    let connection = seat.terms.http1.serve_connection(wire, service);
    let mut connection = pin!(connection.with_upgrades());
    let mut alarm = Alarm::default();
    let overdue = poll_fn(|cx| {
        vitals.turn();
        if let Poll::Ready(end) = connection.as_mut().poll(cx) {
            if let Err(error) = end {
                debug!(%peer, %error, "connection ended badly");
            }
            return Poll::Ready(false);
        }
        // Only after a poll: a request that is already in the socket is not cut off.
        ready!(seat.poll_overdue(seat.deadline(), &mut alarm, cx));
        Poll::Ready(true)
    })
    .await;
    if overdue {
        debug!(%peer, "cut off a connection that was waited for too long");
        seat.floor.turn().await;
        if vitals.cut() {
            poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx).is_ready())).await;
        }
    }
}

/// One request and its reply.
async fn exchange<H: Handler>(
    seat: &Seat<H>,
    client: &Client,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let vitals = &seat.vitals;
    let certain = vitals.begin();
    let _aside = match vitals.further() {
        true => seat.floor.aside().await,
        false => None,
    };
    // What follows a chunked body is not followed (see `scan`), so nothing may.
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let lengths = match chunked && !certain {
        true => Err(Refusal::TwoLengths),
        false => Ok(()),
    };
    let handler = &*seat.floor.handler;
    let (mut response, refused) = respond(handler, &seat.terms, client, request, lengths).await;
    if chunked || refused || seat.floor.stopping() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    vitals.end();
    Ok(response)
}

/// Answers a request, unless `fit` or its head says that it cannot be. The last value says that it was refused.
pub(super) async fn respond<H: Handler>(
    handler: &H,
    terms: &Terms,
    client: &Client,
    request: Request<Incoming>,
    fit: Result<(), Refusal>,
) -> (Response<Full<Bytes>>, bool) {
    match screen(&request, fit) {
        Ok(coding) => {
            let body = |incoming| Body::new(incoming, coding, terms.body_bytes, terms.body_within);
            let answer = pin!(handler.answer(request.map(body), client));
            (accounted(answer).await, false)
        }
        Err(refusal) => {
            let (method, path) = (request.method(), request.uri().path());
            let mut response = handler.refuse(&refusal, method, path);
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
