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

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Body as _;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tracing::debug;

use super::link::{Limits, Link, Lost};
use super::stream::Stream;

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
    #[error("the connection closed before a reply came")]
    Closed,
    #[error("the exchange broke off: {0}")]
    Broken(#[source] hyper::Error),
    #[error("the reply is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the reply has a Transfer-Encoding other than chunked")]
    TransferCoding,
    #[error("the upstream switched protocols unasked")]
    Switched,
}

/// Calls one upstream, from one thread.
pub struct Client {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    host_header: HeaderValue,
    prefix: String,
    limits: Limits,
    connect: Duration,
    pool_idle: Duration,
    pool_size: usize,
    /// The last one used is the next one used, so that the rest grow old and go.
    #[expect(
        clippy::vec_box,
        reason = "a link moves in and out per request, and is large"
    )]
    idle: RefCell<Vec<Box<Link>>>,
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
        let host_header = HeaderValue::from_str(authority)
            .ok()
            .filter(|_| !authority.is_empty() && !authority.contains('@'))
            .ok_or_else(|| BadBase::Host(base.clone()))?;
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
            host_header,
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
        })
    }

    /// Sends a request, whose path is below the base's, and waits for the complete reply. When the returned future is
    /// dropped, so is the connection: what was in the air stays unknown.
    pub async fn call(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<Response<Bytes>, Failure> {
        let mut request = self.address(request)?;
        loop {
            let pooled = self.pooled();
            let stale_is_likely = pooled.is_some();
            let mut link = match pooled {
                Some(link) => link,
                None => Box::new(self.connect(deadline).await?),
            };
            match link.exchange(request, &self.limits, deadline).await {
                Ok(reply) => {
                    self.park(link);
                    return Ok(reply);
                }
                Err(Lost::GivenBack(given_back)) if stale_is_likely => request = *given_back,
                Err(Lost::GivenBack(_)) => return Err(NotSent::Closed.into()),
                Err(Lost::Failed(failure)) => return Err(failure),
            }
        }
    }

    /// The request as it is written on the wire: the base's prefix before its path, the base's host.
    fn address(&self, mut request: Request<Full<Bytes>>) -> Result<Request<Full<Bytes>>, NotSent> {
        let path = request.uri().path_and_query();
        let path = path.map_or("/", PathAndQuery::as_str);
        if !path.starts_with('/') {
            return Err(NotSent::Path);
        }
        if !self.prefix.is_empty() {
            let path = format!("{}{path}", self.prefix);
            *request.uri_mut() = Uri::try_from(path).map_err(|_| NotSent::Path)?;
        } else if request.uri().authority().is_some() {
            *request.uri_mut() = Uri::try_from(path).map_err(|_| NotSent::Path)?;
        }
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host_header.clone());
        if request.body().is_end_stream() && has_body(request.method()) {
            // hyper leaves the length of nothing unsaid, and some servers answer 411 to that.
            let zero = HeaderValue::from_static("0");
            request.headers_mut().insert(header::CONTENT_LENGTH, zero);
        }
        Ok(request)
    }

    fn pooled(&self) -> Option<Box<Link>> {
        let mut idle = self.idle.borrow_mut();
        while let Some(link) = idle.pop() {
            if link.usable(self.pool_idle) {
                return Some(link);
            }
        }
        None
    }

    fn park(&self, mut link: Box<Link>) {
        let mut idle = self.idle.borrow_mut();
        if link.park() && idle.len() < self.pool_size {
            idle.push(link);
        }
        // One that lies at the bottom is not taken before all others are: somebody must look whether it is still good.
        if idle.first().is_some_and(|link| link.is_old(self.pool_idle)) {
            idle.remove(0);
        }
    }

    async fn connect(&self, deadline: Instant) -> Result<Link, NotSent> {
        let now = Instant::now();
        if deadline <= now {
            return Err(NotSent::NoTime);
        }
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
        Link::new(stream, &self.limits).await
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
