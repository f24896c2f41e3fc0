//! One attempt at an upstream, and the honest answer to "was it received?".
//!
//! Every failure is one of two: nothing of the request has left us, or it may have arrived. It is never guessed from
//! the kind of an error: what decides is whether the kernel took a byte. It does not retry what may have arrived,
//! and it knows neither dialect nor retry rules; only a connection that went stale in the pool is replaced in silence,
//! because then the request is still in our hands. Before it stand the relay's layers, after it the network.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Uri};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tracing::debug;

use super::link::{Buffers, Link, Lost};
pub use super::reply::{Limits, Reader, Reply};
use super::stream::Stream;
use crate::batch;

/// Where an upstream is, and how much of it is borne.
#[derive(Clone, Debug)]
pub struct Config {
    /// Scheme, host, port and the prefix of every path.
    pub base: Uri,
    /// Whom we believe, where the scheme is https.
    pub tls: Option<Arc<ClientConfig>>,
    pub connect_ms: u64,
    /// Below the five seconds after which common servers close an idle connection.
    pub pool_idle_ms: u64,
    /// Idle connections kept, on this thread; they go when they have been idle for too long.
    pub pool_size: usize,
    pub reply_bytes: usize,
    pub head_bytes: usize,
    pub headers: usize,
}

impl Config {
    pub fn new(base: Uri) -> Config {
        Config {
            base,
            tls: None,
            connect_ms: 3000,
            pool_idle_ms: 4000,
            pool_size: 256,
            reply_bytes: 8 << 20,
            head_bytes: 16 << 10,
            headers: 100,
        }
    }
}

/// Why no client can be made from a configuration.
#[derive(Debug, thiserror::Error)]
pub enum BadBase {
    #[error("{0}: nobody is believed who could prove to be this host")]
    Trust(Uri),
    #[error("{0}: an upstream's address begins with http:// or https://")]
    Scheme(Uri),
    #[error("{0}: an upstream's address names a host, and no user")]
    Host(Uri),
    #[error("{0}: an upstream's address has no query")]
    Query(Uri),
}

