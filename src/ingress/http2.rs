//! One connection of a client that speaks HTTP/2, which it does over TLS and if it asks for it.
//!
//! The same requests as over HTTP/1, the same refusals and limits. What differs is that many are under way at once:
//! each reply is watched by itself, and one that is not taken ends the connection as it does there. A client may take a
//! request back at any moment; what has begun is carried out all the same. Before it stands the handshake, after it the
//! exchange.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{JoinError, spawn_local};
use tokio::time::Instant;
use tracing::debug;

use super::body::Source;
use super::connection::respond;
use super::floor::{Floor, Seat, Terms};
use super::listener::{Client, Config, Handler};
use super::request::Request;
use super::screen::{Refusal, agree_on_host};
use super::vitals::{Patience, Vitals};
use crate::alarm::Alarm;
use crate::model::Presence;

/// How much of a reply is given to the connection at once. What it holds is out of our sight.
const PIECE: usize = 16 << 10;
/// What a client may send of a body before we have taken it, and of all bodies of a connection.
const BODY_WINDOW: u32 = 64 << 10;
const BODIES_WINDOW: u32 = 256 << 10;
/// Mistakes and withdrawals of a client that are borne before the connection is closed.
const RESETS: usize = 64;
/// How long a client that was told of the end may take to leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// The tasks of streams stay on this thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here;

impl<F: Future + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, stream: F) {
        spawn_local(async {
            stream.await;
        });
    }
}

pub(super) fn builder(config: &Config) -> Builder<Here> {
    let mut builder = Builder::new(Here);
    builder
        .max_concurrent_streams(config.streams)
        .max_header_list_size(u32::try_from(config.head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .initial_stream_window_size(BODY_WINDOW)
        .initial_connection_window_size(BODIES_WINDOW)
        .max_send_buf_size(PIECE);
    builder
}

/// Carries one connection from behind its handshake to its end.
pub(super) async fn converse<H: Handler, S>(seat: Seat<H>, stream: S, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (vitals, terms) = (&seat.vitals, seat.terms.clone());
    let streams = Rc::new(Streams::new(Rc::clone(vitals)));
    let (floor, begun) = (Rc::clone(&seat.floor), Rc::clone(&streams));
    let service = service_fn(move |request| {
        let further = begun.vitals.further();
        let stage = (floor.clone(), terms.clone());
        exchange(stage, begun.clone(), further, peer, request)
    });
    let builder = &seat.terms.http2;
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut alarm = Alarm::default();
    let mut told: Option<Instant> = None;
    poll_fn(|cx| {
        streams.watched_by(cx);
        vitals.turn();
        loop {
            if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                if let Err(error) = end {
                    debug!(%peer, %error, "connection ended badly");
                }
                return Poll::Ready(());
            }
            if told.is_none() && seat.floor.stopping() {
                told = Some(Instant::now());
                connection.as_mut().graceful_shutdown();
                continue;
            }
            let deadline = streams.deadline(&seat.terms.patience, told);
            ready!(seat.poll_overdue(deadline, &mut alarm, cx));
            if told.is_none() && streams.none() {
                told = Some(Instant::now());
                connection.as_mut().graceful_shutdown();
                continue;
            }
            debug!(%peer, "cut off a connection that was waited for too long");
            return Poll::Ready(());
        }
    })
    .await
}

/// One request and its reply. The request has a task of its own: hyper drops this one if the client loses interest.
async fn exchange<H: Handler>(
    (floor, terms): (Rc<Floor<H>>, Rc<Terms>),
    streams: Rc<Streams>,
    further: bool,
    peer: SocketAddr,
    mut request: http::Request<Incoming>,
) -> Result<Response<Paced>, JoinError> {
    let stream = Stream::begin(streams);
    let client = Client::new(peer, stream.presence.clone());
    let to_head = *request.method() == Method::HEAD;
    let task = spawn_local(async move {
        let _begun = floor.begin();
        if further {
            floor.turns.take().await;
        }
        let headers = request.headers().len();
        let fit = match agree_on_host(&mut request) {
            Ok(()) if headers > terms.headers => Err(Refusal::ManyHeaders),
            fit => fit,
        };
        let (parts, body) = request.into_parts();
        let (request, source) = (Request::from(&parts), Source::Stream(body));
        respond(&*floor.handler, &terms, &client, &request, source, fit)
            .await
            .0
    });
    let response = task.await?;
    stream.moved();
    let (mut head, body) = response.into_parts();
    // The end of a connection is told otherwise here.
    head.headers.remove(header::CONNECTION);
    let mut left = taken(body).await;
    if to_head {
        let length = HeaderValue::from(left.len());
        head.headers.entry(header::CONTENT_LENGTH).or_insert(length);
        left = Bytes::new();
    }
    Ok(Response::from_parts(head, Paced { left, stream }))
}

/// The bytes of a body that has them already.
async fn taken(mut body: http_body_util::Full<Bytes>) -> Bytes {
    let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
    let data = frame.and_then(|frame| frame.ok()?.into_data().ok());
    data.unwrap_or_default()
}

/// The streams of one connection, and since when each has been waiting for the client.
struct Streams {
    vitals: Rc<Vitals>,
    /// By number; nothing while the request is being carried out.
    open: RefCell<HashMap<u64, Option<Instant>>>,
    numbered: Cell<u64>,
    /// When the last one ended.
    ended: Cell<Option<Instant>>,
    task: RefCell<Waker>,
}

impl Streams {
    fn new(vitals: Rc<Vitals>) -> Streams {
        Streams {
            vitals,
            open: RefCell::default(),
            numbered: Cell::new(0),
            ended: Cell::new(None),
            task: RefCell::new(Waker::noop().clone()),
        }
    }

    fn none(&self) -> bool {
        self.open.borrow().is_empty()
    }

    /// When the connection has been waited for long enough.
    fn deadline(&self, patience: &Patience, told: Option<Instant>) -> Option<Instant> {
        let open = self.open.borrow();
        if !open.is_empty() {
            let longest = open.values().flatten().min();
            return longest.map(|since| *since + patience.sending);
        }
        match told {
            Some(told) => {
                let since = self.ended.get().map_or(told, |ended| ended.max(told));
                Some(since + FAREWELL)
            }
            None => self.vitals.deadline(patience),
        }
    }

    fn watched_by(&self, cx: &Context<'_>) {
        self.task.borrow_mut().clone_from(cx.waker());
    }
}

/// A place among the streams, given up when the reply is on its way or nobody wants it any more.
struct Stream {
    streams: Rc<Streams>,
    number: u64,
    /// Each request's own: a client may leave one and stay with another.
    presence: Presence,
}

impl Stream {
    fn begin(streams: Rc<Streams>) -> Stream {
        let number = streams.numbered.get();
        streams.numbered.set(number + 1);
        streams.open.borrow_mut().insert(number, None);
        streams.vitals.begin();
        Stream {
            streams,
            number,
            presence: Presence::new(),
        }
    }

    /// The next thing to wait for is the client's.
    fn moved(&self) {
        let now = Some(Instant::now());
        self.streams.open.borrow_mut().insert(self.number, now);
        self.streams.task.borrow().wake_by_ref();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.presence.leave();
        self.streams.open.borrow_mut().remove(&self.number);
        if self.streams.none() {
            self.streams.ended.set(Some(Instant::now()));
            self.streams.vitals.end();
        }
        self.streams.task.borrow().wake_by_ref();
    }
}

/// A reply that is given away in pieces, so that it is seen when the client takes no more of them.
struct Paced {
    left: Bytes,
    stream: Stream,
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        self.stream.moved();
        let size = PIECE.min(self.left.len());
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
