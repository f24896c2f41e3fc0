//! A client's socket, or the TLS on it.
//!
//! Which of them it is matters to nobody behind it. The listener makes the one, the handshake the other; the wire reads
//! and writes it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

#[derive(Debug)]
pub enum Socket {
    Plain(TcpStream),
    /// In a box, so that those without pay nothing for it.
    Secure(Box<TlsStream<TcpStream>>),
}

impl Socket {
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Socket::Plain(tcp) => tcp,
            Socket::Secure(tls) => tls.get_ref().0,
        }
    }
}

/// The same call on whichever it is.
macro_rules! on {
    ($socket:ident.$call:ident($($with:expr),*)) => {
        match $socket.get_mut() {
            Socket::Plain(tcp) => Pin::new(tcp).$call($($with),*),
            Socket::Secure(tls) => Pin::new(tls.as_mut()).$call($($with),*),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on!(self.poll_read(cx, room))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        on!(self.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on!(self.poll_write_vectored(cx, pieces))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on!(self.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on!(self.poll_shutdown(cx))
    }
}
