//! HTTP/2 at the public door: a client library and curl as they are, and raw frames for what no honest client sends.
//!
//! The handler echoes, as in `wire_listener.rs`.

mod support;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use sabir::ingress::listener::{self, Body, Client, Config, Handler, bind, serve};
use sabir::tls::server::{Certificates, Files, acceptor};
use support::authority::{Authority, Secure, connect};
use tokio::sync::{Barrier, watch};
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;

/// Requests of `/together`, none of which is answered before all are there.
const TOGETHER: usize = 20;

struct Echo {
    begun: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
    together: Barrier,
}

impl Handler for Echo {
    async fn answer(
        &self,
        request: &listener::Request,
        body: Body,
        _: &Client,
    ) -> Response<Full<Bytes>> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        match request.uri.path() {
            "/together" => {
                let _ = self.together.wait().await;
            }
            "/slow" => tokio::time::sleep(Duration::from_millis(300)).await,
            "/big" => return Response::new(Full::from("z".repeat(4 << 20))),
            _ => {}
        }
        let body = match body.read(1000).await {
            Ok(body) => body,
            Err(error) => {
                let mut response = Response::new(Full::from(error.to_string()));
                *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                return response;
            }
        };
        self.finished.fetch_add(1, Ordering::SeqCst);
        let host = request.headers.text("host").unwrap();
        let mut text = format!("{} {host} {} ", request.method, request.uri.path()).into_bytes();
        text.extend_from_slice(&body);
        Response::new(Full::from(text))
    }
}

/// A listener with TLS on a thread of its own.
struct Door {
    address: SocketAddr,
    authority: Authority,
    stop: watch::Sender<bool>,
    begun: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
    folder: tempfile::TempDir,
}

