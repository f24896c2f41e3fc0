//! Our half of HTTP/1 beside hyper's: the same bytes to both, and the same requests out of both.
//!
//! An input of the corpus says by its name what is expected: `same`, `refused` by both, or `stricter`, refused by us
//! alone. Why we are stricter: half of a line's end (LF without CR), a fragment, an authority or `*` as a target where it
//! has no meaning, more than one way to tell a body's end, and what has no place in a chunk's line are read by some as
//! one thing and by others as another; hosts, codings, expectations and tunnels are screened after hyper. Inputs that are
//! made here are read alike; and those with a byte changed are never read by us as something that hyper does not read.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;
use sabir::ingress::listener::{Body, Client, Config, Handler, Request, bind, serve};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::timeout;

/// What came back for a stream of bytes.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// The requests that were answered, as they were understood.
    read: Vec<String>,
    /// Then something was refused, and told so.
    refused: bool,
}

fn words(head: &Request, body: &[u8]) -> String {
    let (mut words, mut fields) = (format!("{} {}", head.method, head.uri), Vec::new());
    for (name, value) in head.headers.iter() {
        let field = format!(" {}={}", name.to_lowercase(), value.escape_ascii());
        // hyper leaves out what says the same once more.
        if name.to_lowercase() != "content-length" || !fields.contains(&field) {
            fields.push(field);
        }
    }
    // hyper puts those of one name together.
    fields.sort_by_key(|field| field.split('=').next().map(str::to_owned));
    words += &fields.concat();
    format!("{words} {}", body.escape_ascii())
}

fn answer(head: &Request, body: Result<Bytes, impl std::fmt::Display>) -> Response<Full<Bytes>> {
    match body {
        Ok(body) => Response::new(Full::from(words(head, &body))),
        Err(error) => {
            let mut response = Response::new(Full::from(error.to_string()));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    }
}

struct Ours;

impl Handler for Ours {
    async fn answer(&self, request: &Request, body: Body, _: &Client) -> Response<Full<Bytes>> {
        answer(request, body.read(1 << 20).await)
    }
}

#[expect(clippy::disallowed_methods, reason = "limited, and in a test")]
async fn theirs(request: http::Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, 1 << 20).collect().await;
    Ok(answer(&(&head).into(), body.map(|body| body.to_bytes())))
}

/// Sends the bytes, cut after `cuts`, and gathers what comes back.
async fn say(stream: impl AsyncRead + AsyncWrite, bytes: &[u8], cuts: &[usize]) -> Seen {
    let (mut read, mut write) = tokio::io::split(stream);
    let send = async {
        let mut begin = 0;
        for end in cuts.iter().copied().chain([bytes.len()]) {
            if write.write_all(&bytes[begin..end]).await.is_err() {
                return;
            }
            begin = end;
            for _ in 0..8 {
                yield_now().await;
            }
        }
        let _ = write.shutdown().await;
    };
    let mut replies = Vec::new();
    let (_, end) = tokio::join!(send, read.read_to_end(&mut replies));
    end.unwrap();
    seen(&String::from_utf8(replies).unwrap())
}

fn seen(mut replies: &str) -> Seen {
    let (mut read, mut refused) = (Vec::new(), false);
    while let Some((head, rest)) = replies.split_once("\r\n\r\n") {
        assert!(!refused, "a reply after a refusal: {replies}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        match head.split(' ').nth(1).unwrap() {
            "100" => {}
            "200" => read.push(rest[..length].to_owned()),
            _ => refused = true,
        }
        replies = &rest[length..];
    }
    assert_eq!(replies, "");
    Seen { read, refused }
}

/// What ours and hyper's make of it.
async fn both(address: SocketAddr, bytes: &[u8], cuts: &[usize]) -> (Seen, Seen) {
    let ours = async {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        say(stream, bytes, cuts).await
    };
    let (near, far) = duplex(1 << 20);
    spawn_local(async move {
        let mut builder = http1::Builder::new();
        builder.max_header_size(16 << 10).max_headers(64);
        builder.max_buf_size(64 << 10).half_close(true);
        let io = TokioIo::new(far);
        let _ = builder.serve_connection(io, service_fn(theirs)).await;
    });
    let both = async { tokio::join!(ours, say(near, bytes, cuts)) };
    let limit = Duration::from_secs(20);
    let seen = timeout(limit, both).await;
    seen.unwrap_or_else(|_| panic!("no end: {}", bytes.escape_ascii()))
}

/// Runs a test against a door that is open meanwhile.
fn with_door(test: impl AsyncFnOnce(SocketAddr)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let (stop, stopped) = watch::channel(false);
        let door = spawn_local(async move {
            let (_limits, limits) = watch::channel(Config::default());
            serve(listener, limits, None, Rc::new(Ours), stopped).await;
        });
        test(address).await;
        stop.send_replace(true);
        door.await.unwrap();
    });
}

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/stream");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut inputs: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

/// Holds what the input's name says.
fn judge(name: &str, ours: &Seen, theirs: &Seen) -> Result<(), String> {
    let prefix = theirs.read.starts_with(&ours.read);
    let fits = match name.split('-').next().unwrap() {
        "same" => ours == theirs && !ours.refused,
        // hyper hangs up on some without a word.
        "refused" => ours.read == theirs.read && ours.refused,
        "stricter" => prefix && ours.refused && ours.read.len() < theirs.read.len(),
        // Ours may be stricter here; what hyper refuses in words, ours does too.
        "changed" => prefix && (ours.refused || !theirs.refused),
        kind => panic!("{kind} is no kind of input"),
    };
    match fits {
        true => Ok(()),
        false => Err(format!("{name}:\nours:  {ours:?}\nhyper: {theirs:?}")),
    }
}

