//! The listener from outside: raw bytes in, raw bytes out.
//!
//! The handler echoes the body behind the method and the path, so that a reply tells which request it answers.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::{Compression, read};
use http::{Extensions, Method, Response, StatusCode};
use http_body_util::Full;
use sabir::admin::Admin;
use sabir::admin::graphiql::Graphiql;
use sabir::ingress::listener::{
    Body, BodyError, Client, Config, Handler, Refusal, Request, Switched, bind, bind_each, serve,
};
use sabir::metrics::Metrics;
use sabir::store::Health;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Semaphore, watch};
use tokio::task::LocalSet;

/// Longer than any answer takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Echo {
    begun: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
    /// Requests that are being counted now, and the most at once.
    counted: Cell<usize>,
    most: Cell<usize>,
}

impl Echo {
    /// Stays for a while and says how many did at once; where all are wanted, until so many have.
    async fn count(&self, all: Option<usize>) -> Response<Full<Bytes>> {
        self.counted.set(self.counted.get() + 1);
        let here = self.counted.get();
        self.most.set(self.most.get().max(here));
        match all {
            None => tokio::time::sleep(Duration::from_millis(50)).await,
            Some(all) => {
                while self.most.get() < all {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
        self.counted.set(self.counted.get() - 1);
        Response::new(Full::from(here.to_string()))
    }
}

impl Handler for Echo {
    async fn answer(&self, request: &Request, body: Body, _: &Client) -> Response<Full<Bytes>> {
        if request.headers.get("upgrade").is_some() {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            response.extensions_mut().insert("!");
            return response;
        }
        self.begun.fetch_add(1, Ordering::SeqCst);
        match request.uri.path() {
            "/never" => std::future::pending().await,
            "/slow" => tokio::time::sleep(Duration::from_millis(300)).await,
            "/big" => return Response::new(Full::from("z".repeat(64 << 20))),
            "/counted" => return self.count(None).await,
            "/all" => return self.count(Some(60)).await,
            "/unread" => return Response::new(Full::from("unread")),
            _ => {}
        }
        let body = match body.read(1000).await {
            Ok(body) => body,
            Err(error) => return failed(&error),
        };
        self.finished.fetch_add(1, Ordering::SeqCst);
        let mut text = format!("{} {} ", request.method, request.uri.path()).into_bytes();
        text.extend_from_slice(&body);
        Response::new(Full::from(text))
    }

    fn refuse(&self, refusal: &Refusal, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(format!("{method} {path}: {refusal}")));
        *response.status_mut() = refusal.status();
        response
    }

    /// Echoes what comes after the switch, in capitals.
    async fn switched(&self, extensions: Extensions, mut line: Switched) {
        let mut bytes = [0; 64];
        let read = line.read(&mut bytes).await.unwrap();
        let mut reply = bytes[..read].to_ascii_uppercase();
        reply.extend_from_slice(extensions.get::<&str>().unwrap().as_bytes());
        line.write_all(&reply).await.unwrap();
        line.flush().await.unwrap();
    }
}

fn failed(error: &BodyError) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(error.to_string()));
    *response.status_mut() = match error {
        BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::TimedOut => StatusCode::REQUEST_TIMEOUT,
        BodyError::Broken(_) | BodyError::Coding => StatusCode::BAD_REQUEST,
    };
    response
}

/// A listener on a thread of its own.
struct Door {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    begun: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Door {
    fn open(change: impl FnOnce(&mut Config)) -> Door {
        let (begun, finished) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (beginning, finishing) = (begun.clone(), finished.clone());
        let echo = move || Echo {
            begun: beginning,
            finished: finishing,
            ..Echo::default()
        };
        Door {
            begun,
            finished,
            ..Door::open_for(change, echo)
        }
    }

