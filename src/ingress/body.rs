//! The body of a request, which can only be read with a limit.
//!
//! There is no way to get at the bytes but [`Body::read`], so there is no way to forget the limit or the deadline.
//! The limit holds for what is sent and for what that unpacks to. It keeps nothing: who wants the bytes twice keeps
//! them. Before it stands the listener, after it the exchange, which knows how much a request of its kind may weigh.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::coding::Coding;
use super::http1::Wire;
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

/// Where a body comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// It is here.
    Whole(Bytes),
    /// A connection of HTTP/1, and how long the body says it is.
    Wire {
        wire: Rc<RefCell<Wire>>,
        size: Option<u64>,
    },
    /// A stream of HTTP/2.
    Stream(Incoming),
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the body did not arrive in time")]
    TimedOut,
    #[error("the body broke off: {0}")]
    Broken(#[source] io::Error),
    #[error("the body is not what its Content-Encoding says")]
    Coding,
}

impl Body {
    pub(super) fn new(
        source: Source,
        coding: Option<Coding>,
        limit: usize,
        within: Duration,
    ) -> Body {
        Body {
            source,
            coding,
            limit,
            within,
        }
    }

    /// How long the body says it is; nothing for a chunked or a packed one.
    pub fn declared(&self) -> Option<u64> {
        match self.coding {
            None => self.source.size(),
            Some(_) => None,
        }
    }

    /// Did all of it come with its head?
    pub fn is_here(&self) -> bool {
        matches!(self.source, Source::Whole(_))
    }

    /// The whole body, if it is no larger than `cap` and comes in time.
    pub async fn read(self, cap: usize) -> Result<Bytes, BodyError> {
        let limit = cap.min(self.limit);
        let sent = self.source.size();
        if sent.is_some_and(|size| size > limit as u64) {
            return Err(BodyError::TooLarge { limit });
        }
        let packed = match self.source {
            Source::Whole(bytes) => bytes,
            source => gather(source, limit, self.within).await?,
        };
        match self.coding {
            None => Ok(packed),
            Some(coding) => coding.unpack(&packed, limit),
        }
    }
}

impl Source {
    /// How many bytes there are to come, if that is known.
    fn size(&self) -> Option<u64> {
        match self {
            Source::Whole(bytes) => Some(bytes.len() as u64),
            Source::Wire { size, .. } => *size,
            Source::Stream(incoming) => incoming.size_hint().exact(),
        }
    }

    /// The next piece; nothing at the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        match self {
            Source::Whole(bytes) => Poll::Ready(Ok(match std::mem::take(bytes) {
                bytes if bytes.is_empty() => None,
                bytes => Some(bytes),
            })),
            Source::Wire { wire, .. } => wire.borrow_mut().poll_piece(cx),
            Source::Stream(incoming) => poll_frames(incoming, cx),
        }
    }
}

fn poll_frames(incoming: &mut Incoming, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
    while !incoming.is_end_stream() {
        match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
            None => break,
            Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
            // Trailers say nothing that a dialect knows.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => return Poll::Ready(Ok(Some(data))),
                Err(_) => continue,
            },
        }
    }
    Poll::Ready(Ok(None))
}

/// The whole body, as it was sent.
async fn gather(mut source: Source, limit: usize, within: Duration) -> Result<Bytes, BodyError> {
    let mut gathered = Gathered::new(limit);
    let mut waiting: Option<(Alarm, Instant)> = None;
    poll_fn(|cx| {
        if let Poll::Ready(end) = gathered.poll(&mut source, cx) {
            return Poll::Ready(end);
        }
        // The rest of a body is mostly here before it is asked for: the clock is read only when it is not.
        let (alarm, deadline) =
            waiting.get_or_insert_with(|| (Alarm::default(), Instant::now() + within));
        ready!(alarm.poll_due(cx, *deadline));
        Poll::Ready(Err(BodyError::TimedOut))
    })
    .await?;
    Ok(gathered.finish())
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

    fn poll(&mut self, source: &mut Source, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        while let Some(piece) = ready!(source.poll_piece(cx)).map_err(BodyError::Broken)? {
            self.add(piece)?;
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