#[test]
fn the_corpus_is_read_as_hyper_reads_it_or_more_strictly() {
    with_door(async |address| {
        let mut wrong = Vec::new();
        for (name, bytes) in corpus() {
            let (ours, theirs) = both(address, &bytes, &[]).await;
            wrong.extend(judge(&name, &ours, &theirs).err());
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn it_does_not_matter_where_the_bytes_are_cut() {
    with_door(async |address| {
        for (name, bytes) in corpus() {
            let most = bytes.len().min(300);
            let whole = both(address, &bytes, &[]).await;
            let cut = (1..most).map(async |cut| both(address, &bytes, &[cut]).await);
            for (ours, _) in join_all(cut).await {
                assert_eq!(ours, whole.0, "{name}");
            }
        }
    });
}

/// One request that is as it should be.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let methods = select(vec![
        "GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "x-Y",
    ]);
    let targets = select(vec!["/", "/a?b=c", "/%41/b//c", "http://b/c?d", "/a;b=c,d"]);
    let field = select(vec![
        "A: b",
        "a:b",
        "Accept: */*",
        "X-Y:  z\t",
        "Cookie: a=\"b\"; c",
        "Connection: keep-alive",
        "Connection: close",
        "Connection: x, y",
        "Upgrade: z",
        "TE: trailers",
        "Expect: 100-Continue",
    ]);
    let fields = prop::collection::vec(field, 0..5);
    let empty = select(vec!["", "", "", "\r\n", "\r\n\r\n"]);
    let old = prop::bool::weighted(0.1);
    (empty, methods, targets, old, fields, body()).prop_map(
        |(empty, method, target, old, fields, (framing, body))| {
            let mut head = format!("{empty}{method} {target} HTTP/1.{}\r\n", u8::from(!old));
            head += "Host: a\r\n";
            for field in fields {
                head += &format!("{field}\r\n");
            }
            // Chunks are younger.
            let (framing, body) = match old {
                true => (String::new(), Vec::new()),
                false => (framing, body),
            };
            [head.as_bytes(), framing.as_bytes(), b"\r\n", &body].concat()
        },
    )
}

/// A body, and the field that tells its end.
fn body() -> impl Strategy<Value = (String, Vec<u8>)> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let extension = select(vec!["", "", ";a", ";a=b", " ; a=\"b c\""]);
    let trailers = select(vec!["", "", "A: b\r\n", "A:\r\nContent-Length: 4\r\n"]);
    let chunks = prop::collection::vec((bytes(), extension), 0..4);
    prop_oneof![
        Just((String::new(), Vec::new())),
        (bytes(), 0..3_usize).prop_map(|(body, zeros)| {
            let field = format!("Content-Length: {}{}\r\n", "0".repeat(zeros), body.len());
            (field, body)
        }),
        (bytes()).prop_map(|body| {
            let field = format!("content-length:{}\r\n", body.len());
            (field.repeat(2), body)
        }),
        (chunks, trailers).prop_map(|(chunks, trailers)| {
            let mut body = Vec::new();
            for (bytes, extension) in chunks.iter().filter(|(bytes, _)| !bytes.is_empty()) {
                body.extend_from_slice(format!("{:x}{extension}\r\n", bytes.len()).as_bytes());
                body.extend_from_slice(bytes);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
            ("Transfer-Encoding: chunked\r\n".to_owned(), body)
        }),
    ]
}

/// Requests one behind another, and where their bytes are cut.
fn stream() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let requests = prop::collection::vec(request(), 1..4);
    let cuts = prop::collection::vec(any::<Index>(), 0..6);
    (requests, cuts).prop_map(|(requests, cuts)| {
        let bytes = requests.concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        (bytes, cuts)
    })
}

/// Inputs for each case that proptest would draw; each takes less than a millisecond.
const MANY: u32 = 8;

/// Draws inputs, and holds for each what inputs of its kind hold.
fn draw<T: std::fmt::Debug>(
    kind: &str,
    strategy: impl Strategy<Value = T>,
    bytes: impl Fn(&T) -> (Vec<u8>, Vec<usize>),
) {
    use proptest::test_runner::{Config, RngSeed, TestRunner};
    with_door(async |address| {
        let mut runner = TestRunner::new(Config {
            // The same ones each time: a difference that is found becomes a file of the corpus, and is not met by chance.
            rng_seed: RngSeed::Fixed(9112),
            ..Config::default()
        });
        for _ in 0..MANY * runner.config().cases {
            let input = strategy.new_tree(&mut runner).unwrap().current();
            let (bytes, cuts) = bytes(&input);
            let (ours, theirs) = both(address, &bytes, &cuts).await;
            if let Err(why) = judge(kind, &ours, &theirs) {
                panic!("{}\n{why}", bytes.escape_ascii());
            }
        }
    });
}

#[test]
fn what_is_as_it_should_be_is_read_alike() {
    draw("same", stream(), Clone::clone);
}

#[test]
fn what_was_changed_is_never_read_as_something_else() {
    let odd = b"\r\n\0 \t:;,=0139aAfF+-#/*\x7f\x80\xff".to_vec();
    let changes = (0..3_u8, any::<Index>(), select(odd));
    let strategy = (stream(), prop::collection::vec(changes, 1..3));
    draw("changed", strategy, |((bytes, cuts), changes)| {
        let mut bytes = bytes.clone();
        for (change, at, byte) in changes {
            let at = at.index(bytes.len());
            match change {
                0 => bytes[at] = *byte,
                1 => bytes.insert(at, *byte),
                _ => drop(bytes.remove(at)),
            }
        }
        let most = bytes.len();
        (bytes, cuts.iter().map(|cut| *cut.min(&most)).collect())
    });
}