    fn open_for<H: Handler>(
        change: impl FnOnce(&mut Config),
        handler: impl FnOnce() -> H + Send + 'static,
    ) -> Door {
        let mut config = Config::default();
        change(&mut config);
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let limits = watch::Sender::new(config);
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            LocalSet::new().block_on(&runtime, async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                serve(
                    listener,
                    limits.subscribe(),
                    None,
                    Rc::new(handler()),
                    stopped,
                )
                .await;
            });
        });
        Door {
            address,
            stop,
            begun: Arc::default(),
            finished: Arc::default(),
            thread: Some(thread),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Everything that comes back, to the end of the connection.
    fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        let _ = stream.write_all(bytes.as_ref());
        rest(&mut stream)
    }

    fn stop(&self) {
        self.stop.send_replace(true);
    }

    fn join(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Waits until a counter has come so far.
#[track_caller]
fn wait_for(counter: &AtomicUsize, count: usize) {
    let start = Instant::now();
    while counter.load(Ordering::SeqCst) < count {
        assert!(start.elapsed() < PATIENCE, "it never came to be");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn rest(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    stream
        .read_to_end(&mut reply)
        .expect("the connection closes without a reset");
    String::from_utf8(reply).unwrap()
}

/// One reply with a content-length.
fn one(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    let mut byte = [0];
    loop {
        let text = String::from_utf8_lossy(&reply);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.unwrap_or("0").parse().unwrap() {
                return text.into_owned();
            }
        }
        stream.read_exact(&mut byte).unwrap();
        reply.push(byte[0]);
    }
}

#[track_caller]
fn assert_refused(reply: &str, status: &str, word: &str) {
    assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply}");
    assert!(reply.contains("connection: close\r\n"), "{reply}");
    assert!(reply.contains(word), "{reply}");
    assert_eq!(reply.matches("HTTP/1.1").count(), 1, "{reply}");
}

#[test]
fn the_host_must_be_there_once() {
    let door = Door::open(|_| {});
    assert_refused(
        &door.say("GET /a HTTP/1.1\r\n\r\n"),
        "400",
        "GET /a: the Host",
    );
    let two = "GET /a HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n";
    assert_refused(&door.say(two), "400", "more than one Host");
    for host in ["", "a b", "u@a", "a/b", "a,b"] {
        let reply = door.say(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_refused(&reply, "400", "not a host");
    }
    let absolute =
        "GET http://else.example:80/p?q HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert!(door.say(absolute).ends_with("GET /p "));
}

#[test]
fn lengths_and_codings_that_two_readers_read_differently_are_refused() {
    let door = Door::open(|_| {});
    let say = |headers: &str, body: &str| {
        door.say(format!(
            "POST /p HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n{body}"
        ))
    };
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_refused(
        &say("Transfer-Encoding: gzip, chunked", smuggled),
        "501",
        "chunked",
    );
    assert_refused(
        &say("Transfer-Encoding: chunked, chunked", smuggled),
        "501",
        "chunked",
    );
    assert_refused(
        &say(
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            smuggled,
        ),
        "501",
        "chunked",
    );
    assert_refused(
        &say("Transfer-Encoding: chunked\r\nContent-Length: 4", smuggled),
        "400",
        "exclude",
    );
    assert_refused(
        &say("Content-Length: 4\r\ntransfer-encoding: chunked", smuggled),
        "400",
        "exclude",
    );
    assert_refused(
        &say("Content-Encoding: br\r\nContent-Length: 3", "abc"),
        "415",
        "Content-Encoding",
    );
    // Malformed in themselves.
    for headers in [
        "Transfer-Encoding: gzip",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: +3",
        "Content-Length : 3",
        "A: b\r\n c",
    ] {
        let reply = say(headers, "abcd");
        assert!(reply.starts_with("HTTP/1.1 400 "), "{headers} {reply}");
        assert_eq!(reply.matches("HTTP/1.1").count(), 1, "{reply}");
    }
    assert_refused(
        &door.say("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
        "501",
        "proxy",
    );
}

#[test]
fn what_follows_a_chunked_body_is_the_next_request_unless_a_chunk_is_malformed() {
    let door = Door::open(|_| {});
    let say = |body: &str| {
        door.say(format!(
            "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}\
             GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ))
    };
    let reply = say("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n");
    assert!(reply.contains("POST /p abcdeHTTP/1.1 200 "), "{reply}");
    assert!(reply.ends_with("GET /second "), "{reply}");
    for body in ["3\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "0\r\n"] {
        assert_refused(&say(body), "400", "a chunk is malformed");
    }
}

#[test]
fn a_reply_to_head_has_no_body_and_its_length() {
    let door = Door::open(|_| {});
    let reply = door.say(
        "HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    let (head, rest) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\ncontent-length: 8\r\n"), "{reply}");
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert!(rest.ends_with("\r\n\r\nGET /2 "), "{reply}");
    // Everywhere: what time it is.
    for head in [head, rest] {
        let date = head.lines().find_map(|line| line.strip_prefix("date: "));
        assert!(httpdate::parse_http_date(date.unwrap()).is_ok(), "{reply}");
    }
}

#[test]
fn what_is_expected_or_aimed_at_and_is_not_here_is_refused() {
    let door = Door::open(|_| {});
    let expects = |what: &str, body: &str| {
        door.say(format!(
            "POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: {what}\r\n\
             Content-Length: 2\r\n\r\n{body}"
        ))
    };
    assert_refused(&expects("cookies", "ok"), "417", "Expect");
    // Whoever did not wait is not asked.
    let reply = expects("100-Continue", "ok");
    assert!(
        reply.starts_with("HTTP/1.1 200 ") && reply.ends_with("POST /p ok"),
        "{reply}"
    );
    for target in ["*", "a", "a:80", "/a#b"] {
        let reply = door.say(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_refused(&reply, "400", "");
    }
    let all = "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert!(door.say(all).ends_with("OPTIONS * "));
}

#[test]
fn a_line_has_its_whole_end() {
    let door = Door::open(|_| {});
    for head in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert_refused(&door.say(head), "400", "");
    }
    // TLS, and whoever speaks it waits for an answer.
    let start = Instant::now();
    assert_refused(&door.say("\x16\x03\x01"), "400", "");
    assert!(start.elapsed() < Duration::from_secs(9));
}

#[test]
fn heads_have_limits() {
    let door = Door::open(|_| {});
    let head = |headers: String| {
        format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n")
    };
    let large = head(format!("a: {}\r\n", "x".repeat(17 << 10)));
    assert!(door.say(&large).starts_with("HTTP/1.1 431 "));
    assert!(door.say(&large[..17 << 10]).starts_with("HTTP/1.1 431 "));
    assert!(
        door.say(head("a: b\r\n".repeat(63)))
            .starts_with("HTTP/1.1 431 ")
    );
    assert!(
        door.say(head("a: b\r\n".repeat(62)))
            .starts_with("HTTP/1.1 200 ")
    );
    assert!(
        door.say(head(format!("a: {}\r\n", "x".repeat(15 << 10))))
            .starts_with("HTTP/1.1 200 ")
    );
}

#[test]
fn a_body_over_the_limit_gets_its_answer_and_no_reset() {
    let door = Door::open(|config| config.body_bytes = 2000);
    let body = "x".repeat(3 << 20);
    let declared = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let reply = door.say(declared);
    assert!(
        reply.starts_with("HTTP/1.1 413 ") && reply.contains("1000 bytes"),
        "{reply}"
    );
    let chunked = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    assert!(door.say(chunked).starts_with("HTTP/1.1 413 "));
    let refused = format!(
        "POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_refused(&door.say(refused), "400", "missing");
}

fn packed(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let (mut packed, best) = (Vec::new(), Compression::best());
    match coding {
        "gzip" => read::GzEncoder::new(bytes, best).read_to_end(&mut packed),
        "deflate" => read::ZlibEncoder::new(bytes, best).read_to_end(&mut packed),
        _ => read::DeflateEncoder::new(bytes, best).read_to_end(&mut packed),
    }
    .unwrap();
    packed
}

#[test]
fn a_packed_body_is_unpacked_within_the_limit() {
    let door = Door::open(|_| {});
    let say = |coding: &str, body: &[u8]| {
        let head = format!(
            "POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Encoding: {coding}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        door.say([head.as_bytes(), body].concat())
    };
    let text = "salam ".repeat(166);
    for (name, kind) in [
        ("gzip", "gzip"),
        ("X-GZip", "gzip"),
        ("deflate", "deflate"),
        ("Deflate", "raw"),
    ] {
        let body = packed(kind, text.as_bytes());
        assert!(body.len() < 50);
        let reply = say(name, &body);
        assert!(
            reply.ends_with(&format!("POST /p {text}")),
            "{name} {reply}"
        );
        // One byte more than may be; a bomb; one that is cut; something else.
        let over = packed(kind, &[b'x'; 1001]);
        assert!(say(name, &over).starts_with("HTTP/1.1 413 "), "{name}");
        let bomb = packed(kind, &vec![0; 500_000]);
        assert!(say(name, &bomb).starts_with("HTTP/1.1 413 "), "{name}");
        for broken in [&body[..body.len() - 9], b"\x78\x9cabcdefghij", b""] {
            let reply = say(name, broken);
            assert!(reply.starts_with("HTTP/1.1 400 "), "{name} {reply}");
        }
    }
    assert!(say("identity", text.as_bytes()).ends_with(&text));
    // Two members are one text, and what is sent has the limit too.
    let two = [packed("gzip", b"sal"), packed("gzip", b"am")].concat();
    assert!(say("gzip", &two).ends_with(" salam"));
    let empty = packed("gzip", b"").repeat(100);
    assert!(say("gzip", &empty).starts_with("HTTP/1.1 413 "));
    for unknown in [
        "br",
        "gzip, gzip",
        "gzip\r\nContent-Encoding: gzip",
        "",
        "zstd",
    ] {
        let reply = say(unknown, b"abc");
        assert_refused(&reply, "415", "accept-encoding: gzip, deflate\r\n");
    }
}

#[test]
fn a_body_in_pieces_is_whole_and_one_that_stalls_is_told_so() {
    let door = Door::open(|_| {});
    let mut stream = door.connect();
    for piece in [
        "POST /p HT",
        "TP/1.1\r\nHost: a\r\nContent-Le",
        "ngth: 6\r\n\r\nab",
        "cd",
        "ef",
    ] {
        stream.write_all(piece.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(one(&mut stream).ends_with("POST /p abcdef"));
    let door = Door::open(|config| config.body_s = 1);
    let mut stream = door.connect();
    let start = Instant::now();
    stream
        .write_all(b"POST /q HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab")
        .unwrap();
    let reply = rest(&mut stream);
    assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
    assert!(start.elapsed() >= Duration::from_millis(900));
}

#[test]
fn a_client_that_waits_to_be_asked_for_its_body_is_asked() {
    let door = Door::open(|_| {});
    let mut stream = door.connect();
    stream
        .write_all(
            b"POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        )
        .unwrap();
    assert_eq!(one(&mut stream), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ok").unwrap();
    assert!(one(&mut stream).ends_with("POST /p ok"));
}

#[test]
fn silence_is_measured_against_what_is_waited_for() {
    let door = Door::open(|config| {
        (config.first_byte_s, config.header_s, config.idle_s) = (1, 1, 2);
    });
    // Says nothing.
    let start = Instant::now();
    assert_eq!(door.say(""), "");
    assert!(start.elapsed() >= Duration::from_millis(900));
    // Stays in its head, a byte now and then, for as long as nothing comes back.
    let start = Instant::now();
    let mut stream = door.connect();
    stream.write_all(b"GET /").unwrap();
    stream.set_nonblocking(true).unwrap();
    while stream.peek(&mut [0]).is_err() {
        assert!(start.elapsed() < PATIENCE, "each byte gave it more time");
        let _ = stream.write_all(b"x");
        std::thread::sleep(Duration::from_millis(100));
    }
    stream.set_nonblocking(false).unwrap();
    let reply = rest(&mut stream);
    assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("content-length: {}\r\n", body.len())),
        "{reply}"
    );
    assert!(start.elapsed() >= Duration::from_millis(900));
    // Is idle for good.
    let start = Instant::now();
    let mut stream = door.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    one(&mut stream);
    assert_eq!(rest(&mut stream), "");
    assert!(start.elapsed() >= Duration::from_millis(1900));
    // Is idle between requests for longer than a head may take, then dawdles.
    let door = Door::open(|config| {
        (config.first_byte_s, config.header_s, config.idle_s) = (1, 1, 60);
    });
    let mut stream = door.connect();
    for _ in 0..2 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        one(&mut stream);
        std::thread::sleep(Duration::from_millis(1300));
    }
    let start = Instant::now();
    stream.write_all(b"GET /").unwrap();
    assert!(rest(&mut stream).starts_with("HTTP/1.1 408 "));
    assert!(start.elapsed() >= Duration::from_millis(900));
}

#[test]
fn a_first_byte_is_waited_for_apart_from_a_head_and_from_the_next_request() {
    let door = Door::open(|config| {
        (config.first_byte_s, config.header_s, config.idle_s) = (2, 1, 1);
    });
    let start = Instant::now();
    let mut silent = door.connect();
    let mut dawdler = door.connect();
    dawdler.write_all(b"G").unwrap();
    assert!(rest(&mut dawdler).starts_with("HTTP/1.1 408 "));
    assert!(start.elapsed() >= Duration::from_millis(900));
    let mut idle = door.connect();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    one(&mut idle);
    assert_eq!(rest(&mut silent), "");
    assert!(start.elapsed() >= Duration::from_millis(1900));
    assert_eq!(rest(&mut idle), "");
}

#[test]
fn a_client_that_takes_no_reply_is_let_go() {
    let door = Door::open(|config| config.body_s = 1);
    let mut stream = door.connect();
    stream
        .write_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    std::thread::sleep(Duration::from_secs(5));
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    assert!(reply.len() < 64 << 20);
    // One that takes it slowly keeps its connection for longer than it may stand still.
    let door = Door::open(|config| config.body_s = 3);
    let mut stream = door.connect();
    stream
        .write_all(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let (start, mut taken, mut piece) = (Instant::now(), 0, vec![0; 1 << 20]);
    loop {
        match stream.read(&mut piece).unwrap() {
            0 => break,
            read => taken += read,
        }
        if start.elapsed() < Duration::from_millis(4500) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    assert!(taken > 64 << 20, "{taken}");
}

#[test]
fn requests_in_one_piece_are_answered_in_order() {
    let door = Door::open(|_| {});
    let reply = door.say(
        "GET /slow HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok\
         GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    let order: Vec<_> = ["GET /slow ", "POST /2 ok", "GET /3 "]
        .map(|text| reply.find(text))
        .into();
    assert!(
        order.is_sorted() && order.iter().all(Option::is_some),
        "{reply}"
    );
}

#[test]
fn a_reply_does_not_wait_for_the_rest_of_the_next_request() {
    let door = Door::open(|_| {});
    for tail in ["\r\n", "GET /2 HT"] {
        let mut stream = door.connect();
        let form = format!("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok{tail}");
        stream.write_all(form.as_bytes()).unwrap();
        assert!(one(&mut stream).ends_with("POST /1 ok"));
        let more = &"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"[tail.trim().len()..];
        stream.write_all(more.as_bytes()).unwrap();
        assert!(one(&mut stream).ends_with("GET /2 "));
    }
}

#[test]
fn an_unread_body_does_not_become_the_next_request() {
    let door = Door::open(|_| {});
    let mut stream = door.connect();
    stream
        .write_all(b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n")
        .unwrap();
    assert!(one(&mut stream).ends_with("unread"));
    let _ = stream.write_all(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n0123");
    let reply = rest(&mut stream);
    assert!(!reply.contains("smuggled"), "{reply}");
}

#[test]
fn http_1_0_needs_no_host_and_is_closed_unless_it_asks() {
    let door = Door::open(|_| {});
    let reply = door.say("GET /old HTTP/1.0\r\n\r\n");
    assert!(
        reply.starts_with("HTTP/1.0 200 ") && reply.ends_with("GET /old "),
        "{reply}"
    );
    let mut stream = door.connect();
    for _ in 0..2 {
        stream
            .write_all(b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            .unwrap();
        assert!(one(&mut stream).ends_with("GET /old "));
    }
    let chunked = door.say("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert!(chunked.starts_with("HTTP/1.1 400 "), "{chunked}");
}

#[test]
fn a_client_that_leaves_does_not_stop_its_request() {
    let door = Door::open(|_| {});
    let mut stream = door.connect();
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(rest(&mut stream).ends_with("GET /slow "));
    // Closed, and reset.
    for (begun, linger) in [(2, None), (3, Some(Duration::ZERO))] {
        let mut stream = door.connect();
        stream
            .write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        wait_for(&door.begun, begun);
        socket2::SockRef::from(&stream).set_linger(linger).unwrap();
    }
    wait_for(&door.finished, 3);
}

#[test]
fn stopping_lets_requests_finish_and_idle_connections_go() {
    let door = Door::open(|_| {});
    let mut idle = door.connect();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    one(&mut idle);
    let mut silent = door.connect();
    let mut busy = door.connect();
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    wait_for(&door.begun, 2);
    door.stop();
    assert_eq!(rest(&mut idle), "");
    assert_eq!(rest(&mut silent), "");
    let reply = rest(&mut busy);
    assert!(
        reply.contains("connection: close") && reply.ends_with("GET /slow "),
        "{reply}"
    );
    assert!(TcpStream::connect(door.address).is_err());
    door.join();
}

#[test]
fn stopping_does_not_wait_for_ever() {
    let door = Door::open(|config| config.drain_s = 0);
    let mut busy = door.connect();
    busy.write_all(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    wait_for(&door.begun, 1);
    door.stop();
    assert_eq!(rest(&mut busy), "");
    door.join();
}

/// Two places, of which the first two connections have asked for something.
fn full_house(paths: [&str; 2]) -> (Door, [TcpStream; 2]) {
    let door = Door::open(|config| config.connections = 2);
    let open = paths.map(|path| {
        let mut stream = door.connect();
        ask(&mut stream, path);
        if path == "/" {
            one(&mut stream);
        }
        stream
    });
    (door, open)
}

/// Not in the same moment as anybody else.
fn ask(stream: &mut TcpStream, path: &str) {
    std::thread::sleep(Duration::from_millis(20));
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
}

#[test]
fn who_waits_the_longest_makes_room_for_who_comes() {
    let (door, [mut first, mut second]) = full_house(["/", "/"]);
    let mut third = door.connect();
    ask(&mut third, "/");
    one(&mut third);
    assert_eq!(rest(&mut first), "", "it has waited the longest");
    ask(&mut second, "/");
    one(&mut second);
    // Who has never asked for anything goes before who has, even if it came later.
    let mut silent = door.connect();
    assert_eq!(rest(&mut third), "");
    let mut fourth = door.connect();
    ask(&mut fourth, "/");
    one(&mut fourth);
    assert_eq!(rest(&mut silent), "");
    ask(&mut second, "/");
    one(&mut second);
}

#[test]
fn a_request_that_is_answered_makes_room_for_nobody() {
    let (door, [mut first, mut second]) = full_house(["/slow", "/slow"]);
    let mut third = door.connect();
    ask(&mut third, "/");
    third
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    assert!(third.read(&mut [0]).is_err());
    third.set_read_timeout(Some(PATIENCE)).unwrap();
    // Once one of them is, somebody waits.
    one(&mut third);
    let replies = [&mut first, &mut second].map(one);
    assert!(
        replies
            .iter()
            .all(|reply| reply.starts_with("HTTP/1.1 200 "))
    );
}

#[test]
fn who_asks_before_it_has_its_reply_has_few_places() {
    let door = Door::open(|_| {});
    let mut open: Vec<_> = (0..60).map(|_| door.connect()).collect();
    let (first, next) = (
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /counted HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    for stream in &mut open {
        stream
            .write_all(format!("{first}{next}").as_bytes())
            .unwrap();
    }
    let most = open.iter_mut().map(|stream| {
        one(stream);
        let reply = one(stream);
        let (_, here) = reply.split_once("\r\n\r\n").unwrap();
        here.parse::<usize>().unwrap()
    });
    assert!((1..=4).contains(&most.max().unwrap()));
    // Who waits for its replies is not concerned.
    for stream in &mut open {
        stream
            .write_all(b"GET /all HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
    }
    for stream in &mut open {
        one(stream);
    }
}

#[test]
fn who_is_waited_for_keeps_none_of_these_places() {
    let first = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for next in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1",
        "GET /big HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let door = Door::open(|config| config.body_s = 3 * PATIENCE.as_secs());
        let mut waited_for: Vec<_> = (0..8).map(|_| door.connect()).collect();
        for stream in &mut waited_for {
            let both = format!("{first}{next}");
            stream.write_all(both.as_bytes()).unwrap();
        }
        let mut honest = door.connect();
        for stream in &mut waited_for {
            one(stream);
        }
        honest.write_all(first.repeat(2).as_bytes()).unwrap();
        for _ in 0..2 {
            assert!(one(&mut honest).ends_with("GET / "), "{next}");
        }
    }
}

#[test]
fn a_connection_can_become_something_else() {
    let door = Door::open(|config| config.idle_s = 1);
    let mut stream = door.connect();
    stream
        .write_all(b"GET /live HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: loud\r\n\r\n")
        .unwrap();
    assert!(one(&mut stream).starts_with("HTTP/1.1 101 "));
    std::thread::sleep(Duration::from_millis(1300));
    stream.write_all(b"salam\n").unwrap();
    assert_eq!(rest(&mut stream), "SALAM\n!");
    // What came with the request is not lost.
    let reply = door.say("GET /live HTTP/1.1\r\nHost: a\r\nUpgrade: loud\r\n\r\nsalam");
    assert!(reply.ends_with("\r\n\r\nSALAM!"), "{reply}");
}

#[test]
fn threads_share_a_port_that_nobody_else_gets() {
    let sockets = bind_each("127.0.0.1:0".parse().unwrap(), 3).unwrap();
    let address = sockets[0].local_addr().unwrap();
    assert!(
        sockets
            .iter()
            .all(|socket| socket.local_addr().unwrap() == address)
    );
    assert_eq!(sockets.len(), 3);
    let taken = bind_each(address, 2).unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    drop(sockets);
    bind_each(address, 2).unwrap();
}

#[test]
fn the_operators_door() {
    let ready = Arc::new(AtomicBool::new(false));
    let healthy = Arc::new(AtomicBool::new(true));
    let metrics = Arc::new(Metrics::new().unwrap());
    metrics
        .requests(&["rooms"])
        .answered(0, None, None, Duration::ZERO);
    let (is_ready, is_healthy) = (ready.clone(), healthy.clone());
    let door = Door::open_for(
        |_| {},
        move || Admin {
            ready: is_ready,
            store: Arc::new(move || match is_healthy.load(Ordering::SeqCst) {
                true => Health::Ok,
                false => Health::Faulted("it lies upside down".into()),
            }),
            parts: Arc::new(|| "configuration: as it was\n".into()),
            metrics,
            graphiql: Graphiql {
                doors: Box::new(|| unreachable!("nobody opens the page here")),
                clients: Rc::new(Echo::default()),
                places: Arc::new(Semaphore::new(0)),
            },
        },
    );
    let get = |path: &str| {
        door.say(format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ))
    };
    assert!(get("/healthz").starts_with("HTTP/1.1 200 "));
    assert!(get("/readyz").starts_with("HTTP/1.1 503 "));
    ready.store(true, Ordering::SeqCst);
    assert!(get("/readyz").starts_with("HTTP/1.1 200 "));
    healthy.store(false, Ordering::SeqCst);
    assert!(get("/readyz").contains("store is faulted: it lies upside down\n"));
    assert!(get("/metrics").contains("\nsabir_requests_total{"));
    let unknown = get("/what");
    assert!(
        unknown.starts_with("HTTP/1.1 404 ") && unknown.contains("/metrics"),
        "{unknown}"
    );
    assert!(
        door.say("POST /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .starts_with("HTTP/1.1 405 ")
    );
}
