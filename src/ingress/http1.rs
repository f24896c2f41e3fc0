//! One connection of a client that speaks HTTP/1, from its first byte to its last.
//!
//! One request after another: its head is read and looked at, the handler answers, the reply is written, and the next one
//! may come. The bytes are `wire`'s; what they mean is decided in `head` and `framing`, which know no socket; how a reply
//! looks, in `reply`. Whoever keeps us waiting is let go. Before it stands the listener or the handshake, after it the
//! exchange.

pub mod framing;
pub mod head;
pub mod inbox;
mod reply;
mod socket;
pub(super) mod spare;
mod switched;
mod wire;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, Version, header};
use http_body_util::Full;
use tokio::time::Instant;
use tracing::debug;

use super::body::Source;
use super::connection::respond;
use super::floor::Seat;
use super::listener::{Client, Handler};
use super::vitals::Phase;
use crate::alarm::Alarm;
use crate::batch;
use head::{Head, Length, Misread};
use reply::{Manner, Reply};
pub(super) use socket::Socket;
pub use switched::Switched;
use wire::Came;
pub(super) use wire::Wire;

/// No dialect is known yet.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 39\r\n\
    content-type: text/plain\r\nconnection: close\r\n\r\nThe request's head did not come in time";

/// Carries one connection to its end.
pub(super) async fn converse<H: Handler>(seat: Seat<H>, socket: Socket, peer: SocketAddr) {
    let vitals = &seat.vitals;
    let wire = Wire::new(socket, Rc::clone(vitals), Rc::clone(&seat.floor.spare));
    let wire = Rc::new(RefCell::new(wire));
    let conversation = Conversation {
        seat: &seat,
        wire: &wire,
        client: Client::new(peer, vitals.presence.clone()),
    };
    let mut conversation = pin!(conversation.hold());
    let mut alarm = Alarm::default();
    let overdue = poll_fn(|cx| {
        vitals.turn();
        if let Poll::Ready(end) = conversation.as_mut().poll(cx) {
            if let Err(error) = end {
                debug!(%peer, %error, "connection ended badly");
            }
            return Poll::Ready(false);
        }
        wire.borrow_mut().look(cx);
        // Only after a poll: a request that is already in the socket is not cut off.
        ready!(seat.poll_overdue(seat.deadline(), &mut alarm, cx));
        Poll::Ready(true)
    })
    .await;
    if overdue {
        debug!(%peer, "cut off a connection that was waited for too long");
        // They come in crowds.
        seat.floor.turns.take().await;
        if vitals.phase() == Phase::Head {
            poll_fn(|cx| wire.borrow_mut().poll_say(cx, TOO_SLOW)).await;
        }
    }
}

struct Conversation<'c, H> {
    seat: &'c Seat<H>,
    wire: &'c Rc<RefCell<Wire>>,
    client: Client,
}

impl<H: Handler> Conversation<'_, H> {
    async fn hold(self) -> io::Result<()> {
        while self.turn().await? {}
        self.with_wire(Wire::poll_close).await
    }

    /// One request and its reply. True if another may follow.
    async fn turn(&self) -> io::Result<bool> {
        let terms = &self.seat.terms;
        let most = terms.head_bytes;
        let head = match self.with_wire(|wire, cx| wire.poll_head(cx, most)).await? {
            Came::Head(head) => head::read(&head, terms.headers),
            Came::Misread(misread) => Err(misread),
            Came::End(rest) if rest.is_empty() => return Ok(false),
            Came::End(rest) => match head::begins(&rest, terms.headers) {
                Ok(()) => return Ok(false),
                Err(misread) => Err(misread),
            },
        };
        self.seat.vitals.begin();
        let further = self.seat.vitals.further();
        match head {
            Ok(head) => self.exchange(head, further).await,
            Err(misread) => self.turn_away(misread).await,
        }
    }

    async fn exchange(&self, head: Head, further: bool) -> io::Result<bool> {
        let mut manner = Manner {
            old: head.request.version == Version::HTTP_10,
            to_head: head.request.method == Method::HEAD,
            keeps: false,
        };
        let source = self.source(&head);
        // A client whose request is not all here keeps no place from others, nor one that does not take its reply.
        let aside = match further && matches!(source, Source::Whole(_)) {
            true => self.seat.floor.aside().await,
            false => None,
        };
        let fit = head.length.map(|_| ());
        let (handler, terms) = (&*self.seat.floor.handler, &self.seat.terms);
        let respond = respond(handler, terms, &self.client, &head.request, source, fit);
        let (response, refused) = respond.await;
        drop(aside);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return self.switch(response, manner).await;
        }
        let ends = refused || self.seat.floor.stopping() || closes(response.headers());
        manner.keeps = head.keeps && !ends && self.is_done_with();
        self.send(response, manner).await?;
        Ok(manner.keeps)
    }

    /// Where the request's body comes from.
    fn source(&self, head: &Head) -> Source {
        let length = head.length.ok();
        match self.wire.borrow_mut().begin(length, head.asks) {
            Some(bytes) => Source::Whole(bytes),
            None => Source::Wire {
                wire: Rc::clone(self.wire),
                size: length.and_then(Length::size),
            },
        }
    }

    /// Leaves HTTP behind, and the connection to the handler.
    async fn switch(
        &self,
        mut response: Response<Full<Bytes>>,
        manner: Manner,
    ) -> io::Result<bool> {
        let extensions = std::mem::take(response.extensions_mut());
        self.send(response, manner).await?;
        self.seat.vitals.begin();
        let switched = Switched::new(Rc::clone(self.wire));
        self.seat.floor.handler.switched(extensions, switched).await;
        Ok(false)
    }

    /// Has the request been taken as a whole, so that what comes is another?
    fn is_done_with(&self) -> bool {
        Rc::strong_count(self.wire) == 1 && self.wire.borrow_mut().finish()
    }

    /// What is no request belongs to no dialect.
    async fn turn_away(&self, misread: Misread) -> io::Result<bool> {
        let mut response = Response::new(Full::default());
        *response.status_mut() = misread.status();
        self.wire.borrow_mut().begin(None, false);
        self.send(response, Manner::LAST).await?;
        Ok(false)
    }

    async fn send(&self, response: Response<Full<Bytes>>, manner: Manner) -> io::Result<()> {
        let (spare, now) = (&self.seat.floor.spare, Instant::now());
        let mut reply = Reply::new(response, manner, &spare.date(now), spare.outbox());
        batch::behind_the_ready().await;
        self.with_wire(|wire, cx| wire.poll_send(cx, &mut reply))
            .await?;
        spare.outbox_back(reply.into_room());
        self.seat.vitals.rest(now);
        Ok(())
    }

    /// Waits for the wire, which others have in between.
    async fn with_wire<T>(
        &self,
        mut poll: impl FnMut(&mut Wire, &mut Context<'_>) -> Poll<T>,
    ) -> T {
        poll_fn(|cx| poll(&mut self.wire.borrow_mut(), cx)).await
    }
}

/// Does a reply say that it is the last?
fn closes(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONNECTION).iter();
    values.any(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}
