//! The chat service behind the proxies that `make bench` compares: it takes any POST and answers it as rooms does.
//!
//! It has to be cheaper than every proxy in front of it, so that it is never what is measured: no HTTP library, one
//! thread, one read and one write for each request. It prints its address and serves until it is killed.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

fn main() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let sent = Rc::new(Cell::new(0));
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(answer(stream, Rc::clone(&sent)));
        }
    })
}

async fn answer(mut stream: TcpStream, sent: Rc<Cell<u64>>) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    let mut filled = 0;
    loop {
        while let Some(length) = complete(&buffer[..filled]) {
            buffer.copy_within(length..filled, 0);
            filled -= length;
            sent.set(sent.get() + 1);
            stream.write_all(&reply(sent.get())).await?;
        }
        match stream.read(&mut buffer[filled..]).await? {
            0 => return Ok(()),
            read => filled += read,
        }
    }
}

/// How long the first request is, if all of it is there.
fn complete(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let named = name.eq_ignore_ascii_case("content-length");
        named.then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = head + length.unwrap_or(0);
    (buffer.len() >= whole).then_some(whole)
}

/// A message with an id that none had before.
fn reply(number: u64) -> Vec<u8> {
    let body = format!(
        r#"{{"id":"{number:020}","createdAt":1700000000000,"createdBy":"12345678-1234-1234-1234-123456789012","room":"general","text":"hello from the other side, how is it going over there?","seenBy":[]}}"#
    );
    let length = body.len();
    format!(
        "HTTP/1.1 201 Created\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: {length}\r\nvary: Accept\r\n\r\n{body}"
    )
    .into_bytes()
}
