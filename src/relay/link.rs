//! One connection to an upstream, driven by whoever has a request on it.
//!
//! hyper's connection and the reply are polled by the same task, together: no task per connection, no hop from one to
//! another. Within one poll the connection moves first and the reply is looked at after it, so neither ever has to
//! wake anyone; that is why both are polled with a waker that does nothing wherever the other is the only source. A
//! link that is dropped in the middle of an exchange closes its socket. It retries nothing.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::stream::Stream;
use super::upstream::{Failure, NotSent, Unknown};
use crate::alarm::Alarm;

/// How much is read at once, at most.
const READ_BYTES: usize = 64 << 10;
/// Idle for longer than this, a connection is looked at once more before it is trusted: one system call, where there
/// is time for it.
const FRESH: Duration = Duration::from_millis(100);

/// How much of a reply is accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub head_bytes: usize,
    pub headers: usize,
    pub reply_bytes: usize,
}

/// Why an exchange on a link gave no reply.
pub(super) enum Lost {
    /// Not a byte of the request has left, and here it is again.
    GivenBack(Box<Request<Full<Bytes>>>),
    Failed(Failure),
}

/// A connection.
pub(super) struct Link {
    sender: SendRequest<Full<Bytes>>,
    /// None once hyper is done with it; its socket is closed then.
    connection: Option<Connection<TokioIo<Socket>, Full<Bytes>>>,
    line: Rc<Line>,
    alarm: Alarm,
    parked: Instant,
}

impl Link {
    pub async fn new(stream: Stream, limits: &Limits) -> Result<Link, NotSent> {
        let line = Rc::new(Line {
            stream: RefCell::new(stream),
            sent: Cell::new(false),
            headless: Cell::new(None),
        });
        let socket = TokioIo::new(Socket(Rc::clone(&line)));
        let (sender, connection) = Builder::new()
            .max_headers(limits.headers)
            .max_header_size(limits.head_bytes)
            .max_buf_size(READ_BYTES.max(limits.head_bytes))
            // Head and body in one write: for the small bodies of chat a copy is cheaper than a second buffer.
            .writev(false)
            .handshake(socket)
            .await
            .map_err(|_| NotSent::Closed)?;
        Ok(Link {
            sender,
            connection: Some(connection),
            line,
            alarm: Alarm::default(),
            parked: Instant::now(),
        })
    }

