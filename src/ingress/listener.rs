//! The public door: accepts connections, keeps their number within limits, and lets them finish when asked to stop.
//!
//! One runs on each thread, with a socket of its own; they share nothing. What one connection says is `connection`'s.
//! It knows no dialect: a refusal is offered to the handler to put into words. Before it stands the network, after it
//! the exchange.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use compact_str::format_compact;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::server::conn::{http1, http2};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

pub use super::body::{Body, BodyError};
use super::connection::{converse, secure};
use super::http2::{Here, builder};
pub use super::screen::Refusal;
use super::wire::Patience;
use super::wire::Vitals;
use crate::alarm::Alarm;
use crate::model::{Presence, Text};

/// The limits of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub head_bytes: usize,
    pub headers: usize,
    pub body_bytes: usize,
    /// Of replies that a client does not take, in the kernel's hands; nothing bounds them but the system elsewhere
    /// than on Linux.
    pub unsent_bytes: u32,
    /// From the beginning of a connection to its first request's first byte; a handshake comes before that.
    pub first_byte_s: u64,
    /// From a head's first byte to its last.
    pub header_s: u64,
    /// From the first look at a body to its end; also how long a client may leave its reply untouched.
    pub body_s: u64,
    /// Between requests.
    pub idle_s: u64,
    /// At once, on this thread.
    pub connections: usize,
    /// Requests at once on one connection of HTTP/2.
    pub streams: u32,
    /// How long open exchanges may go on after the listener was asked to stop.
    pub drain_s: u64,
    /// How long after that a connection between requests is still waited for: its next one may be on the way.
    pub drain_idle_s: u64,
    /// How long everything goes on as before while only the operator's door says that it will stop.
    pub drain_delay_s: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            head_bytes: 16 << 10,
            headers: 64,
            body_bytes: 1 << 20,
            unsent_bytes: 128 << 10,
            first_byte_s: 10,
            header_s: 10,
            body_s: 30,
            idle_s: 60,
            connections: 10_000,
            streams: 100,
            drain_s: 30,
            drain_idle_s: 1,
            drain_delay_s: 0,
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Client {
    /// The address, without the port.
    pub address: Text,
    pub presence: Presence,
}

impl Client {
    pub(super) fn new(peer: SocketAddr, presence: Presence) -> Client {
        Client {
            address: format_compact!("{}", peer.ip()),
            presence,
        }
    }
}

/// Answers requests. One future per request, polled by its connection's task; it need not be `Send`.
pub trait Handler: 'static {
    fn answer(
        &self,
        request: Request<Body>,
        client: &Client,
    ) -> impl Future<Output = Response<Full<Bytes>>>;

    /// Puts a refusal into the words of the dialect that the path belongs to. The connection closes after it.
    fn refuse(&self, refusal: &Refusal, _method: &Method, _path: &str) -> Response<Full<Bytes>> {
        refusal.plain()
    }
}

/// A listening socket that other threads may have their own of, at the same address.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// As many sockets at one address as there are threads. With port 0 the first one's port serves all.
pub fn bind_each(address: SocketAddr, threads: usize) -> io::Result<Vec<std::net::TcpListener>> {
    if address.port() != 0 {
        // Sockets that share a port share it with a second Sabir too, and half of the clients would reach that one.
        // A socket that does not share is refused while anyone listens there.
        drop(std::net::TcpListener::bind(address)?);
    }
    let first = bind(address)?;
    let address = first.local_addr()?;
    let rest = (1..threads).map(|_| bind(address));
    std::iter::once(Ok(first)).chain(rest).collect()
}

/// Serves until `stop` says true or its sender is gone, then lets what is open finish. To be called on a `LocalSet` or
/// a `LocalRuntime`: each connection is a local task. With `tls`, nothing else is spoken at this door.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    config: &Config,
    tls: Option<Arc<ServerConfig>>,
    handler: Rc<H>,
    mut stop: watch::Receiver<bool>,
) {
    bound_unsent(&listener, config.unsent_bytes);
    let floor = Rc::new(Floor::new(config, tls, handler));
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            (stream, peer) = floor.accept(&listener) => floor.seat(stream, peer),
        }
    }
    floor.stop(config);
    // Whoever is in the queue of this socket was promised an answer by the kernel; the queue dies with the socket. The
    // kernel itself is asked: the runtime only knows of those that it has been told of.
    if let Ok(queue) = listener.into_std() {
        while let Ok((stream, peer)) = queue.accept() {
            let stream = stream.set_nonblocking(true).map(|()| stream);
            match stream.and_then(TcpStream::from_std) {
                Ok(stream) => floor.seat(stream, peer),
                Err(error) => debug!(%error, "lost while accepting"),
            }
        }
    }
    floor.empty().await;
}

/// Connections take this from their listener, so that it costs none of them a call. Without it the kernel takes some
/// megabytes of replies from us before it is seen that the client takes none.
#[cfg(target_os = "linux")]
fn bound_unsent(listener: &TcpListener, bytes: u32) {
    if let Err(error) = socket2::SockRef::from(listener).set_tcp_notsent_lowat(bytes) {
        warn!(%error, "unsent replies are not bounded");
    }
}

#[cfg(not(target_os = "linux"))]
fn bound_unsent(_: &TcpListener, _: u32) {}

/// The connections of one listener.
pub(super) struct Floor<H> {
    pub handler: Rc<H>,
    pub http1: http1::Builder,
    pub http2: http2::Builder<Here>,
    tls: Option<TlsAcceptor>,
    pub patience: Patience,
    pub headers: usize,
    pub body_bytes: usize,
    pub body_within: Duration,
    connections: usize,
    /// The tasks of open connections, to be woken when it is time to stop.
    open: RefCell<HashMap<u64, Waker>>,
    seated: Cell<u64>,
    /// Requests that go on even if their connection is gone.
    begun: Cell<usize>,
    left: Notify,
    until: Cell<Option<Until>>,
}

