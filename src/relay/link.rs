//! One connection to an upstream, driven by whoever has a request on it.
//!
//! Writing and reading are polled together by the request's own task: no task per connection, no channel, and one system
//! call each for a small request and its reply. A link has no memory of its own; requests and replies under way borrow
//! theirs from [`Buffers`], so an idle connection holds a socket and little else. A link that is dropped in the middle
//! of an exchange closes its socket. It retries nothing, and what is a reply is decided by `reply`.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::reply::{Reader, Reply};
use super::stream::Stream;
use super::upstream::{Failure, NotSent, Unknown};
use crate::alarm::Alarm;

/// Room that is made for a read, and left for the next one.
const READ_BYTES: usize = 8 << 10;
const ROOM_BYTES: usize = 2 << 10;
/// Idle for longer than this, a connection is looked at once more before it is trusted: one system call, where there
/// is time for it.
const FRESH: Duration = Duration::from_millis(100);

/// Why an exchange on a link gave no reply.
pub(super) enum Lost {
    /// Not a byte of the request has left, and the link is of no use.
    Unsent,
    Failed(Failure),
}

/// A connection.
pub(super) struct Link {
    stream: Stream,
    alarm: Alarm,
    parked: Instant,
}

impl Link {
    pub fn new(stream: Stream, now: Instant) -> Link {
        Link {
            stream,
            alarm: Alarm::default(),
            parked: now,
        }
    }

    /// Sends the request and gathers the reply; tells too whether the link is good for another.
    pub async fn exchange(
        &mut self,
        request: Vec<u8>,
        reader: Reader<'_>,
        buffers: &Buffers,
        deadline: Instant,
    ) -> Result<(Reply, bool), Lost> {
        let mut exchange = Exchange {
            request,
            written: 0,
            sent: false,
            writing: Writing::Request,
            reader,
            reply: Vec::new(),
            buffers,
        };
        poll_fn(|cx| {
            if let Poll::Ready(end) = exchange.poll(&mut self.stream, cx) {
                return Poll::Ready(end);
            }
            ready!(self.alarm.poll_due(cx, deadline));
            Poll::Ready(Err(Lost::Failed(match exchange.sent {
                true => Unknown::TimedOut.into(),
                false => NotSent::NoTime.into(),
            })))
        })
        .await?;
        let whole = matches!(exchange.writing, Writing::Done);
        let (reply, another) = exchange.reader.finish(exchange.reply);
        Ok((reply, another && whole))
    }

    /// The link is idle from now on.
    pub fn park(&mut self, now: Instant) {
        self.parked = now;
    }

    /// May the parked link still be used?
    pub fn usable(&mut self, now: Instant, idle: Duration) -> bool {
        let age = now.saturating_duration_since(self.parked);
        age < idle && self.quiet() && (age < FRESH || self.silent())
    }

    /// Has it been idle for so long?
    pub fn is_old(&self, now: Instant, idle: Duration) -> bool {
        now.saturating_duration_since(self.parked) >= idle
    }

    /// As far as the runtime knows, neither closed nor speaking out of turn. The waker does nothing: the task that was
    /// here last shall not be woken for what comes now.
    fn quiet(&mut self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.stream)
            .poll_read(&mut cx, &mut ReadBuf::uninit(&mut byte))
            .is_pending()
    }

    /// The same, as far as the kernel knows.
    fn silent(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = socket2::SockRef::from(self.stream.socket()).peek(&mut byte);
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// A request and its reply, under way.
struct Exchange<'e> {
    request: Vec<u8>,
    written: usize,
    /// Has the kernel, or TLS before it, taken a byte? This alone decides whether the request may have been received.
    sent: bool,
    writing: Writing,
    reader: Reader<'e>,
    /// What was received so far; without room as long as that is nothing.
    reply: Vec<u8>,
    buffers: &'e Buffers,
}