    /// Sends the request and gathers the reply.
    pub async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        limits: &Limits,
        deadline: Instant,
    ) -> Result<Response<Bytes>, Lost> {
        self.line.sent.set(false);
        // Within one poll hyper reads a head and perhaps twice beyond it before we see it; more is a flood of 1xx.
        self.line
            .headless
            .set(Some(limits.head_bytes + 4 * READ_BYTES));
        let reply = self.head(request, deadline).await?;
        self.line.headless.set(None);
        let (head, incoming) = reply.into_parts();
        readable(&head).map_err(Lost::unknown)?;
        let body = self.body(incoming, limits.reply_bytes, deadline).await;
        Ok(Response::from_parts(head, body.map_err(Lost::unknown)?))
    }

    /// Makes the link idle. False if it is of no further use.
    pub fn park(&mut self) -> bool {
        // With the idle waker: neither the socket nor the next request shall wake the task that was here last.
        self.advance(&mut Context::from_waker(Waker::noop()));
        self.parked = Instant::now();
        self.sender.is_ready()
    }

    /// May the parked link still be used?
    pub fn usable(&self, idle: Duration) -> bool {
        let age = self.parked.elapsed();
        age < idle && self.sender.is_ready() && (age < FRESH || self.line.silent())
    }

    /// Has it been idle for so long?
    pub fn is_old(&self, idle: Duration) -> bool {
        self.parked.elapsed() >= idle
    }

    async fn head(
        &mut self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<Response<Incoming>, Lost> {
        let mut reply = pin!(self.sender.try_send_request(request));
        let mut idle = Context::from_waker(Waker::noop());
        let line = Rc::clone(&self.line);
        poll_fn(|cx| {
            advance(&mut self.connection, cx);
            if let Poll::Ready(reply) = reply.as_mut().poll(&mut idle) {
                return Poll::Ready(reply.map_err(|mut error| match error.take_message() {
                    Some(request) if !line.sent.get() => Lost::GivenBack(Box::new(request)),
                    _ => line.lost(error.into_error()),
                }));
            }
            ready!(self.alarm.poll_due(cx, deadline));
            Poll::Ready(Err(Lost::Failed(match line.sent.get() {
                true => Unknown::TimedOut.into(),
                false => NotSent::NoTime.into(),
            })))
        })
        .await
    }

    async fn body(
        &mut self,
        mut incoming: Incoming,
        limit: usize,
        deadline: Instant,
    ) -> Result<Bytes, Unknown> {
        let mut gathered = Gathered::new(limit);
        if incoming.size_hint().lower() > limit as u64 {
            return Err(Unknown::TooLarge { limit });
        }
        poll_fn(|cx| {
            // A small body came with its head.
            let mut progress = gathered.take(&mut incoming)?;
            while !progress.complete {
                self.advance(cx);
                progress = gathered.take(&mut incoming)?;
                if !progress.moved && !progress.complete {
                    ready!(self.alarm.poll_due(cx, deadline));
                    return Poll::Ready(Err(Unknown::TimedOut));
                }
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        Ok(gathered.finish())
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        advance(&mut self.connection, cx);
    }
}

/// Lets hyper read and write. Whatever ends the connection reaches the reply when the connection is dropped.
fn advance(
    connection: &mut Option<Connection<TokioIo<Socket>, Full<Bytes>>>,
    cx: &mut Context<'_>,
) {
    let ended = connection
        .as_mut()
        .is_some_and(|connection| Pin::new(connection).poll(cx).is_ready());
    if ended {
        *connection = None;
    }
}

impl Lost {
    fn unknown(unknown: Unknown) -> Lost {
        Lost::Failed(unknown.into())
    }
}

/// Is this a reply whose end can be told, and nothing else than a reply?
fn readable(reply: &Parts) -> Result<(), Unknown> {
    if reply.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Unknown::Switched);
    }
    let mut codings = reply.headers.get_all(header::TRANSFER_ENCODING).iter();
    let plain = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    if plain {
        Ok(())
    } else {
        Err(Unknown::TransferCoding)
    }
}

/// The pieces of a reply's body.
struct Gathered {
    limit: usize,
    first: Bytes,
    more: BytesMut,
}

struct Progress {
    moved: bool,
    complete: bool,
}

impl Gathered {
    fn new(limit: usize) -> Gathered {
        Gathered {
            limit,
            first: Bytes::new(),
            more: BytesMut::new(),
        }
    }

    /// Takes what hyper has ready.
    fn take(&mut self, body: &mut Incoming) -> Result<Progress, Unknown> {
        let mut idle = Context::from_waker(Waker::noop());
        let mut moved = false;
        while !body.is_end_stream() {
            match Pin::new(&mut *body).poll_frame(&mut idle) {
                Poll::Pending => {
                    return Ok(Progress {
                        moved,
                        complete: false,
                    });
                }
                Poll::Ready(None) => break,
                Poll::Ready(Some(Err(error))) => return Err(Unknown::Broken(error)),
                Poll::Ready(Some(Ok(frame))) => {
                    moved = true;
                    if let Ok(data) = frame.into_data() {
                        self.add(data)?;
                    }
                }
            }
        }
        Ok(Progress {
            moved,
            complete: true,
        })
    }

    fn add(&mut self, data: Bytes) -> Result<(), Unknown> {
        if self.first.len() + self.more.len() + data.len() > self.limit {
            return Err(Unknown::TooLarge { limit: self.limit });
        }
        if self.first.is_empty() && self.more.is_empty() {
            self.first = data;
        } else {
            self.more
                .extend_from_slice(&std::mem::take(&mut self.first));
            self.more.extend_from_slice(&data);
        }
        Ok(())
    }

    fn finish(self) -> Bytes {
        match self.more.is_empty() {
            true => self.first,
            false => self.more.freeze(),
        }
    }
}

/// What a link and hyper share of a socket.
struct Line {
    stream: RefCell<Stream>,
    /// Has the kernel, or TLS before it, taken a byte of the present request? This, and nothing that hyper says, decides whether the
    /// request may have been received.
    sent: Cell<bool>,
    /// How much may still be read before there is a head.
    headless: Cell<Option<usize>>,
}

impl Line {
    /// Neither closed nor speaking out of turn.
    fn silent(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let stream = self.stream.borrow();
        let peeked = socket2::SockRef::from(stream.socket()).peek(&mut byte);
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn lost(&self, error: hyper::Error) -> Lost {
        Lost::Failed(match self.sent.get() {
            true if error.is_incomplete_message() => Unknown::Closed.into(),
            true => Unknown::Broken(error).into(),
            false => NotSent::Closed.into(),
        })
    }

    fn read(&self, bytes: usize) -> io::Result<()> {
        if let Some(left) = self.headless.get() {
            let Some(left) = left.checked_sub(bytes) else {
                return Err(io::Error::other("the reply does not begin"));
            };
            self.headless.set(Some(left));
        }
        Ok(())
    }
}

/// hyper's end of a line. It is never borrowed beyond one call, and all calls are on one thread.
struct Socket(Rc<Line>);

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut *self.0.stream.borrow_mut()).poll_read(cx, buf))?;
        Poll::Ready(self.0.read(buf.filled().len() - before))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut stream = self.0.stream.borrow_mut();
        let written = ready!(Pin::new(&mut *stream).poll_write(cx, buf));
        let taken = match written {
            Ok(bytes) => bytes > 0,
            Err(_) => stream.fails_late(),
        };
        if taken {
            self.0.sent.set(true);
        }
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_shutdown(cx)
    }
}
