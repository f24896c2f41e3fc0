//! A client's socket, watched: what hyper does not tell of a connection, and what the listener must know of it.
//!
//! Three things. *Which part of an exchange is being waited for*, so that silence is measured against the right limit:
//! hyper has one timer, which runs alike between requests and within a head. And *whether a head named two lengths*
//! (`Content-Length` beside `Transfer-Encoding`), which hyper resolves and hides. *Whether the client left*, while its
//! request waits for its turn: hyper does not read meanwhile. The bytes themselves pass through untouched. Before it stands the socket, after it hyper.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

use super::scan::Scan;
use crate::model::Presence;

/// How much of what a refused client is still sending is read away, so that it sees the answer and not a reset.
const LINGER_BYTES: usize = 8 << 20;
const LINGER: Duration = Duration::from_secs(2);
/// No dialect is known yet, and hyper is past speaking.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 39\r\n\
    content-type: text/plain\r\nconnection: close\r\n\r\nThe request's head did not come in time";

/// What is being waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// The client, to begin its first request; a handshake comes before that.
    First,
    /// The client, to begin another request.
    Idle,
    /// The client, to finish the head of a request.
    Head,
    /// Ourselves. The handler and the body have deadlines of their own.
    Busy,
    /// The client, to take its reply.
    Sending,
    /// The client, to stop sending what nobody reads.
    Lingering,
}

/// How long each of them may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub first: Duration,
    pub idle: Duration,
    pub head: Duration,
    pub sending: Duration,
}

/// The state of a connection that its socket, its service and its task share.
///
/// All three run on one thread; atomics only because a socket that is handed on to a websocket must be `Send`.
pub(super) struct Vitals {
    born: Instant,
    phase: AtomicU8,
    since_ms: AtomicU64,
    in_head: AtomicBool,
    requests: AtomicU32,
    /// From which request on nothing is certain of lengths.
    doubtful: AtomicU32,
    cut: AtomicBool,
    dismissed: AtomicBool,
    /// A request has begun or ended since the task had its turn.
    had: AtomicBool,
    pub presence: Presence,
}

impl Vitals {
    pub fn new() -> Arc<Vitals> {
        Arc::new(Vitals {
            born: Instant::now(),
            phase: AtomicU8::new(Phase::First as u8),
            since_ms: AtomicU64::new(0),
            in_head: AtomicBool::new(false),
            requests: AtomicU32::new(0),
            doubtful: AtomicU32::new(u32::MAX),
            cut: AtomicBool::new(false),
            dismissed: AtomicBool::new(false),
            had: AtomicBool::new(false),
            presence: Presence::new(),
        })
    }

    pub fn born(&self) -> Instant {
        self.born
    }

    /// A request's head is complete. Says whether its lengths are beyond doubt.
    pub fn begin(&self) -> bool {
        self.phase.store(Phase::Busy as u8, Relaxed);
        self.dismissed.store(false, Relaxed);
        let number = self.requests.load(Relaxed).wrapping_add(1);
        self.requests.store(number, Relaxed);
        number < self.doubtful.load(Relaxed)
    }

    /// The connection's task has its turn.
    pub fn turn(&self) {
        self.had.store(false, Relaxed);
    }

    /// Did the request that begins come before its client saw the reply to another one?
    pub fn further(&self) -> bool {
        let further = self.had.load(Relaxed);
        self.had.store(true, Relaxed);
        further
    }

    /// The request is answered.
    pub fn end(&self) {
        self.had.store(true, Relaxed);
        self.rest();
    }

    /// Has the client not begun a request?
    pub fn idle(&self) -> bool {
        matches!(self.phase(), Phase::First | Phase::Idle)
    }

    /// Since when the client is being waited for, unless it was told to go; those who have asked nothing yet come first.
    pub fn waited_for(&self) -> Option<(bool, Instant)> {
        let waits = self.phase() != Phase::Busy && !self.dismissed();
        waits.then(|| (self.requests.load(Relaxed) > 0, self.since()))
    }

    /// The place is needed. If the client has not moved when the task has its turn, it has to go.
    pub fn dismiss(&self) {
        self.dismissed.store(true, Relaxed);
    }

    pub fn dismissed(&self) -> bool {
        self.dismissed.load(Relaxed)
    }

    fn since(&self) -> Instant {
        self.born + Duration::from_millis(self.since_ms.load(Relaxed))
    }

