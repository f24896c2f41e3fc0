//! The public door: accepts connections, keeps them within limits, and lets them finish when asked to stop.
//!
//! One runs on each thread, with a socket of its own; they share nothing. What HTTP/1 leaves open and an attacker
//! would use (a missing or doubled Host, two lengths, unknown codings) is refused here, before a handler sees it. It
//! knows no dialect: a refusal is offered to the handler to put into words. Before it stands the network, after it
//! the exchange.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

pub use super::body::{Body, BodyError};
pub use super::screen::Refusal;
use super::screen::screen;
use super::wire::{Patience, Vitals, Wire};
use crate::alarm::Alarm;

/// The limits of one listener.
#[derive(Clone, Debug)]
pub struct Config {
    pub head_bytes: usize,
    pub headers: usize,
    pub body_bytes: usize,
    /// From a head's first byte to its last.
    pub header_s: u64,
    /// From the first look at a body to its end; also how long a client may leave its reply untouched.
    pub body_s: u64,
    /// Between requests.
    pub idle_s: u64,
    /// At once, on this thread.
    pub connections: usize,
    /// How long open exchanges may go on after the listener was asked to stop.
    pub drain_s: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            head_bytes: 16 << 10,
            headers: 64,
            body_bytes: 1 << 20,
            header_s: 10,
            body_s: 30,
            idle_s: 60,
            connections: 10_000,
            drain_s: 30,
        }
    }
}

/// Answers requests. One future per request, polled by its connection's task; it need not be `Send`.
pub trait Handler: 'static {
    fn answer(
        &self,
        request: Request<Body>,
        peer: SocketAddr,
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
/// a `LocalRuntime`: each connection is a local task.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    config: &Config,
    handler: Rc<H>,
    mut stop: watch::Receiver<bool>,
) {
    let floor = Rc::new(Floor::new(config, handler));
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            (stream, peer) = floor.accept(&listener) => floor.seat(stream, peer),
        }
    }
    floor.stop(config);
    // Whoever is in the queue of this socket was promised an answer by the kernel; the queue dies with the socket.
    while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
        floor.seat(stream, peer);
    }
    drop(listener);
    floor.empty().await;
}

/// The connections of one listener.
struct Floor<H> {
    handler: Rc<H>,
    protocol: http1::Builder,
    patience: Patience,
    body_bytes: usize,
    body_within: Duration,
    connections: usize,
    /// The tasks of open connections, to be woken when it is time to stop.
    open: RefCell<HashMap<u64, Waker>>,
    seated: Cell<u64>,
    left: Notify,
    /// Once stopping: when the last of them are cut off.
    until: Cell<Option<Instant>>,
}

impl<H: Handler> Floor<H> {
    fn new(config: &Config, handler: Rc<H>) -> Floor<H> {
        let mut protocol = http1::Builder::new();
        protocol
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
            protocol,
            patience: Patience {
                idle: Duration::from_secs(config.idle_s),
                head: Duration::from_secs(config.header_s),
                sending: Duration::from_secs(config.body_s),
            },
            body_bytes: config.body_bytes,
            body_within: Duration::from_secs(config.body_s),
            connections: config.connections,
            open: RefCell::default(),
            seated: Cell::new(0),
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
        tokio::task::spawn_local(converse(seat, stream, peer));
    }

    fn stop(&self, config: &Config) {
        self.until
            .set(Some(Instant::now() + Duration::from_secs(config.drain_s)));
        self.open.borrow().values().for_each(Waker::wake_by_ref);
    }

    /// Waits for the last connection. Each ends by itself, at the latest when the time to drain is over.
    async fn empty(&self) {
        while !self.open.borrow().is_empty() {
            self.left.notified().await;
        }
    }
}

/// A connection's place on the floor, given up when its task ends in whatever way.
struct Seat<H> {
    floor: Rc<Floor<H>>,
    id: u64,
}

impl<H> Drop for Seat<H> {
    fn drop(&mut self) {
        self.floor.open.borrow_mut().remove(&self.id);
        self.floor.left.notify_one();
    }
}

/// Carries one connection from its first byte to its last.
async fn converse<H: Handler>(seat: Seat<H>, stream: TcpStream, peer: SocketAddr) {
    let floor = &*seat.floor;
    let task = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    floor.open.borrow_mut().insert(seat.id, task);

    let vitals = Vitals::new();
    let wire = TokioIo::new(Wire::new(stream, Arc::clone(&vitals)));
    let watched = &*vitals;
    let service = service_fn(move |request| exchange(floor, watched, peer, request));
    // One that came while we were stopping is answered once, before anything is said of closing.
    let mut told = floor.until.get().is_some();
    let mut protocol = floor.protocol.clone();
    protocol.keep_alive(!told);
    let mut connection = pin!(protocol.serve_connection(wire, service).with_upgrades());
    let mut alarm = Alarm::default();
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                if let Err(error) = end {
                    debug!(%peer, %error, "connection ended badly");
                }
                return Poll::Ready(());
            }
            // Only after a poll: a request that is already in the socket is not cut off.
            if floor.until.get().is_some() && !told {
                told = true;
                connection.as_mut().graceful_shutdown();
                continue;
            }
            ready!(floor.poll_overdue(&vitals, &mut alarm, cx));
            if vitals.cut() {
                let _ = connection.as_mut().poll(cx);
            }
            debug!(%peer, "cut off a connection that was waited for too long");
            return Poll::Ready(());
        }
    })
    .await
}

impl<H> Floor<H> {
    fn poll_overdue(&self, vitals: &Vitals, alarm: &mut Alarm, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = vitals.deadline(&self.patience);
        match deadline.into_iter().chain(self.until.get()).min() {
            Some(deadline) => alarm.poll_due(cx, deadline),
            None => Poll::Pending,
        }
    }
}

/// One request and its reply.
async fn exchange<H: Handler>(
    floor: &Floor<H>,
    vitals: &Vitals,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let certain = vitals.begin();
    let (mut response, last) = match screen(&request, certain) {
        Ok(()) => {
            // What follows a chunked body is not followed (see `scan`), so nothing may.
            let last = request.headers().contains_key(header::TRANSFER_ENCODING);
            let body = |incoming| Body::new(incoming, floor.body_bytes, floor.body_within);
            (floor.handler.answer(request.map(body), peer).await, last)
        }
        Err(refusal) => {
            let (method, path) = (request.method(), request.uri().path());
            (floor.handler.refuse(&refusal, method, path), true)
        }
    };
    if last {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    vitals.end();
    Ok(response)
}

/// Is it one connection that failed, and not accepting as such?
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