enum Writing {
    Request,
    Flush,
    Done,
    /// That is told only where no reply comes: one that refuses the request may have come before.
    Failed(io::Error),
}

impl Exchange<'_> {
    fn poll(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        if let Poll::Ready(Err(error)) = self.poll_write(stream, cx) {
            if !self.sent {
                return Poll::Ready(Err(Lost::Unsent));
            }
            self.writing = Writing::Failed(error);
        }
        loop {
            let read = ready!(self.poll_read(stream, cx));
            // A reply to nothing: whoever closes or speaks now has not seen the request.
            if !self.sent {
                return Poll::Ready(Err(Lost::Unsent));
            }
            let complete = match read {
                Ok(0) if self.reader.ends_here() => Ok(true),
                Ok(0) => Err(self.broken(Unknown::Closed)),
                Ok(_) => self.reader.read(&mut self.reply),
                Err(error) => Err(self.broken(Unknown::Broken(error))),
            };
            match complete {
                Ok(false) => {}
                Ok(true) => return Poll::Ready(Ok(())),
                Err(unknown) => return Poll::Ready(Err(Lost::Failed(unknown.into()))),
            }
        }
    }

    fn poll_write(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = Pin::new(stream);
        while let Writing::Request = self.writing {
            let rest = &self.request[self.written..];
            match ready!(stream.as_mut().poll_write(cx, rest)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(taken) => {
                    self.sent = true;
                    self.written += taken;
                }
                Err(error) => {
                    self.sent |= stream.fails_late();
                    return Poll::Ready(Err(error));
                }
            }
            if self.written == self.request.len() {
                self.buffers.keep(std::mem::take(&mut self.request));
                self.writing = Writing::Flush;
            }
        }
        if let Writing::Flush = self.writing {
            ready!(stream.poll_flush(cx))?;
            self.writing = Writing::Done;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.reply.capacity() == 0 {
            self.reply = self.buffers.take();
        }
        if self.reply.capacity() - self.reply.len() < ROOM_BYTES {
            self.reply.reserve(READ_BYTES);
        }
        let read = pin!(stream.read_buf(&mut self.reply)).poll(cx);
        if read.is_pending() && self.reply.is_empty() {
            // Whoever only waits holds no memory.
            self.buffers.keep(std::mem::take(&mut self.reply));
        }
        read
    }

    /// Why the exchange broke: by what was seen first.
    fn broken(&mut self, otherwise: Unknown) -> Unknown {
        match std::mem::replace(&mut self.writing, Writing::Done) {
            Writing::Failed(error) => Unknown::Broken(error),
            _ => otherwise,
        }
    }
}

/// Memory for what is under way on one thread's links: a few pieces that are not too large, used again and again.
#[derive(Default)]
pub(super) struct Buffers(RefCell<Vec<Vec<u8>>>);

impl Buffers {
    const PIECES: usize = 32;
    const PIECE_BYTES: usize = 64 << 10;

    pub fn take(&self) -> Vec<u8> {
        let kept = self.0.borrow_mut().pop();
        kept.unwrap_or_else(|| Vec::with_capacity(READ_BYTES))
    }

    pub fn keep(&self, mut buffer: Vec<u8>) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < Buffers::PIECES && buffer.capacity() <= Buffers::PIECE_BYTES {
            buffer.clear();
            kept.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_link_holds_no_buffer_and_a_thread_few() {
        assert!(size_of::<Link>() <= 128, "{}", size_of::<Link>());
        let buffers = Buffers::default();
        buffers.keep(vec![0; Buffers::PIECE_BYTES + 1]);
        assert_eq!(buffers.take().capacity(), READ_BYTES);
        for _ in 0..2 * Buffers::PIECES {
            buffers.keep(vec![0; READ_BYTES]);
        }
        assert_eq!(buffers.0.borrow().len(), Buffers::PIECES);
        assert!(buffers.take().is_empty());
    }
}
