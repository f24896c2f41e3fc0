//! A listener that runs out of file descriptors waits for some, quietly, and then goes on.
//!
//! Alone in its file: the limit it sets is the whole process's.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use rlimit::Resource;
use sabir::ingress::listener::{Body, Client, Config, Handler, Request, bind, serve};
use tokio::sync::watch;
use tokio::task::LocalSet;

struct Salam;

impl Handler for Salam {
    async fn answer(&self, _: &Request, _: Body, _: &Client) -> Response<Full<Bytes>> {
        Response::new(Full::from("salam"))
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The processor time of this process so far, in hundredths of a second. From an open file: there is no other left.
fn ticks(stat: &mut File) -> u64 {
    let mut text = String::new();
    stat.rewind().unwrap();
    stat.read_to_string(&mut text).unwrap();
    let fields: Vec<_> = text.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn no_descriptor_left_means_waiting_and_not_spinning() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let connect = || {
        let mut client = TcpStream::connect(address).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        client
    };
    let (started, runs) = std::sync::mpsc::channel();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let limits = watch::Sender::new(Config::default());
    let (_stop, stopped) = watch::channel(false);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        LocalSet::new().block_on(&runtime, async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            started.send(()).unwrap();
            gone.recv().unwrap();
            serve(listener, limits.subscribe(), None, Rc::new(Salam), stopped).await;
        });
    });
    runs.recv().unwrap();
    // The kernel connects them all; the listener will have descriptors for a few only.
    let clients: Vec<_> = (0..40).map(|_| connect()).collect();
    let mut stat = File::open("/proc/self/stat").unwrap();
    let limit = descriptors() as u64 - 1 + 4;
    Resource::NOFILE.set(limit, limit).unwrap();
    go.send(()).unwrap();

    std::thread::sleep(Duration::from_millis(300));
    let before = ticks(&mut stat);
    std::thread::sleep(Duration::from_millis(1000));
    let spent = ticks(&mut stat) - before;
    assert!(spent < 30, "{spent} ticks in a second of waiting");

    let (served, waiting): (Vec<_>, Vec<_>) = clients.into_iter().partition(has_reply);
    assert!(
        !served.is_empty() && !waiting.is_empty(),
        "{} were served",
        served.len()
    );
    // Every client that goes gives back its own descriptor and the listener's.
    drop(served);
    for mut client in waiting {
        client.read_exact(&mut [0; 12]).unwrap();
    }
}

fn has_reply(client: &TcpStream) -> bool {
    client.set_nonblocking(true).unwrap();
    let replied = client.peek(&mut [0]).is_ok();
    client.set_nonblocking(false).unwrap();
    replied
}