impl<H: Handler> Floor<H> {
    fn new(config: &Config, tls: Option<Arc<ServerConfig>>, handler: Rc<H>) -> Floor<H> {
        let mut http1 = http1::Builder::new();
        http1
            .max_header_size(config.head_bytes)
            .max_headers(config.headers)
            .max_buf_size(config.head_bytes.max(64 << 10))
            // A client that leaves or shuts its sending side must not stop a send that has begun.
            .half_close(true)
            // Head and body in one piece and one write. Not `pipeline_flush`: it withholds a reply for as long as
            // anything is in the read buffer, be it the empty line that old clients send after a form.
            .writev(false);
        Floor {
            handler,
            http1,
            http2: builder(config),
            headers: config.headers,
            tls: tls.map(TlsAcceptor::from),
            patience: Patience {
                first: Duration::from_secs(config.first_byte_s),
                idle: Duration::from_secs(config.idle_s),
                head: Duration::from_secs(config.header_s),
                sending: Duration::from_secs(config.body_s),
            },
            body_bytes: config.body_bytes,
            body_within: Duration::from_secs(config.body_s),
            connections: config.connections,
            open: RefCell::default(),
            seated: Cell::new(0),
            begun: Cell::new(0),
            left: Notify::new(),
            until: Cell::new(None),
        }
    }

    /// The next connection, once there is room for it.
    async fn accept(&self, listener: &TcpListener) -> (TcpStream, SocketAddr) {
        let mut pause = Duration::from_millis(10);
        loop {
            while self.open.borrow().len() >= self.connections {
                self.left.notified().await;
            }
            match listener.accept().await {
                Ok(connection) => return connection,
                Err(error) if is_of_one_connection(&error) => {
                    debug!(%error, "lost while accepting")
                }
                Err(error) => {
                    // Most likely out of file descriptors: the same again at once, unless someone leaves first.
                    warn!(%error, "cannot accept, waiting");
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
    }

    fn seat(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr) {
        // A reply is one write: waiting for more to fill a packet with would only delay it.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "cannot set TCP_NODELAY");
        }
        let id = self.seated.get();
        self.seated.set(id + 1);
        self.open.borrow_mut().insert(id, Waker::noop().clone());
        let seat = Seat {
            floor: Rc::clone(self),
            id,
        };
        match &self.tls {
            None => tokio::task::spawn_local(converse(seat, stream, peer, Vitals::new())),
            Some(tls) => tokio::task::spawn_local(secure(seat, tls.clone(), stream, peer)),
        };
    }

    fn stop(&self, config: &Config) {
        let now = Instant::now();
        self.until.set(Some(Until {
            stop: now,
            idle: now + Duration::from_secs(config.drain_idle_s),
            last: now + Duration::from_secs(config.drain_s),
        }));
        self.open.borrow().values().for_each(Waker::wake_by_ref);
    }

    /// Waits for the last connection, and for what was begun on one. Each connection ends by itself, at the latest
    /// when the time to drain is over.
    async fn empty(&self) {
        while !self.open.borrow().is_empty() {
            self.left.notified().await;
        }
        let until = self
            .until
            .get()
            .map_or_else(Instant::now, |until| until.last);
        let done = async {
            while self.begun.get() > 0 {
                self.left.notified().await;
            }
        };
        let _ = timeout_at(until, done).await;
    }
}

/// When a listener that stops is done with its connections.
#[derive(Clone, Copy)]
struct Until {
    stop: Instant,
    /// With those that wait between requests.
    idle: Instant,
    /// With the last.
    last: Instant,
}

/// A connection's place on the floor, given up when its task ends in whatever way.
pub(super) struct Seat<H> {
    pub floor: Rc<Floor<H>>,
    id: u64,
}

impl<H> Seat<H> {
    /// The task that waits for this is woken when it is time to stop.
    pub async fn take(&self) {
        let task = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        self.floor.open.borrow_mut().insert(self.id, task);
    }
}

impl<H> Floor<H> {
    pub fn stopping(&self) -> bool {
        self.until.get().is_some()
    }

    /// Once stopping: until when the next request of a connection is waited for. Whoever came since then has the time
    /// that everybody has.
    pub fn last_call(&self, vitals: &Vitals) -> Option<Instant> {
        let until = self.until.get()?;
        (vitals.idle() && vitals.born() <= until.stop).then_some(until.idle)
    }

    /// A request that is carried out to its end, whoever leaves.
    pub fn begin(self: &Rc<Self>) -> Begun<H> {
        self.begun.set(self.begun.get() + 1);
        Begun(Rc::clone(self))
    }

    /// Ready when a connection has been waited for long enough.
    pub fn poll_overdue(
        &self,
        deadline: Option<Instant>,
        alarm: &mut Alarm,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let last = self.until.get().map(|until| until.last);
        match deadline.into_iter().chain(last).min() {
            Some(deadline) => alarm.poll_due(cx, deadline),
            None => Poll::Pending,
        }
    }
}

pub(super) struct Begun<H>(Rc<Floor<H>>);

impl<H> Drop for Begun<H> {
    fn drop(&mut self) {
        self.0.begun.set(self.0.begun.get() - 1);
        self.0.left.notify_one();
    }
}

impl<H> Drop for Seat<H> {
    fn drop(&mut self) {
        self.floor.open.borrow_mut().remove(&self.id);
        self.floor.left.notify_one();
    }
}

/// Is it one connection that failed, and not accepting as such?
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
