//! The public door: accepts connections, keeps their number within limits, and lets them finish when asked to stop.
//!
//! One runs on each thread, with a socket of its own; they share nothing. What one connection says is `connection`'s.
//! It knows no dialect: a refusal is offered to the handler to put into words. Before it stands the network, after it
//! the exchange.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compact_str::format_compact;
use http::{Extensions, Method, Response};
use http_body_util::Full;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

pub use super::body::{Body, BodyError};
use super::connection::carry;
use super::floor::Floor;
pub use super::http1::Switched;
pub use super::request::Request;
pub use super::screen::Refusal;
use crate::model::{Presence, Text};

/// From the answer to a client's greeting until the client's own, if it is not very far away.
const HANDSHAKE: Duration = Duration::from_millis(200);

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
        request: &Request,
        body: Body,
        client: &Client,
    ) -> impl Future<Output = Response<Full<Bytes>>>;

    /// Puts a refusal into the words of the dialect that the path belongs to. The connection closes after it.
    fn refuse(&self, refusal: &Refusal, _method: &Method, _path: &str) -> Response<Full<Bytes>> {
        refusal.plain()
    }

    /// Goes on with a connection of HTTP/1 whose reply was 101, in another protocol. What the reply's extensions hold
    /// tells which request it was.
    fn switched(&self, _: Extensions, _: Switched) -> impl Future<Output = ()> {
        async {}
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
/// a `LocalRuntime`: each connection is a local task. With `tls`, nothing else is spoken at this door. Whoever comes
/// after `limits` have changed gets the new ones.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    mut limits: watch::Receiver<Config>,
    tls: Option<Arc<ServerConfig>>,
    handler: Rc<H>,
    mut stop: watch::Receiver<bool>,
) {
    let config = limits.borrow_and_update().clone();
    bound_unsent(&listener, config.unsent_bytes);
    let door = Door {
        floor: Rc::new(Floor::new(&config, handler)),
        tls: tls.map(TlsAcceptor::from),
    };
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            _ = &mut stopped => break,
            Ok(()) = limits.changed() => {
                let config = limits.borrow().clone();
                bound_unsent(&listener, config.unsent_bytes);
                door.floor.turn_to(&config);
                continue;
            }
            accepted = accept(&listener) => accepted,
        };
        tokio::select! {
            biased;
            // Whoever is accepted is served.
            _ = &mut stopped => {
                door.seat(stream, peer);
                break;
            }
            () = door.floor.room() => door.seat(stream, peer),
        }
        // They come in crowds, too.
        door.floor.turns.give().await;
    }
    door.floor.stop(&limits.borrow());
    door.close(listener).await;
    door.floor.empty().await;
}

/// A listener's socket, and where those go who come by it.
struct Door<H> {
    floor: Rc<Floor<H>>,
    tls: Option<TlsAcceptor>,
}

impl<H: Handler> Door<H> {
    fn seat(&self, stream: TcpStream, peer: SocketAddr) {
        // A reply is one write: waiting for more to fill a packet with would only delay it.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "cannot set TCP_NODELAY");
        }
        let (seat, tls) = (self.floor.seat(), self.tls.clone());
        tokio::task::spawn_local(carry(seat, tls, stream, peer));
    }

    /// Takes in whoever is in the queue of the socket, whom the kernel promised an answer; the queue dies with it. So
    /// first nobody new gets into the queue, and whoever is about to has the time of a handshake. The
    /// kernel itself is asked: the runtime only knows of those that it has been told of.
    async fn close(&self, listener: TcpListener) {
        refuse_new(&listener);
        let handshakes = sleep(HANDSHAKE);
        let mut handshakes = pin!(handshakes);
        loop {
            tokio::select! {
                biased;
                () = &mut handshakes => break,
                (stream, peer) = accept(&listener) => self.seat(stream, peer),
            }
        }
        let Ok(queue) = listener.into_std() else {
            return;
        };
        while let Ok((stream, peer)) = queue.accept() {
            let stream = stream.set_nonblocking(true).map(|()| stream);
            match stream.and_then(TcpStream::from_std) {
                Ok(stream) => self.seat(stream, peer),
                Err(error) => debug!(%error, "lost while accepting"),
            }
        }
    }
}

/// Has the kernel overlook whoever asks for a connection from now on; those that are being made are made. Without it one
/// that is made between the last look at the queue and its end is reset.
#[cfg(target_os = "linux")]
fn refuse_new(listener: &TcpListener) {
    use socket2::SockFilter;
    // Classic BPF, of which this much is needed: the byte with the flags; is it SYN alone?; nothing of it, or all.
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const ALL_BUT_ECN: u32 = 0x3f;
    const AND: u16 = 0x54;
    const SYN: u32 = 0x02;
    let filter = [
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, ALL_BUT_ECN),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    if let Err(error) = socket2::SockRef::from(listener).attach_filter(&filter) {
        debug!(%error, "connections that are made while the door closes may be lost");
    }
}

#[cfg(not(target_os = "linux"))]
fn refuse_new(_: &TcpListener) {}

/// The next connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause = Duration::from_millis(10);
    loop {
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

/// Is it one connection that failed, and not accepting as such?
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