/// An attempt without a reply.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Certainly not received: it may be tried again.
    #[error("not sent: {0}")]
    NotSent(#[from] NotSent),
    /// Perhaps received, perhaps not.
    #[error("outcome unknown: {0}")]
    Unknown(#[from] Unknown),
}

#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    #[error("the host's address is not known: {0}")]
    Resolve(#[source] io::Error),
    #[error("no connection: {0}")]
    Connect(#[source] io::Error),
    #[error("no connection within {0:?}")]
    ConnectTimedOut(Duration),
    #[error("no TLS: {0}")]
    Tls(#[source] io::Error),
    #[error("the connection closed before the request was begun")]
    Closed,
    #[error("no time was left")]
    NoTime,
    #[error("the request has no path that can be sent")]
    Path,
}

#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    #[error("no complete reply in time")]
    TimedOut,
    #[error("the connection closed before a reply was complete")]
    Closed,
    #[error("the exchange broke off: {0}")]
    Broken(#[source] io::Error),
    #[error("the reply's head is no HTTP: {0}")]
    Head(#[source] httparse::Error),
    #[error("the reply's head is larger than {limit} bytes")]
    HeadTooLarge { limit: usize },
    #[error("the reply does not say in one way how long it is")]
    Length,
    #[error("the reply's chunks are no chunks")]
    Chunk,
    #[error("the reply is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the reply has a Transfer-Encoding other than chunked")]
    TransferCoding,
    #[error("the upstream switched protocols unasked")]
    Switched,
}

/// A request as it is to be written, but for what this side knows better: where it goes and where it ends.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a Method,
    /// A path below the base's and a query, escaped.
    pub target: &'a [u8],
    /// Whole header lines, none of which says where the message goes or ends.
    pub fields: &'a [u8],
    pub body: &'a [u8],
}

/// Calls one upstream, from one thread.
pub struct Client {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// The line that names the host.
    host_line: Vec<u8>,
    prefix: String,
    limits: Limits,
    connect: Duration,
    pool_idle: Duration,
    pool_size: usize,
    /// The last one used is the next one used, so that the rest grow old and go.
    idle: RefCell<Vec<Link>>,
    buffers: Buffers,
}

impl Client {
    pub fn new(config: Config) -> Result<Client, BadBase> {
        let base = &config.base;
        let secure = match base.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(BadBase::Scheme(base.clone())),
        };
        let authority = base.authority().map_or("", |authority| authority.as_str());
        if authority.is_empty() || authority.contains('@') {
            return Err(BadBase::Host(base.clone()));
        }
        if base.query().is_some() {
            return Err(BadBase::Query(base.clone()));
        }
        let host = base.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let tls = if secure {
            let trusted = config.tls.ok_or_else(|| BadBase::Trust(base.clone()))?;
            let name = ServerName::try_from(host.to_owned());
            let name = name.map_err(|_| BadBase::Host(base.clone()))?;
            Some((TlsConnector::from(trusted), name))
        } else {
            None
        };
        Ok(Client {
            host: host.into(),
            port: base.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            tls,
            host_line: format!("host: {authority}\r\n").into(),
            prefix: base.path().trim_end_matches('/').into(),
            limits: Limits {
                head_bytes: config.head_bytes,
                headers: config.headers,
                reply_bytes: config.reply_bytes,
            },
            connect: Duration::from_millis(config.connect_ms),
            pool_idle: Duration::from_millis(config.pool_idle_ms),
            pool_size: config.pool_size,
            idle: RefCell::default(),
            buffers: Buffers::default(),
        })
    }

    /// Sends a request and waits for the complete reply, which comes with the moment when it was. When the returned
    /// future is dropped, so is the connection: what was in the air stays unknown.
    pub async fn call(
        &self,
        request: &Request<'_>,
        now: Instant,
        deadline: Instant,
    ) -> Result<(Reply, Instant), Failure> {
        if !request.target.starts_with(b"/") {
            return Err(NotSent::Path.into());
        }
        if now >= deadline {
            return Err(NotSent::NoTime.into());
        }
        // Before a connection is chosen: nothing may come between the look whether it is stale and the first byte.
        batch::behind_the_ready().await;
        loop {
            let pooled = self.pooled(now);
            let stale_is_likely = pooled.is_some();
            let mut link = match pooled {
                Some(link) => link,
                // Rare, and large.
                None => Box::pin(self.connect(now, deadline)).await?,
            };
            let wire = self.written(request);
            let reader = Reader::new(&self.limits, request.method);
            match link.exchange(wire, reader, &self.buffers, deadline).await {
                Ok((reply, another)) => {
                    let at = Instant::now();
                    if another {
                        self.park(link, at);
                    }
                    return Ok((reply, at));
                }
                Err(Lost::Unsent) if stale_is_likely => {}
                Err(Lost::Unsent) => return Err(NotSent::Closed.into()),
                Err(Lost::Failed(failure)) => return Err(failure),
            }
        }
    }

    /// Gives a reply's memory back, for the next one.
    pub fn reuse(&self, reply: Reply) {
        self.buffers.keep(reply.into_bytes());
    }

    /// The request as it is written on the wire: the base's prefix before its path, the base's host.
    fn written(&self, request: &Request<'_>) -> Vec<u8> {
        let Request { method, body, .. } = request;
        let mut wire = self.buffers.take();
        for part in [method.as_str(), " ", &self.prefix] {
            wire.extend_from_slice(part.as_bytes());
        }
        wire.extend_from_slice(request.target);
        wire.extend_from_slice(b" HTTP/1.1\r\n");
        wire.extend_from_slice(request.fields);
        wire.extend_from_slice(&self.host_line);
        // The length of nothing is said too where there could be something: some servers answer 411 otherwise.
        if !body.is_empty() || has_body(method) {
            wire.extend_from_slice(b"content-length: ");
            wire.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"\r\n");
        // Head and body in one write: for the small bodies of chat a copy is cheaper than a second buffer.
        wire.extend_from_slice(body);
        wire
    }

    fn pooled(&self, now: Instant) -> Option<Link> {
        let mut idle = self.idle.borrow_mut();
        while let Some(mut link) = idle.pop() {
            if link.usable(now, self.pool_idle) {
                return Some(link);
            }
        }
        None
    }

    fn park(&self, mut link: Link, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < self.pool_size {
            link.park(now);
            idle.push(link);
        }
        // One that lies at the bottom is not taken before all others are: somebody must look whether it is still good.
        let old = |link: &Link| link.is_old(now, self.pool_idle);
        if idle.first().is_some_and(old) {
            idle.remove(0);
        }
    }

    async fn connect(&self, now: Instant, deadline: Instant) -> Result<Link, NotSent> {
        let until = deadline.min(now + self.connect);
        let timed_out = || NotSent::ConnectTimedOut(until - now);
        let addresses = timeout_at(until, self.resolve()).await;
        let addresses = addresses.map_err(|_| timed_out())??;
        let stream = match open(&addresses, until).await {
            Ok(stream) => stream,
            Err(_) if Instant::now() >= until => return Err(timed_out()),
            Err(error) => return Err(NotSent::Connect(error)),
        };
        // A request is one write: waiting for more to fill a packet with would only delay it.
        stream.set_nodelay(true).map_err(NotSent::Connect)?;
        let stream = match &self.tls {
            None => Stream::Plain(stream),
            Some((tls, name)) => {
                let handshake = timeout_at(until, tls.connect(name.clone(), stream)).await;
                let stream = handshake.map_err(|_| timed_out())?.map_err(NotSent::Tls)?;
                Stream::Tls(Box::new(stream))
            }
        };
        Ok(Link::new(stream, now))
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, NotSent> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let addresses = lookup_host((self.host.as_str(), self.port)).await;
        Ok(addresses.map_err(NotSent::Resolve)?.collect())
    }
}

fn has_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Tries the addresses in turn, each but the last for half of the time that is left.
async fn open(addresses: &[SocketAddr], until: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for (index, address) in addresses.iter().enumerate() {
        let now = Instant::now();
        let share = match index + 1 < addresses.len() {
            true => now + until.saturating_duration_since(now) / 2,
            false => until,
        };
        match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
        debug!(%address, error = %last, "cannot connect");
    }
    Err(last)
}
