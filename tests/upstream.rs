//! The upstream client against peers that follow a script, byte for byte.
//!
//! What counts is the class of every ending: a request of which nothing left must be `NotSent`, anything else must
//! never be, and only a complete reply is a reply.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response};
use sabir::relay::upstream::{BadBase, Client, Config, Failure, NotSent, Unknown};
use support::call;
use tokio::time::Instant;

const REPLY: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{\"id\":\"42\"}\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n6\r\n:\"42\"}\r\n0\r\n\r\n";

/// Longer than any answer takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a thread. The script gets every connection with its number.
struct Peer {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    /// Connections whose script is over, and which are closed.
    closed: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    fn new(script: impl Fn(usize, &mut Line) + Send + Sync + 'static) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = Peer {
            address: listener.local_addr().unwrap(),
            accepted: Arc::default(),
            closed: Arc::default(),
            requests: Arc::default(),
        };
        let (accepted, requests) = (peer.accepted.clone(), peer.requests.clone());
        let closed = peer.closed.clone();
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                let mut line = Line {
                    stream: stream.unwrap(),
                    requests: requests.clone(),
                };
                let (script, closed) = (script.clone(), closed.clone());
                std::thread::spawn(move || {
                    script(number, &mut line);
                    drop(line);
                    closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        peer
    }

    fn client(&self) -> Client {
        self.client_with(|_| {})
    }

    fn client_with(&self, change: impl FnOnce(&mut Config)) -> Client {
        let mut config = Config::new(format!("http://{}/api/", self.address).parse().unwrap());
        change(&mut config);
        Client::new(config).unwrap()
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until so many connections are closed, and lets the runtime do nothing meanwhile.
    fn wait_for_closed(&self, connections: usize) {
        let start = Instant::now();
        while self.closed.load(Ordering::SeqCst) < connections {
            assert!(start.elapsed() < PATIENCE, "never closed");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

struct Line {
    stream: TcpStream,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Line {
    /// One request, or nothing at the end of the connection.
    fn read(&mut self) -> Option<String> {
        let mut request = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&request).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    self.requests.lock().unwrap().push(text.clone());
                    return Some(text);
                }
            }
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(read) => request.extend_from_slice(&piece[..read]),
            }
        }
    }

    fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    fn reset(&mut self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

fn post() -> Request<Bytes> {
    Request::post("/chat-messages?a=b%20c")
        .header("content-type", "application/json")
        .body(Bytes::from_static(b"{\"text\":\"salam\"}"))
        .unwrap()
}

async fn call(client: &Client) -> Result<Response<Bytes>, Failure> {
    call::call(client, &post(), Instant::now() + PATIENCE).await
}

async fn call_within(client: &Client, ms: u64) -> Result<Response<Bytes>, Failure> {
    let deadline = Instant::now() + Duration::from_millis(ms);
    call::call(client, &post(), deadline).await
}

fn serve_all(_: usize, line: &mut Line) {
    while line.read().is_some() && line.write(REPLY) {}
}

/// A test's end, and what a script waits with until then.
fn ended() -> (Arc<()>, impl Fn() + Send + Sync + 'static) {
    let over = Arc::new(());
    let seen = Arc::downgrade(&over);
    (over, move || {
        while seen.strong_count() > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    })
}

fn is_unknown(result: &Result<Response<Bytes>, Failure>) -> bool {
    matches!(result, Err(Failure::Unknown(_)))
}

#[tokio::test]
async fn a_request_is_written_as_given_below_the_base() {
    let peer = Peer::new(serve_all);
    let reply = call(&peer.client()).await.unwrap();
    assert_eq!(reply.body(), &"{\"id\":\"42\"}\r\n");
    assert_eq!(reply.headers()["content-type"], "application/json");
    let expected = format!(
        "POST /api/chat-messages?a=b%20c HTTP/1.1\r\ncontent-type: application/json\r\nhost: {}\r\n\
         content-length: 16\r\n\r\n{{\"text\":\"salam\"}}",
        peer.address
    );
    assert_eq!(peer.requests(), [expected]);
}

#[tokio::test]
async fn an_empty_post_says_that_it_is_empty() {
    let peer = Peer::new(serve_all);
    let request = Request::post("/x").body(Bytes::new()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let client = peer.client();
    call::call(&client, &request, deadline).await.unwrap();
    assert!(
        peer.requests()[0].contains("content-length: 0\r\n"),
        "{:?}",
        peer.requests()
    );
}

#[test]
fn a_base_that_cannot_be_called_is_refused_when_the_client_is_made() {
    let client = |base: &str| Client::new(Config::new(base.parse().unwrap())).err();
    assert!(matches!(
        client("https://a.example"),
        Some(BadBase::Trust(_))
    ));
    assert!(matches!(
        client("ftp://a.example"),
        Some(BadBase::Scheme(_))
    ));
    assert!(matches!(client("/path"), Some(BadBase::Scheme(_))));
    assert!(matches!(
        client("http://u:p@a.example"),
        Some(BadBase::Host(_))
    ));
    assert!(matches!(
        client("http://a.example/?b=c"),
        Some(BadBase::Query(_))
    ));
    assert!(client("http://[::1]:8080/a/").is_none());
}

#[tokio::test]
async fn a_refused_port_and_an_unknown_host_are_not_sent() {
    // Bound and not listening: nobody else gets the port.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
        .unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap();
    let client = Client::new(Config::new(format!("http://{port}").parse().unwrap())).unwrap();
    assert!(matches!(
        call(&client).await,
        Err(Failure::NotSent(NotSent::Connect(_)))
    ));
    let client = Client::new(Config::new("http://nowhere.invalid".parse().unwrap())).unwrap();
    let result = call(&client).await;
    assert!(matches!(result, Err(Failure::NotSent(_))), "{result:?}");
}

#[tokio::test]
async fn a_full_backlog_is_a_connect_timeout_and_not_sent() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let fill = || TcpStream::connect_timeout(&address, Duration::from_millis(100));
    let _filled: Vec<_> = std::iter::repeat_with(fill)
        .take_while(Result::is_ok)
        .collect();
    let mut config = Config::new(format!("http://{address}").parse().unwrap());
    config.connect_ms = 50;
    let client = Client::new(config).unwrap();
    let result = call(&client).await;
    assert!(
        matches!(result, Err(Failure::NotSent(NotSent::ConnectTimedOut(_)))),
        "{result:?}"
    );
}

#[tokio::test]
async fn no_time_left_is_not_sent() {
    let peer = Peer::new(serve_all);
    let result = call_within(&peer.client(), 0).await;
    assert!(
        matches!(result, Err(Failure::NotSent(NotSent::NoTime))),
        "{result:?}"
    );
}

#[tokio::test]
async fn eof_and_reset_before_a_reply_are_unknown() {
    let peer = Peer::new(|_, line| {
        line.read();
    });
    let result = call(&peer.client()).await;
    assert!(
        matches!(result, Err(Failure::Unknown(Unknown::Closed))),
        "{result:?}"
    );
    let peer = Peer::new(|_, line| {
        line.read();
        line.reset();
    });
    let result = call(&peer.client()).await;
    assert!(is_unknown(&result), "{result:?}");
}

#[tokio::test]
async fn a_reply_cut_at_any_byte_is_never_a_reply() {
    for reply in [REPLY, CHUNKED] {
        // Also reset instead of closed: the kernel may then drop even what was written.
        for reset in [false, true] {
            let peer = Peer::new(move |number, line| {
                line.read();
                line.write(&reply[..number]);
                if reset {
                    std::thread::sleep(Duration::from_millis(2));
                    line.reset();
                }
            });
            let client = peer.client();
            for cut in 0..reply.len() {
                let result = call(&client).await;
                assert!(is_unknown(&result), "{cut} {reset} {result:?}");
            }
            let result = call(&client).await;
            assert!(reset || result.is_ok(), "{result:?}");
        }
    }
}

#[tokio::test]
async fn a_reply_in_pieces_is_the_same_reply() {
    for reply in [REPLY, CHUNKED] {
        let peer = Peer::new(move |_, line| {
            line.stream.set_nodelay(true).unwrap();
            line.read();
            for byte in reply.bytes() {
                line.write([byte]);
                std::thread::sleep(Duration::from_micros(300));
            }
            line.read();
        });
        let reply = call(&peer.client()).await.unwrap();
        assert!(reply.body().starts_with(b"{\"id\":\"42\"}"));
    }
}

#[tokio::test]
async fn a_server_that_stops_reading_anywhere_leaves_it_unknown() {
    let whole = {
        let peer = Peer::new(serve_all);
        call(&peer.client()).await.unwrap();
        peer.requests()[0].len()
    };
    let peer = Peer::new(|number, line| {
        let mut piece = vec![0; number];
        let _ = line.stream.read_exact(&mut piece);
    });
    let client = peer.client();
    for cut in 0..whole {
        match call(&client).await {
            Err(Failure::Unknown(_)) => {}
            // It closed before a byte was written, and that was seen in time.
            Err(Failure::NotSent(NotSent::Closed)) if cut == 0 => {}
            other => panic!("{cut} {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_large_request_that_is_not_taken_is_unknown() {
    let (over, wait) = ended();
    let peer = Peer::new(move |_, _| wait());
    let body = Bytes::from(vec![b'x'; 16 << 20]);
    let request = Request::post("/").body(body).unwrap();
    let deadline = Instant::now() + Duration::from_secs(1);
    let result = call::call(&peer.client(), &request, deadline).await;
    assert!(
        matches!(result, Err(Failure::Unknown(Unknown::TimedOut))),
        "{result:?}"
    );
    drop(over);
}

#[tokio::test]
async fn a_refusal_before_the_request_was_read_is_a_reply() {
    // What is not read would make the kernel reset the connection, if it were closed before the reply is seen.
    let (over, wait) = ended();
    let peer = Peer::new(move |_, line| {
        line.stream.read_exact(&mut [0; 16]).unwrap();
        line.write(
            "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno",
        );
        wait();
    });
    let body = Bytes::from(vec![b'x'; 16 << 20]);
    let request = Request::post("/").body(body).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let reply = call::call(&peer.client(), &request, deadline)
        .await
        .unwrap();
    drop(over);
    assert_eq!(
        (reply.status().as_u16(), reply.body().as_ref()),
        (413, &b"no"[..])
    );
}

#[tokio::test]
async fn silence_is_unknown_at_the_deadline() {
    let silences = [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab",
    ];
    let met = silences.map(async |said| {
        let peer = Peer::new(move |_, line| {
            line.read();
            line.write(said);
            line.read();
        });
        let start = Instant::now();
        // The peer stays for ever: nothing but the deadline ends it.
        let result = call_within(&peer.client(), 1000).await;
        assert!(
            matches!(result, Err(Failure::Unknown(Unknown::TimedOut))),
            "{result:?}"
        );
        assert!(start.elapsed() >= Duration::from_millis(1000));
    });
    join_all(met).await;
}

#[tokio::test]
async fn an_html_page_with_200_passes_as_it_is() {
    let peer = Peer::new(|_, line| {
        line.read();
        line.write("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<h1>It works</h1>");
    });
    let reply = call(&peer.client()).await.unwrap();
    assert_eq!(reply.headers()["content-type"], "text/html");
    assert_eq!(reply.body(), &"<h1>It works</h1>");
}

#[tokio::test]
async fn what_is_not_http_is_unknown() {
    for said in [
        "\x16\x03\x01\x00\x00",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    ] {
        let peer = Peer::new(move |_, line| {
            line.read();
            line.write(said);
            line.read();
        });
        let result = call(&peer.client()).await;
        assert!(
            matches!(result, Err(Failure::Unknown(ref why)) if !matches!(why, Unknown::TimedOut)),
            "{said:?} {result:?}"
        );
    }
}

#[tokio::test]
async fn heads_and_bodies_without_end_are_bounded() {
    for (head, more) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "x".repeat(4096)),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            format!("1000\r\n{}\r\n", "x".repeat(4096)),
        ),
        (
            "HTTP/1.1 200 OK\r\n",
            format!("a: {}\r\n", "x".repeat(1000)),
        ),
        ("HTTP/1.1 200 OK\r\n", "a: b\r\n".into()),
        ("", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(50)),
    ] {
        let written = Arc::new(AtomicUsize::new(0));
        let count = written.clone();
        let shape = more.clone();
        let peer = Peer::new(move |_, line| {
            line.read();
            line.write(head);
            while line.write(&more) {
                count.fetch_add(more.len(), Ordering::SeqCst);
            }
        });
        let client = peer.client_with(|config| config.reply_bytes = 1 << 20);
        let result = call_within(&client, 10_000).await;
        assert!(
            matches!(result, Err(Failure::Unknown(ref why)) if !matches!(why, Unknown::TimedOut)),
            "{head:?} {:?} {result:?}",
            &shape[..20]
        );
        // The rest fits into the sockets' buffers.
        assert!(written.load(Ordering::SeqCst) < 16 << 20);
    }
    let peer = Peer::new(|_, line| {
        line.read();
        line.write("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n");
        line.read();
    });
    let result = call(&peer.client()).await;
    assert!(
        matches!(result, Err(Failure::Unknown(Unknown::TooLarge { .. }))),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_large_reply_after_a_hint_is_whole() {
    let peer = Peer::new(|_, line| {
        while line.read().is_some() {
            let body = "y".repeat(6 << 20);
            line.write(format!("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        }
    });
    let client = peer.client();
    for _ in 0..4 {
        assert_eq!(call(&client).await.unwrap().body().len(), 6 << 20);
    }
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn a_connection_is_used_again_unless_the_reply_closes_it() {
    let peer = Peer::new(serve_all);
    let client = peer.client();
    for _ in 0..50 {
        call(&client).await.unwrap();
    }
    assert_eq!((peer.accepted(), peer.requests().len()), (1, 50));

    let peer = Peer::new(|_, line| {
        while line.read().is_some() {
            line.write(REPLY.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
        }
    });
    let client = peer.client();
    for _ in 0..3 {
        call(&client).await.unwrap();
    }
    assert_eq!(peer.accepted(), 3);
}

#[tokio::test]
async fn a_connection_that_idled_too_long_is_not_used() {
    let peer = Peer::new(serve_all);
    let client = peer.client_with(|config| config.pool_idle_ms = 30);
    call(&client).await.unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    call(&client).await.unwrap();
    assert_eq!(peer.accepted(), 2);
}

#[tokio::test]
async fn stale_connections_are_replaced_and_the_request_is_seen_once() {
    // The second script speaks out of turn before it goes.
    for (noticed, farewell) in [
        (false, ""),
        (false, "HTTP/1.1 408 Timeout\r\n\r\n"),
        (true, ""),
        (true, "x"),
    ] {
        let peer = Peer::new(move |number, line| {
            if number < 3 {
                line.read();
                line.write(REPLY);
                line.write(farewell);
            } else {
                serve_all(number, line);
            }
        });
        let client = peer.client();
        // Three at once, so that three lie in the pool.
        for result in join_all((0..3).map(|_| call(&client))).await {
            result.unwrap();
        }
        // The thread does not sleep meanwhile: as in a program that runs, the close is heard of.
        while peer.closed.load(Ordering::SeqCst) < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if noticed {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        call(&client).await.unwrap();
        assert_eq!(peer.requests().len(), 4, "{noticed} {farewell:?}");
    }
}

#[tokio::test]
async fn a_connection_closed_in_the_last_instant_is_looked_at_first() {
    // The runtime has had no chance to notice: the thread sleeps.
    let peer = Peer::new(|number, line| {
        if number == 0 {
            line.read();
            line.write(REPLY);
        } else {
            serve_all(number, line);
        }
    });
    let client = peer.client();
    call(&client).await.unwrap();
    peer.wait_for_closed(1);
    // Longer than a connection is trusted without a look.
    std::thread::sleep(Duration::from_millis(150));
    call(&client).await.unwrap();
    assert_eq!((peer.accepted(), peer.requests().len()), (2, 2));
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_its_connection_with_it() {
    let peer = Peer::new(|number, line| {
        while line.read().is_some() {
            if number > 0 {
                line.write(REPLY);
            }
        }
    });
    let client = peer.client();
    let begun = async {
        while peer.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        early = call(&client) => panic!("nobody answers: {early:?}"),
        () = begun => {}
    }
    call(&client).await.unwrap();
    call(&client).await.unwrap();
    assert_eq!(peer.accepted(), 2);
}

#[tokio::test]
async fn calls_at_once_get_their_own_replies() {
    let peer = Peer::new(|_, line| {
        while let Some(request) = line.read() {
            let body = request.rsplit("\r\n\r\n").next().unwrap().to_owned();
            std::thread::sleep(Duration::from_millis(body.len() as u64 % 7));
            line.write(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
    });
    let client = peer.client_with(|config| config.pool_size = 8);
    for round in 0..5 {
        let calls = (0..40).map(|number| {
            let body = format!("{round}-{}", "n".repeat(number + 1));
            let request = Request::post("/").body(Bytes::from(body.clone())).unwrap();
            let client = &client;
            async move {
                let deadline = Instant::now() + PATIENCE;
                let reply = call::call(client, &request, deadline).await.unwrap();
                (reply.into_body(), body)
            }
        });
        for (reply, body) in join_all(calls).await {
            assert_eq!(reply, body);
        }
    }
    assert!(peer.accepted() <= 40 + 4 * 32, "{}", peer.accepted());
}

#[tokio::test]
async fn what_stands_behind_a_reply_answers_nobody() {
    let poison = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\npoisoned";
    for reply in [REPLY, CHUNKED, "HTTP/1.1 204 No Content\r\n\r\n"] {
        let peer = Peer::new(move |_, line| {
            while line.read().is_some() {
                line.write(format!("{reply}{poison}"));
            }
        });
        let client = peer.client();
        for calls in 1..4 {
            let reply = call(&client).await.unwrap();
            assert!(!reply.body().starts_with(b"poisoned"));
            assert_eq!(peer.accepted(), calls);
        }
    }
}

#[tokio::test]
async fn a_refusal_is_heard_even_from_who_hangs_up_on_the_request() {
    let peer = Peer::new(|_, line| {
        line.stream.read_exact(&mut [0; 16]).unwrap();
        line.write("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\n\r\nno");
        // Closed with bytes unread: the kernel resets the connection, and further writes fail.
    });
    let client = peer.client();
    for calls in 1..20 {
        let body = Bytes::from(vec![b'x'; 16 << 20]);
        let request = Request::post("/").body(body).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        let reply = call::call(&client, &request, deadline).await.unwrap();
        assert_eq!((reply.status().as_u16(), peer.accepted()), (413, calls));
    }
}

#[tokio::test]
async fn a_peer_that_answers_while_it_is_written_to_holds_nobody_up() {
    const BYTES: usize = 6 << 20;
    let peer = Peer::new(|_, line| {
        // It reads no more than it has written: whoever writes all first waits for ever.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if line.stream.read_exact(&mut byte).is_err() {
                return;
            }
            head.push(byte[0]);
        }
        line.write(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {BYTES}\r\n\r\n"
        ));
        let mut piece = vec![0; 64 << 10];
        for _ in 0..BYTES / piece.len() {
            line.stream.read_exact(&mut piece).unwrap();
            line.write(&piece);
        }
        serve_all(0, line);
    });
    let client = peer.client();
    let body = Bytes::from((0..BYTES).map(|at| (at >> 8) as u8).collect::<Vec<_>>());
    let request = Request::post("/").body(body.clone()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let reply = call::call(&client, &request, deadline).await.unwrap();
    assert!(reply.body() == &body);
    call(&client).await.unwrap();
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn a_reply_without_a_body_leaves_the_connection_for_the_next() {
    let peer = Peer::new(|_, line| {
        while let Some(request) = line.read() {
            line.write(match request.split_once(' ').unwrap().0 {
                "HEAD" => "HTTP/1.1 200 OK\r\ncontent-length: 700\r\n\r\n",
                "GET" => "HTTP/1.1 304 Not Modified\r\ncontent-length: 700\r\n\r\n",
                _ => "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            });
        }
    });
    let client = peer.client();
    for (method, status) in [("HEAD", 200), ("GET", 304), ("DELETE", 204), ("HEAD", 200)] {
        let request = Request::builder().method(method).uri("/");
        let request = request.body(Bytes::new()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(2);
        let reply = call::call(&client, &request, deadline).await.unwrap();
        assert_eq!(
            (reply.status().as_u16(), reply.body().len()),
            (status, 0),
            "{method}"
        );
    }
    assert_eq!(peer.accepted(), 1);
    assert!(!peer.requests()[1].contains("content-length"));
}
