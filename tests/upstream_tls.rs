//! The upstream client over TLS: whom it believes, and what each broken connection is called.
//!
//! As in `upstream.rs` what counts is the class of every ending. The peer here is a real TLS server; between it and
//! the client stands a wire that is cut after any number of bytes, in either direction.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use rustls::server::NoServerSessionStorage;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};
use sabir::relay::upstream::{Client, Config, Failure, NotSent, Unknown};
use sabir::tls::client::{Authorities, System};
use support::authority::{Authority, Pair};
use support::call;
use tokio::time::Instant;

const REPLY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"id\":\"42\"}";

/// What a server has seen.
#[derive(Default)]
struct Seen {
    bytes: AtomicUsize,
    shaken: Mutex<Vec<Option<HandshakeKind>>>,
    /// Connections that the server has closed.
    closed: AtomicUsize,
}

/// A TLS server on a thread, which answers every request with `reply`, and closes behind it if it is told to.
fn serve(config: Arc<ServerConfig>, reply: &'static str, close: Close) -> (SocketAddr, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::<Seen>::default();
    let seen_there = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (config, seen) = (config.clone(), seen_there.clone());
            std::thread::spawn(move || {
                answer(config, stream.unwrap(), reply, close, &seen);
                seen.closed.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    (address, seen)
}

#[derive(Clone, Copy, PartialEq)]
enum Close {
    Never,
    WithNotice,
    Rudely,
}

fn answer(config: Arc<ServerConfig>, stream: TcpStream, reply: &str, close: Close, seen: &Seen) {
    stream.set_nodelay(true).unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut held = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        if held.is_empty() {
            let kind = stream.conn.handshake_kind();
            seen.shaken.lock().unwrap().push(kind);
        }
        seen.bytes.fetch_add(read, Ordering::SeqCst);
        held.extend_from_slice(&piece[..read]);
        if held.ends_with(b"\"salam\"}") {
            held.clear();
            if stream.write_all(reply.as_bytes()).is_err() {
                return;
            }
            if close == Close::WithNotice {
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
            if close != Close::Never {
                return;
            }
        }
    }
}

/// A wire to a server. Its first connection breaks after no bytes from one side, the next after one, and so on.
fn cut(server: SocketAddr, from_server: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let client = client.unwrap();
            let server = TcpStream::connect(server).unwrap();
            for stream in [&client, &server] {
                stream.set_nodelay(true).unwrap();
            }
            let limit = |limited: bool| if limited { number } else { usize::MAX };
            let (up, down) = (limit(!from_server), limit(from_server));
            let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || pass(ends.0, ends.1, up));
            std::thread::spawn(move || pass(server, client, down));
        }
    });
    address
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut left: usize) {
    let mut piece = [0; 4096];
    while left > 0 {
        let most = left.min(piece.len());
        let Ok(read @ 1..) = from.read(&mut piece[..most]) else {
            break;
        };
        if to.write_all(&piece[..read]).is_err() {
            break;
        }
        left -= read;
    }
    for stream in [&from, &to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// Without tickets, so that every connection has the same bytes.
fn plain(pair: &Pair) -> Arc<ServerConfig> {
    let mut config = Arc::unwrap_or_clone(pair.shown());
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

fn client(authority: &Authority, host: &str, port: u16) -> Client {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    authority.write(&path);
    let authorities = Authorities::open(&path).unwrap();
    let mut config = Config::new(format!("https://{host}:{port}/api").parse().unwrap());
    config.tls = System::read().connector(Some(&authorities)).unwrap();
    config.connect_ms = 2000;
    Client::new(config).unwrap()
}

async fn call(client: &Client) -> Result<Response<Bytes>, Failure> {
    let request = Request::post("/chat-messages")
        .body(Bytes::from("{\"text\":\"salam\"}"))
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    call::call(client, &request, deadline).await
}

#[track_caller]
fn assert_no_tls(result: Result<Response<Bytes>, Failure>, why: &str) {
    match result {
        Err(Failure::NotSent(NotSent::Tls(error))) => {
            assert!(error.to_string().contains(why), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_proves_who_it_is_gets_the_request() {
    let authority = Authority::new();
    for name in ["localhost", "127.0.0.1"] {
        let (address, seen) = serve(authority.sign(name).shown(), REPLY, Close::Never);
        let client = client(&authority, name, address.port());
        for _ in 0..3 {
            let reply = call(&client).await.unwrap();
            assert_eq!(reply.body(), &"{\"id\":\"42\"}");
        }
        assert_eq!(seen.shaken.lock().unwrap().len(), 3, "one read per request");
        // A new connection resumes what the first one began.
        let (first, second) = tokio::join!(call(&client), call(&client));
        first.and(second).unwrap();
        let shaken = seen.shaken.lock().unwrap();
        assert_eq!(shaken[0], Some(HandshakeKind::Full));
        assert!(shaken.contains(&Some(HandshakeKind::Resumed)), "{shaken:?}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_prove_it_gets_nothing() {
    let authority = Authority::new();
    let good = authority.sign("localhost");
    let unknown = Authority::new().sign("localhost");
    let other = authority.sign("else.example");
    let past = authority.sign_until("localhost", 2020);
    for (pair, why) in [
        (unknown, "UnknownIssuer"),
        (other, "not valid for name"),
        (past, "expired"),
    ] {
        let (address, seen) = serve(pair.shown(), REPLY, Close::Never);
        let client = client(&authority, "localhost", address.port());
        assert_no_tls(call(&client).await, why);
        assert_eq!(seen.bytes.load(Ordering::SeqCst), 0);
    }
    // The name is right, and the address is not what the certificate is for.
    let (address, _) = serve(good.shown(), REPLY, Close::Never);
    let client = client(&authority, "127.0.0.1", address.port());
    assert_no_tls(call(&client).await, "not valid for name");
}

#[tokio::test]
async fn what_is_no_tls_is_not_sent() {
    let authority = Authority::new();
    for said in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "",
        "\x15\x03\x03\x00\x02\x02\x28",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(said.as_bytes());
        });
        assert_no_tls(call(&client(&authority, "localhost", port)).await, "");
    }
}

#[tokio::test]
async fn a_handshake_that_stalls_is_a_connect_timeout() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let result = call(&client(&authority, "localhost", port)).await;
    assert!(
        matches!(result, Err(Failure::NotSent(NotSent::ConnectTimedOut(_)))),
        "{result:?}"
    );
    drop(listener);
}

#[tokio::test]
async fn a_wire_that_is_cut_at_any_byte_is_never_a_reply_and_not_sent_is_true() {
    let authority = Authority::new();
    let server = plain(&authority.sign("localhost"));
    for from_server in [true, false] {
        let (address, seen) = serve(server.clone(), REPLY, Close::Never);
        let wire = cut(address, from_server);
        let client = client(&authority, "localhost", wire.port());
        let (mut not_sent, mut unknown) = (0, 0);
        loop {
            let before = seen.bytes.load(Ordering::SeqCst);
            match call(&client).await {
                Err(Failure::NotSent(_)) => {
                    not_sent += 1;
                    assert_eq!(seen.bytes.load(Ordering::SeqCst), before, "{not_sent}");
                    assert_eq!(unknown, 0, "from a byte on it may have been sent");
                }
                Err(Failure::Unknown(_)) => unknown += 1,
                Ok(reply) => {
                    assert_eq!(reply.body(), &"{\"id\":\"42\"}");
                    break;
                }
            }
        }
        // A handshake has more bytes than that, and so has a request or a reply with its record around it.
        assert!(
            not_sent > 200 && unknown > REPLY.len(),
            "{not_sent} {unknown}"
        );
        assert!(seen.bytes.load(Ordering::SeqCst) > 0);
    }
}

#[tokio::test]
async fn a_reply_that_ends_with_its_connection_needs_the_notice_of_its_end() {
    const OPEN: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"id\":\"42\"}";
    let authority = Authority::new();
    for (close, whole) in [(Close::WithNotice, true), (Close::Rudely, false)] {
        let (address, _) = serve(plain(&authority.sign("localhost")), OPEN, close);
        let result = call(&client(&authority, "localhost", address.port())).await;
        match result {
            Ok(reply) => assert!(whole && *reply.body() == "{\"id\":\"42\"}"),
            Err(Failure::Unknown(Unknown::Broken(_))) => assert!(!whole),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_stale_connection_is_replaced_and_the_request_is_seen_once() {
    let authority = Authority::new();
    for close in [Close::WithNotice, Close::Rudely] {
        let (address, seen) = serve(authority.sign("localhost").shown(), REPLY, close);
        let client = client(&authority, "localhost", address.port());
        for calls in 1..=3 {
            call(&client).await.unwrap();
            while seen.closed.load(Ordering::SeqCst) < calls {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        assert_eq!(seen.shaken.lock().unwrap().len(), 3);
    }
}
