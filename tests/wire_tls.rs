//! The public door with TLS: real handshakes, bad ones, slow ones, and a certificate that changes.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use rustls::version::TLS12;
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion};
use support::authority::{Authority, Secure, connect};
use support::running::Sabir;

const GET: &[u8] = b"GET /api/chats HTTP/1.1\r\nHost: sabir.test\r\n\r\n";

/// A Sabir with a certificate, and who believes it.
struct Door {
    sabir: Sabir,
    authority: Authority,
    folder: tempfile::TempDir,
    client: Arc<ClientConfig>,
    configuration: String,
}

impl Door {
    /// Neither idle nor slow for too long in any test that is not about that.
    fn open() -> Door {
        Door::within("first_byte_s = 60\nheader_s = 60\nidle_s = 60\n")
    }

    fn within(limits: &str) -> Door {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        authority.sign("sabir.test").write(folder.path(), "door");
        authority.write(&folder.path().join("ca.pem"));
        let path = folder.path().display();
        let configuration = format!(
            "[listen.tls]\ncertificate = \"{path}/door.pem\"\nkey = \"{path}/door.key\"\n\
             [listen.limits]\n{limits}\
             [[account]]\nname = \"bridge\"\nemail = \"bridge@example.com\"\npassword = \"p\"\n"
        );
        let sabir = Sabir::start(&configuration);
        let client = Arc::new(authority.believed(&["http/1.1"]));
        Door {
            sabir,
            authority,
            folder,
            client,
            configuration,
        }
    }

    /// The certificate that is shown now.
    fn shown(&self) -> Vec<u8> {
        let mut client = self.authority.believed(&[]);
        client.resumption = rustls::client::Resumption::disabled();
        let mut stream = connect(self.sabir.public, &Arc::new(client), "sabir.test");
        ask(&mut stream);
        stream.conn.peer_certificates().unwrap()[0].to_vec()
    }

    fn connect(&self) -> Secure {
        connect(self.sabir.public, &self.client, "sabir.test")
    }
}

/// A reply's head.
fn head(stream: &mut impl Read) -> String {
    let mut reply = Vec::new();
    let mut byte = [0];
    while !reply.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        reply.push(byte[0]);
    }
    String::from_utf8(reply).unwrap()
}

fn ask(stream: &mut Secure) -> String {
    stream.write_all(GET).unwrap();
    let head = head(stream);
    body_after(&head, stream);
    head
}

fn body_after(head: &str, stream: &mut Secure) {
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).unwrap();
}

/// What the server says until it is gone.
fn until_gone(stream: &mut impl Read) -> Vec<u8> {
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    said
}

#[test]
fn requests_are_answered_over_both_versions_and_sessions_resumed() {
    let door = Door::open();
    let mut stream = door.connect();
    for _ in 0..3 {
        assert!(ask(&mut stream).starts_with("HTTP/1.1 401 "));
    }
    let version = stream.conn.protocol_version();
    assert_eq!(version, Some(ProtocolVersion::TLSv1_3));
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    // Whichever thread gets it, it knows the session.
    for _ in 0..4 {
        let mut stream = door.connect();
        ask(&mut stream);
        assert_eq!(stream.conn.handshake_kind(), Some(HandshakeKind::Resumed));
    }
    let old = door.authority.believed_over(&[&TLS12], &[]);
    let mut stream = connect(door.sabir.public, &Arc::new(old), "sabir.test");
    assert!(ask(&mut stream).starts_with("HTTP/1.1 401 "));
    let version = stream.conn.protocol_version();
    assert_eq!(version, Some(ProtocolVersion::TLSv1_2));
}

#[test]
fn whoever_speaks_something_else_gets_no_reply() {
    let door = Door::open();
    let mut plain = TcpStream::connect(door.sabir.public).unwrap();
    plain.write_all(GET).unwrap();
    let said = until_gone(&mut plain);
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    // And without harm to others.
    let other = Arc::new(door.authority.believed(&["spdy/1"]));
    let mut stream = connect(door.sabir.public, &other, "sabir.test");
    assert!(
        stream
            .write_all(GET)
            .and_then(|()| stream.read_exact(&mut [0]))
            .is_err()
    );
    let nobody = Arc::new(Authority::new().believed(&[]));
    let mut stream = connect(door.sabir.public, &nobody, "sabir.test");
    assert!(stream.write_all(GET).is_err());
    assert!(ask(&mut door.connect()).starts_with("HTTP/1.1 401 "));
}

