//! One connection's bytes: what came and was not taken yet, and what goes out.
//!
//! The conversation and the body that its handler reads share it; they run in one task and never at the same time. Room
//! for bytes is borrowed from the thread, so that a connection that waits holds none. Whenever the client is waited
//! for, the vitals are told.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, Interest, ReadBuf, Ready};

use super::framing::Found;
use super::head::{Length, Misread};
use super::inbox::Inbox;
use super::reply::Reply;
use super::socket::Socket;
use super::spare::Spare;
use crate::ingress::vitals::{Phase, Vitals};

/// How much of what a refused client is still sending is read away, so that it sees the answer and not a reset.
const LINGER_BYTES: usize = 8 << 20;
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

#[derive(Debug)]
pub struct Wire {
    socket: Socket,
    vitals: Rc<Vitals>,
    spare: Rc<Spare>,
    inbox: Inbox,
    /// The client waits to be asked for its body.
    asks: bool,
    /// Our last word was said, and so much was read away since.
    closed: Option<usize>,
}

/// What came of waiting for a head.
#[derive(Debug)]
pub enum Came {
    Head(Bytes),
    Misread(Misread),
    /// The client has no more to say; this much of a head it had.
    End(Bytes),
}

impl Wire {
    pub fn new(socket: Socket, vitals: Rc<Vitals>, spare: Rc<Spare>) -> Wire {
        Wire {
            socket,
            vitals,
            spare,
            inbox: Inbox::default(),
            asks: false,
            closed: None,
        }
    }

    pub fn poll_head(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<Came>> {
        loop {
            match self.inbox.head(most) {
                Ok(None) => {}
                Ok(Some(head)) => return Poll::Ready(Ok(Came::Head(head))),
                Err(misread) => return Poll::Ready(Ok(Came::Misread(misread))),
            }
            if !self.inbox.bytes.is_empty() && self.vitals.idle() {
                self.vitals.enter(Phase::Head);
            }
            if ready!(self.poll_fill(cx))? == 0 {
                let rest = std::mem::take(&mut self.inbox.bytes);
                return Poll::Ready(Ok(Came::End(rest.freeze())));
            }
        }
    }

    /// A request begins. If its whole body is here, this is it.
    pub fn begin(&mut self, length: Option<Length>, asks: bool) -> Option<Bytes> {
        self.asks = asks;
        self.inbox.begin(length)
    }

    /// See [`Inbox::finish`].
    pub fn finish(&mut self) -> bool {
        self.inbox.finish()
    }

    /// The next piece of the body; nothing at its end.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            match self.inbox.piece() {
                Ok(Found::Piece(piece)) => return Poll::Ready(Ok(Some(piece))),
                Ok(Found::End) => return Poll::Ready(Ok(None)),
                Ok(Found::Short) => {}
                Err(error) => {
                    let error = io::Error::new(io::ErrorKind::InvalidData, error);
                    return Poll::Ready(Err(error));
                }
            }
            if self.asks {
                ready!(self.poll_ask(cx))?;
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    fn poll_ask(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = Pin::new(&mut self.socket);
        // There is room for it, or the client has left its last replies where they are.
        if ready!(socket.poll_write(cx, CONTINUE))? < CONTINUE.len() {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.asks = false;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let bytes = &mut self.inbox.bytes;
        self.spare.lend(bytes);
        let read = pin!(self.socket.read_buf(bytes)).poll_unpin(cx);
        if bytes.is_empty() {
            self.spare.give_back(std::mem::take(bytes));
        }
        read
    }

    pub fn poll_send(&mut self, cx: &mut Context<'_>, reply: &mut Reply) -> Poll<io::Result<()>> {
        while !reply.is_sent() {
            let socket = Pin::new(&mut self.socket);
            let written = match reply.rest() {
                (head, []) => socket.poll_write(cx, head),
                (head, body) => {
                    socket.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)])
                }
            };
            self.sending(written.is_pending());
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => reply.sent(written),
            }
        }
        // What TLS has taken is not gone yet.
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        self.sending(flushed.is_pending());
        flushed
    }

    fn sending(&self, pending: bool) {
        match (self.vitals.phase() == Phase::Sending, pending) {
            (false, true) => self.vitals.enter(Phase::Sending),
            (true, false) => self.vitals.enter(Phase::Busy),
            _ => {}
        }
    }

    /// Reads what comes behind the last request, whatever it is.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = &mut self.inbox.bytes;
        if bytes.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, room);
        }
        let here = bytes.len().min(room.remaining());
        room.put_slice(&bytes.split_to(here));
        Poll::Ready(Ok(()))
    }

    pub fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Says a last word, as far as there is room for it.
    pub fn poll_say(&mut self, cx: &mut Context<'_>, words: &[u8]) -> Poll<()> {
        // Nothing stands before it between requests, so all of it goes or the client is beyond telling.
        let _ = Pin::new(&mut self.socket).poll_write(cx, words);
        let _ = Pin::new(&mut self.socket).poll_flush(cx);
        Poll::Ready(())
    }

    /// Notices when the client leaves, as long as somebody wants to know. Who only shuts its sending side looks the same
    /// as who is gone; it is answered, but what has not begun does not begin.
    pub fn look(&mut self, cx: &mut Context<'_>) {
        if !self.vitals.presence.is_watched() {
            return;
        }
        let (mut byte, tcp) = ([0], self.socket.tcp());
        let gone = match tcp.poll_peek(cx, &mut ReadBuf::new(&mut byte)) {
            Poll::Pending => false,
            // Its next request, or the farewell of TLS: what stands behind that shows in the socket's state alone.
            Poll::Ready(Ok(1..)) => {
                let state = tcp.ready(Interest::READABLE).now_or_never();
                state.is_some_and(|state| state.is_ok_and(Ready::is_read_closed))
            }
            Poll::Ready(Ok(0) | Err(_)) => true,
        };
        if gone {
            self.vitals.presence.leave();
        }
    }

    /// Says that this is all, and waits until a client that is still sending has seen it.
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed.is_none() {
            if self.vitals.phase() != Phase::Lingering {
                self.vitals.enter(Phase::Lingering);
            }
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
            self.closed = Some(0);
        }
        // A client that asked and was answered has nothing on the way.
        if self.inbox.is_quiet() {
            return Poll::Ready(Ok(()));
        }
        self.poll_linger(cx)
    }

    /// Reads away what still comes. To close a socket with bytes unread resets it, and the reset overtakes the reply.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut waste = [0; 4096];
        while self.closed.is_some_and(|read| read < LINGER_BYTES) {
            let mut room = ReadBuf::new(&mut waste);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut room))?;
            match room.filled().len() {
                0 => break,
                read => self.closed = self.closed.map(|before| before + read),
            }
        }
        Poll::Ready(Ok(()))
    }
}
