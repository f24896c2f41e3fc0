//! The body of a request, which can only be read with a limit.
//!
//! There is no way to get at the bytes but [`Body::read`], so there is no way to forget the limit or the deadline.
//! The limit holds for what is sent and for what that unpacks to. It keeps nothing: who wants the bytes twice keeps
//! them. Before it stands the listener, after it the exchange, which knows how much a request of its kind may weigh.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::coding::Coding;
use crate::alarm::Alarm;

/// A request's body, unread.
#[derive(Debug)]
pub struct Body {
    source: Source,
    coding: Option<Coding>,
    /// The listener's own limit, which a caller may lower and cannot raise.
    limit: usize,
    within: Duration,
}

#[derive(Debug)]
enum Source {
    Wire(Incoming),
    Held(Bytes),
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the body did not arrive in time")]
    TimedOut,
    #[error("the body broke off: {0}")]
    Broken(#[source] hyper::Error),
    #[error("the body is not what its Content-Encoding says")]
    Coding,
}

impl Body {
    pub(super) fn new(
        incoming: Incoming,
        coding: Option<Coding>,
        limit: usize,
        within: Duration,
    ) -> Body {
        Body {
            source: Source::Wire(incoming),
            coding,
            limit,
            within,
        }
    }

    /// A body that is already here, for callers that are not connections.
    pub fn held(bytes: impl Into<Bytes>) -> Body {
        Body {
            source: Source::Held(bytes.into()),
            coding: None,
            limit: usize::MAX,
            within: Duration::ZERO,
        }
    }

    /// How long the body says it is; nothing for a chunked or a packed one.
    pub fn declared(&self) -> Option<u64> {
        match self.coding {
            None => self.on_the_wire(),
            Some(_) => None,
        }
    }

    fn on_the_wire(&self) -> Option<u64> {
        match &self.source {
            Source::Wire(incoming) => incoming.size_hint().exact(),
            Source::Held(bytes) => Some(bytes.len() as u64),
        }
    }

    /// The whole body, if it is no larger than `cap` and comes in time.
    pub async fn read(self, cap: usize) -> Result<Bytes, BodyError> {
        let limit = cap.min(self.limit);
        let sent = self.on_the_wire();
        if sent.is_some_and(|length| length > limit as u64) {
            return Err(BodyError::TooLarge { limit });
        }
        let mut incoming = match self.source {
            Source::Held(bytes) => return Ok(bytes),
            Source::Wire(incoming) => incoming,
        };
        let mut gathered = Gathered::new(limit);
        let mut waiting: Option<(Alarm, Instant)> = None;
        poll_fn(|cx| {
            if let Poll::Ready(end) = gathered.poll(&mut incoming, cx) {
                return Poll::Ready(end);
            }
            // A small body is mostly here before it is asked for: the clock is read only when it is not.
            let (alarm, deadline) =
                waiting.get_or_insert_with(|| (Alarm::default(), Instant::now() + self.within));
            ready!(alarm.poll_due(cx, *deadline));
            Poll::Ready(Err(BodyError::TimedOut))
        })
        .await?;
        match self.coding {
            None => Ok(gathered.finish()),
            Some(coding) => coding.unpack(&gathered.finish(), limit),
        }
    }
}

/// The pieces so far. One piece alone, the usual case, is handed on without a copy.
struct Gathered {
    limit: usize,
    first: Bytes,
    more: BytesMut,
}

impl Gathered {
    fn new(limit: usize) -> Gathered {
        Gathered {
            limit,
            first: Bytes::new(),
            more: BytesMut::new(),
        }
    }

    fn poll(&mut self, body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        while !body.is_end_stream() {
            match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                None => break,
                Some(Err(error)) => return Poll::Ready(Err(BodyError::Broken(error))),
                // Trailers say nothing that a dialect knows.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.add(data)?,
                    Err(_) => continue,
                },
            }
        }
        Poll::Ready(Ok(()))
    }

    fn add(&mut self, data: Bytes) -> Result<(), BodyError> {
        if self.first.len() + self.more.len() + data.len() > self.limit {
            return Err(BodyError::TooLarge { limit: self.limit });
        }
        if self.first.is_empty() && self.more.is_empty() {
            self.first = data;
        } else {
            self.more
                .extend_from_slice(&std::mem::take(&mut self.first));
            self.more.extend_from_slice(&data);
        }
        Ok(())
    }

    fn finish(self) -> Bytes {
        if self.more.is_empty() {
            self.first
        } else {
            self.more.freeze()
        }
    }
}