#[test]
fn a_handshake_is_waited_for_no_longer_than_a_first_byte() {
    let door = Door::within("first_byte_s = 1\nheader_s = 60\nidle_s = 60\n");
    let start = Instant::now();
    // Nothing; half of a hello; a whole handshake and nothing after it.
    let mut silent = TcpStream::connect(door.sabir.public).unwrap();
    let mut half = TcpStream::connect(door.sabir.public).unwrap();
    half.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
        .unwrap();
    let mut shaken = door.connect();
    shaken.conn.complete_io(&mut shaken.sock).unwrap();
    for stream in [&mut silent, &mut half, &mut shaken.sock] {
        until_gone(stream);
        let took = start.elapsed();
        // Not what a head or the next request is given.
        assert!((900..50_000).contains(&took.as_millis()), "{took:?}");
    }
}

#[test]
fn limits_hold_behind_the_handshake() {
    let door = Door::within("first_byte_s = 60\nheader_s = 1\nidle_s = 2\n");
    // In a head.
    let (mut stream, start) = (door.connect(), Instant::now());
    stream.write_all(b"GET / HT").unwrap();
    let said = String::from_utf8(until_gone(&mut stream)).unwrap();
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    let took = start.elapsed();
    assert!((900..50_000).contains(&took.as_millis()), "{took:?}");
    // Between requests.
    let (mut stream, start) = (door.connect(), Instant::now());
    ask(&mut stream);
    assert!(until_gone(&mut stream).is_empty());
    let took = start.elapsed();
    assert!((1900..50_000).contains(&took.as_millis()), "{took:?}");
    // What HTTP forbids.
    let mut stream = door.connect();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let said = until_gone(&mut stream);
    assert!(said.starts_with(b"HTTP/1.1 400 "));
}

#[test]
fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    let door = Door::open();
    let shown = || door.shown();
    let mut open = door.connect();
    ask(&mut open);
    let first = shown();
    assert_eq!(first, shown());

    // A certificate without its key, then both.
    let next = door.authority.sign("sabir.test");
    let path = door.folder.path().join("door.pem");
    std::fs::write(&path, next.certificate.pem()).unwrap();
    let why = door.sabir.reload(&door.configuration).unwrap_err();
    assert!(format!("{why:#}").contains("does not belong"), "{why:#}");
    assert_eq!(first, shown());
    ask(&mut open);
    next.write(door.folder.path(), "door");
    assert!(door.sabir.reload(&door.configuration).unwrap().is_empty());
    assert_eq!(shown(), next.certificate.der().to_vec());
    assert!(ask(&mut open).starts_with("HTTP/1.1 401 "));
}

#[test]
fn stopping_finishes_what_has_begun() {
    let mut door = Door::open();
    let mut open = door.connect();
    ask(&mut open);
    // With the answer to the first request the beginning of the next one has been read, too.
    let mut begun = door.connect();
    begun.write_all(&[GET, &GET[..20]].concat()).unwrap();
    body_after(&head(&mut begun), &mut begun);
    let stopping = std::thread::spawn(move || {
        door.sabir.stop();
        door
    });
    assert!(until_gone(&mut open).is_empty());
    begun.write_all(&GET[20..]).unwrap();
    assert!(head(&mut begun).contains("connection: close\r\n"));
    stopping.join().unwrap();
}

/// What clients of a Sabir get whose upstream is the door.
fn behind(door: &Door, host: &str, ca: &str) -> Vec<(u16, String)> {
    let (port, folder) = (door.sabir.public.port(), door.folder.path().display());
    let near = Sabir::start(&format!(
        "[upstream.far]\ndialect = \"rooms\"\nurl = \"https://{host}:{port}\"\n{}\n\
         credential = {{ email = \"bridge@example.com\", password = \"p\" }}\n\
         [[route]]\nfrom = \"*:lobby\"\nto = \"far:den\"\n\
         [[account]]\nname = \"alice\"\ntoken = \"t\"\n",
        ca.replace("{}", &folder.to_string())
    ));
    let json = ("Content-Type", "application/json");
    let alice = ("Authorization", "Bearer t");
    let text = r#"{"room":"lobby","text":"salam"}"#;
    [
        ("POST", "/chat-messages", text),
        ("GET", "/chat-messages?room=lobby", ""),
    ]
    .map(|(method, path, body)| {
        let answer = near.ask(method, path, &[json, alice], body);
        (answer.status, answer.body)
    })
    .into()
}

#[test]
fn one_sabir_reaches_another_only_if_it_believes_it() {
    let mut door = Door::open();
    door.authority
        .sign("localhost")
        .write(door.folder.path(), "door");
    door.sabir.reload(&door.configuration).unwrap();
    let ca = "ca = \"{}/ca.pem\"";
    for (host, ca) in [("localhost", ""), ("127.0.0.1", ca)] {
        let replies = behind(&door, host, ca);
        assert_eq!(replies[0].0, 503, "{replies:?}");
    }
    let replies = behind(&door, "localhost", ca);
    assert_eq!(replies[0].0, 200, "{replies:?}");
    assert_eq!(replies[1].1.matches("salam").count(), 1, "{replies:?}");
    door.sabir.stop();
}