impl Door {
    fn open(change: impl FnOnce(&mut Config)) -> Door {
        let mut config = Config::default();
        change(&mut config);
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        authority.write(&folder.path().join("ca.pem"));
        authority.sign("sabir.test").write(folder.path(), "door");
        let certificates = Certificates::open(&Files {
            certificate: folder.path().join("door.pem"),
            key: folder.path().join("door.key"),
        });
        let tls = acceptor(Arc::new(certificates.unwrap())).unwrap();
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let limits = watch::Sender::new(config);
        let (stop, stopped) = watch::channel(false);
        let (begun, finished) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let handler = Echo {
            begun: begun.clone(),
            finished: finished.clone(),
            together: Barrier::new(TOGETHER),
        };
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
                    Some(tls),
                    Rc::new(handler),
                    stopped,
                )
                .await;
            });
        });
        Door {
            address,
            authority,
            stop,
            begun,
            finished,
            thread: Some(thread),
            folder,
        }
    }

    async fn client(&self) -> SendRequest<Full<Bytes>> {
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let config = Arc::new(self.authority.believed(&["h2"]));
        let name = ServerName::try_from("sabir.test").unwrap();
        let stream = TlsConnector::from(config).connect(name, stream).await;
        let stream = TokioIo::new(stream.unwrap());
        let (sender, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::task::spawn_local(connection);
        sender
    }

    /// A connection that has been opened as the protocol wants it, with these settings.
    fn raw(&self, settings: &[u8]) -> Secure {
        let config = Arc::new(self.authority.believed(&["h2"]));
        let mut stream = connect(self.address, &config, "sabir.test");
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .unwrap();
        stream.write_all(&frame(4, 0, 0, settings)).unwrap();
        stream
    }

    /// Waits until so many requests are with the handler.
    async fn wait_for_begun(&self, requests: usize) {
        while self.begun.load(Ordering::SeqCst) < requests {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn join(mut self) {
        self.stop.send_replace(true);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// A block of headers, each spelled out.
fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

fn get(path: &str) -> Vec<u8> {
    let target = [(":scheme", "https"), (":authority", "a"), (":path", path)];
    block(&[&[(":method", "GET")], &target[..]].concat())
}

/// Everything that comes back until the connection ends, as frames: kind, stream, payload.
fn frames(stream: &mut Secure) -> Vec<(u8, u32, Vec<u8>)> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let mut frames = Vec::new();
    let mut rest = &bytes[..];
    while let Some((head, more)) = rest.split_at_checked(9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let number = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let length = length.min(more.len());
        frames.push((head[3], number, more[..length].to_vec()));
        rest = &more[length..];
    }
    frames
}

fn request(method: &str, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("https://sabir.test{path}"))
        .version(Version::HTTP_2)
        .body(Full::new(body.into()))
        .unwrap()
}

async fn ask(
    client: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> (u16, http::HeaderMap, String) {
    let (head, body) = client.send_request(request).await.unwrap().into_parts();
    #[expect(clippy::disallowed_methods, reason = "the test's own server sent it")]
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.into()).unwrap();
    (head.status.as_u16(), head.headers, text)
}

/// Asks until something has happened, and takes the question back.
async fn leave_when(happened: impl Future<Output = ()>, asking: impl Future) {
    tokio::select! {
        _ = asking => {}
        () = happened => {}
    }
}

/// Runs with a client's tasks on this thread.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn requests_on_one_connection_get_their_own_replies() {
    run(async {
        let door = Door::open(|_| {});
        let client = door.client().await;
        let asked = (0..3 * TOGETHER).map(|number| {
            let mut client = client.clone();
            async move {
                let path = if number % 3 == 0 { "/together" } else { "/p" };
                let text = format!("salam {number}");
                let reply = ask(&mut client, request("POST", path, text.clone())).await;
                assert_eq!(reply.0, 200);
                assert_eq!(reply.2, format!("POST sabir.test {path} {text}"));
                assert!(!reply.1.contains_key("connection"));
            }
        });
        join_all(asked).await;
        let mut client = client;
        let (status, headers, text) = ask(&mut client, request("HEAD", "/p", "")).await;
        assert_eq!((status, text.as_str()), (200, ""));
        assert_eq!(headers["content-length"], "19");
        let big = ask(&mut client, request("GET", "/big", "")).await;
        assert_eq!(big.2.len(), 4 << 20);
    });
}

#[test]
fn what_is_refused_over_http_1_is_refused_here() {
    run(async {
        let door = Door::open(|config| config.headers = 20);
        let mut client = door.client().await;
        let mut refused = async |change: &dyn Fn(&mut Request<Full<Bytes>>)| {
            let mut request = request("POST", "/p", "abc");
            change(&mut request);
            let (status, headers, text) = ask(&mut client, request).await;
            assert!(!headers.contains_key("connection"));
            (status, text)
        };
        let (status, text) = refused(&|request| {
            request.headers_mut().insert("host", "b".parse().unwrap());
        })
        .await;
        assert!(
            status == 400 && text.contains("more than one Host"),
            "{text}"
        );
        let same = |request: &mut Request<_>| {
            let host = "SABIR.test".parse().unwrap();
            request.headers_mut().insert("host", host);
        };
        assert_eq!(refused(&same).await.0, 200);
        let coded = |request: &mut Request<_>| {
            let coding = "br".parse().unwrap();
            request.headers_mut().insert("content-encoding", coding);
        };
        assert_eq!(refused(&coded).await.0, 415);
        let many = |request: &mut Request<_>| {
            for _ in 0..21 {
                request.headers_mut().append("x", "y".parse().unwrap());
            }
        };
        assert_eq!(refused(&many).await.0, 431);
        let large = |request: &mut Request<Full<Bytes>>| {
            *request.body_mut() = Full::from("x".repeat(300_000));
        };
        assert_eq!(refused(&large).await.0, 413);
        let tunnel = |request: &mut Request<Full<Bytes>>| {
            *request.method_mut() = http::Method::CONNECT;
            *request.uri_mut() = "sabir.test:443".parse().unwrap();
            *request.body_mut() = Full::default();
        };
        assert_eq!(refused(&tunnel).await.0, 501);
        assert_eq!(refused(&|_| {}).await.0, 200, "the connection goes on");
    });
}

#[test]
fn a_client_that_takes_its_request_back_does_not_stop_it() {
    run(async {
        let door = Door::open(|_| {});
        let mut client = door.client().await;
        let asking = client.send_request(request("GET", "/slow", ""));
        leave_when(door.wait_for_begun(1), asking).await;
        // Neither does one that goes altogether.
        let mut other = door.client().await;
        let asking = other.send_request(request("GET", "/slow", ""));
        leave_when(door.wait_for_begun(2), asking).await;
        drop((client, other));
        let finished = door.finished.clone();
        door.join();
        assert_eq!(
            finished.load(Ordering::SeqCst),
            2,
            "stopping waits for both"
        );
    });
}

#[test]
fn stopping_tells_the_client_and_finishes_what_has_begun() {
    run(async {
        let door = Door::open(|_| {});
        let mut client = door.client().await;
        ask(&mut client, request("GET", "/p", "")).await;
        let mut again = client.clone();
        let asking =
            tokio::task::spawn_local(
                async move { ask(&mut again, request("GET", "/slow", "")).await },
            );
        door.wait_for_begun(2).await;
        door.stop.send_replace(true);
        assert_eq!(asking.await.unwrap().0, 200);
        // The client was told to go, and has gone.
        let start = Instant::now();
        while client.ready().await.is_ok() {
            assert!(start.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::task::spawn_blocking(|| door.join()).await.unwrap();
    });
}

#[test]
fn silence_is_measured_against_what_is_waited_for() {
    let door = Door::open(|config| {
        (config.first_byte_s, config.idle_s, config.body_s) = (1, 2, 1);
    });
    let start = Instant::now();
    // No request; one request; and one whose reply is not taken, while the client is alive and well.
    let mut silent = door.raw(b"");
    let mut idle = door.raw(b"");
    idle.write_all(&frame(1, 5, 1, &get("/p"))).unwrap();
    let no_window = [0, 4, 0, 0, 0, 0];
    let mut greedy = door.raw(&no_window);
    greedy.write_all(&frame(1, 5, 1, &get("/big"))).unwrap();
    // A head that does not end is no request either.
    let mut dawdler = door.raw(b"");
    dawdler.write_all(&frame(1, 1, 1, &get("/p")[..9])).unwrap();
    for (stream, least) in [
        (&mut silent, 900),
        (&mut greedy, 900),
        (&mut dawdler, 900),
        (&mut idle, 1900),
    ] {
        let seen = frames(stream);
        let took = start.elapsed().as_millis();
        assert!((least..15_000).contains(&took), "{took} {seen:?}");
    }
}

#[test]
fn floods_end_their_connection_and_no_other() {
    let door = Door::open(|_| {});
    // The word of it may be lost, because what is still coming in is not read any more.
    let told_off = |flood: Vec<u8>| {
        let (start, mut stream) = (Instant::now(), door.raw(b""));
        let _ = stream.write_all(&flood);
        let frames = frames(&mut stream);
        let away = frames.iter().find(|(kind, ..)| *kind == 7);
        let code = away.map_or(11, |(_, _, payload)| payload[7]);
        assert_eq!(code, 11, "enhance your calm");
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "not by a limit of time"
        );
    };
    // Requests that are taken back at once, again and again.
    let rapid = (0..2000).flat_map(|number| {
        let stream = 2 * number + 1;
        let cancel = 8u32.to_be_bytes();
        [
            frame(1, 5, stream, &get("/slow")),
            frame(3, 0, stream, &cancel),
        ]
        .concat()
    });
    told_off(rapid.collect());
    // A head that never ends.
    let mut endless = frame(1, 1, 1, &get("/p"));
    let more = block(&[("x-header", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"); 100]);
    for _ in 0..200 {
        endless.extend(frame(9, 0, 1, &more));
    }
    told_off(endless);
    // More at once than there may be.
    let mut crowd = door.raw(b"");
    for number in 0..150 {
        let opened = frame(1, 5, 2 * number + 1, &get("/slow"));
        crowd.write_all(&opened).unwrap();
    }
    // The client's goodbye does not stop what has begun.
    crowd.write_all(&frame(7, 0, 0, &[0; 8])).unwrap();
    let seen = frames(&mut crowd);
    let refused = seen.iter().filter(|(kind, ..)| *kind == 3).count();
    let answered = seen.iter().filter(|(kind, ..)| *kind == 1).count();
    assert!(refused >= 50 && answered >= 50, "{refused} {answered}");
    run(async {
        let mut client = door.client().await;
        assert_eq!(ask(&mut client, request("GET", "/p", "")).await.0, 200);
    });
    let begun = door.finished.load(Ordering::SeqCst);
    assert!(begun < 500, "{begun} of 2150 requests were carried out");
}

#[test]
fn curl_speaks_both() {
    let door = Door::open(|_| {});
    let port = door.address.port();
    let ca = door.folder.path().join("ca.pem");
    for (version, told) in [("--http2", "2 200 "), ("--http1.1", "1.1 200 ")] {
        let output = Command::new("curl")
            .args(["-sS", version, "--cacert"])
            .arg(&ca)
            .args(["--resolve", &format!("sabir.test:{port}:127.0.0.1")])
            .args(["-d", "salam", "-w", "\n%{http_version} %{http_code} "])
            .arg(format!("https://sabir.test:{port}/p"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let expected = format!("POST sabir.test:{port} /p salam\n{told}");
        assert_eq!(said, expected, "{output:?}");
    }
}
