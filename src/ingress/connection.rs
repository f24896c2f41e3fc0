//! What connections of HTTP/1 and of HTTP/2 have in common: how they begin, and how a request is answered.
//!
//! What HTTP leaves open and an attacker would use (a missing or doubled Host, two lengths, unknown codings) is refused
//! here, before a handler sees it. Before it stands the listener, after it `http1` or `http2`.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Full;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::body::{Body, Source};
use super::coding::ACCEPTED;
use super::floor::{Seat, Terms};
use super::http1::{self, Socket};
use super::http2;
use super::listener::{Client, Handler};
use super::request::Request;
use super::screen::{Refusal, screen};
use crate::alarm::Alarm;
use crate::metrics::waits::accounted;

/// Carries one connection from its beginning to its end. What it takes of memory it takes once something has come: until
/// then its task is small, so that ten thousand who are silent cost little, their coming and going included.
pub(super) async fn carry<H: Handler>(
    seat: Seat<H>,
    tls: Option<TlsAcceptor>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    if !begins(&seat, &stream, peer).await {
        return;
    }
    match tls {
        None => Box::pin(http1::converse(seat, Socket::Plain(stream), peer)).await,
        Some(tls) => Box::pin(secure(seat, tls, stream, peer)).await,
    }
}

/// Carries one connection whose first bytes are a handshake, which is no longer waited for than the first request.
async fn secure<H: Handler>(seat: Seat<H>, tls: TlsAcceptor, stream: TcpStream, peer: SocketAddr) {
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
        Some(Ok(stream)) => {
            http1::converse(seat, Socket::Secure(Box::new(stream)), peer).await;
        }
        Some(Err(error)) => debug!(%peer, %error, "no handshake"),
        None => debug!(%peer, "cut off a handshake that was waited for too long"),
    }
}

/// Waits for the first byte.
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
        seat.floor.turns.take().await;
    }
    begins
}

/// Answers a request, unless `fit` or its head says that it cannot be. The last value says that it was refused.
pub(super) async fn respond<H: Handler>(
    handler: &H,
    terms: &Terms,
    client: &Client,
    request: &Request,
    source: Source,
    fit: Result<(), Refusal>,
) -> (Response<Full<Bytes>>, bool) {
    match screen(request, fit) {
        Ok(coding) => {
            let body = Body::new(source, coding, terms.body_bytes, terms.body_within);
            let answer = pin!(handler.answer(request, body, client));
            (accounted(answer).await, false)
        }
        Err(refusal) => {
            let mut response = handler.refuse(&refusal, &request.method, request.uri.path());
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