    /// When the connection has been waited for long enough.
    pub fn deadline(&self, patience: &Patience) -> Option<Instant> {
        let allowed = match self.phase() {
            Phase::Busy => return None,
            Phase::First => patience.first,
            Phase::Idle => patience.idle,
            Phase::Head => patience.head,
            Phase::Sending => patience.sending,
            Phase::Lingering => LINGER,
        };
        Some(self.since() + allowed)
    }

    /// Time is up. True if the client began a request and is owed a word; the socket says it at the next read.
    pub fn cut(&self) -> bool {
        let owed = self.phase() == Phase::Head && self.in_head.load(Relaxed);
        self.cut.store(owed, Relaxed);
        owed
    }

    fn phase(&self) -> Phase {
        const PHASES: [Phase; 6] = [
            Phase::First,
            Phase::Idle,
            Phase::Head,
            Phase::Busy,
            Phase::Sending,
            Phase::Lingering,
        ];
        PHASES[self.phase.load(Relaxed) as usize]
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        let age = self.born.elapsed().as_millis() as u64;
        self.since_ms.store(age, Relaxed);
    }

    /// The next thing to wait for is the client's.
    fn rest(&self) {
        self.enter(match self.in_head.load(Relaxed) {
            true => Phase::Head,
            false => Phase::Idle,
        });
    }

    fn saw(&self, scan: &Scan) {
        self.in_head.store(scan.in_head(), Relaxed);
        self.doubtful.store(scan.doubtful(), Relaxed);
        if scan.in_head() && matches!(self.phase(), Phase::First | Phase::Idle) {
            self.enter(Phase::Head);
        }
    }

    fn wrote(&self, pending: bool) {
        match (self.phase(), pending) {
            (Phase::First | Phase::Idle | Phase::Head, true) => self.enter(Phase::Sending),
            (Phase::Sending, false) => self.rest(),
            _ => {}
        }
    }
}

/// A client's socket, or the TLS on it.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// The socket, or the plain side of its TLS.
pub(super) struct Wire<S> {
    stream: S,
    scan: Scan,
    vitals: Arc<Vitals>,
    shut: bool,
    lingered: usize,
}

impl<S: Socket> Wire<S> {
    pub fn new(stream: S, vitals: Arc<Vitals>) -> Wire<S> {
        Wire {
            stream,
            scan: Scan::default(),
            vitals,
            shut: false,
            lingered: 0,
        }
    }

    /// Notices when the client leaves, as long as somebody wants to know. Who only shuts its sending side looks the same
    /// as who is gone; it is answered, but what has not begun does not begin.
    fn look(&mut self, cx: &mut Context<'_>) {
        if !self.vitals.presence.is_watched() {
            return;
        }
        let (mut byte, tcp) = ([0], self.stream.tcp());
        let gone = match tcp.poll_peek(cx, &mut ReadBuf::new(&mut byte)) {
            Poll::Pending => false,
            // Its next request, or the farewell of TLS: what stands behind that shows in the socket's state alone.
            Poll::Ready(Ok(1..)) => {
                let state = tcp.ready(Interest::READABLE).now_or_never();
                state.is_some_and(|state| state.is_ok_and(Ready::is_read_closed))
            }
            Poll::Ready(Ok(0) | Err(_)) => true,
        };
        if gone {
            self.vitals.presence.leave();
        }
    }

    /// Reads away what still comes. To close a socket with bytes unread resets it, and the reset overtakes the reply.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut waste = [0; 4096];
        while self.lingered < LINGER_BYTES {
            let mut room = ReadBuf::new(&mut waste);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room)) {
                Ok(()) if !room.filled().is_empty() => self.lingered += room.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.vitals.cut.load(Relaxed) {
            // The socket's buffer is empty between requests, so all of it goes or the peer is beyond telling.
            let _ = Pin::new(&mut this.stream).poll_write(cx, TOO_SLOW);
            let _ = Pin::new(&mut this.stream).poll_flush(cx);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        this.scan.feed(&buf.filled()[before..]);
        this.vitals.saw(&this.scan);
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.vitals.wrote(written.is_pending());
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // hyper comes by here whenever it is woken, after the request has been looked at.
        this.look(cx);
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        // What TLS has taken is not gone yet.
        this.vitals.wrote(flushed.is_pending());
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.shut {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.shut = true;
            this.vitals.enter(Phase::Lingering);
        }
        if this.scan.between_requests() {
            return Poll::Ready(Ok(()));
        }
        this.poll_linger(cx)
    }
}
