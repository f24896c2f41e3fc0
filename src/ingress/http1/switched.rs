//! A connection that has left HTTP behind: its bytes, beginning with those that had come already.
//!
//! It knows no other protocol: who speaks one gets it from the conversation, and says when it ends by letting go of it.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::wire::Wire;

/// What [`Handler::switched`](crate::ingress::listener::Handler::switched) goes on with.
#[derive(Debug)]
pub struct Switched(Rc<RefCell<Wire>>);

impl Switched {
    pub(super) fn new(wire: Rc<RefCell<Wire>>) -> Switched {
        Switched(wire)
    }
}

impl AsyncRead for Switched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_read(cx, room)
    }
}

impl AsyncWrite for Switched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.0.borrow_mut().socket()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.borrow_mut().socket()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.borrow_mut().socket()).poll_shutdown(cx)
    }
}
