//! The connections of one listener: their number, their terms, whose turn it is, and when they have to go.
//!
//! Whoever asks one thing at a time is served in the order of arrival. Who has more to do in the same breath (another
//! request that came with the first, an end after a wait) lets everybody else go first. When there is no place for a
//! connection, the one that has kept us waiting the longest gives up its own. Before it stands the listener, after it
//! each connection.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::server::conn::http2;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

use super::http1::spare::Spare;
use super::http2::{Here, builder};
use super::listener::Config;
use super::turn::Turns;
use super::vitals::{Patience, Vitals};
use crate::alarm::Alarm;

/// How soon it is looked again for somebody to let go, when nobody was and nobody left.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Let go at once, so that each that comes does not cost a look at all: this part of them, and never more than so many.
const PART: usize = 64;
const MOST: usize = 64;
/// Requests at once that were sent before the reply to another one.
const PIPELINED: usize = 4;

/// What a connection may do, as it was when it came.
pub(super) struct Terms {
    pub http2: http2::Builder<Here>,
    pub patience: Patience,
    pub head_bytes: usize,
    pub headers: usize,
    pub body_bytes: usize,
    pub body_within: Duration,
}

impl Terms {
    pub fn new(config: &Config) -> Terms {
        Terms {
            http2: builder(config),
            patience: Patience {
                first: Duration::from_secs(config.first_byte_s),
                idle: Duration::from_secs(config.idle_s),
                head: Duration::from_secs(config.header_s),
                sending: Duration::from_secs(config.body_s),
            },
            head_bytes: config.head_bytes,
            headers: config.headers,
            body_bytes: config.body_bytes,
            body_within: Duration::from_secs(config.body_s),
        }
    }
}

/// The connections of one listener.
pub(super) struct Floor<H> {
    pub handler: Rc<H>,
    pub spare: Rc<Spare>,
    pub turns: Turns,
    terms: RefCell<Rc<Terms>>,
    connections: Cell<usize>,
    open: RefCell<HashMap<u64, Guest>>,
    seated: Cell<u64>,
    /// Requests that go on even if their connection is gone.
    begun: Cell<usize>,
    left: Notify,
    until: Cell<Option<Until>>,
    pipelined: Semaphore,
}

/// An open connection, seen from outside.
struct Guest {
    vitals: Rc<Vitals>,
    /// Its task, to be woken when it is to look whether it has to go.
    task: Waker,
}

/// When a listener that stops is done with its connections.
#[derive(Clone, Copy)]
struct Until {
    stop: Instant,
    /// With those that wait between requests.
    idle: Instant,
    /// With the last.
    last: Instant,
}

impl<H> Floor<H> {
    pub fn new(config: &Config, handler: Rc<H>) -> Floor<H> {
        Floor {
            handler,
            spare: Rc::default(),
            turns: Turns::new(),
            terms: RefCell::new(Rc::new(Terms::new(config))),
            connections: Cell::new(config.connections),
            open: RefCell::default(),
            seated: Cell::new(0),
            begun: Cell::new(0),
            left: Notify::new(),
            until: Cell::new(None),
            pipelined: Semaphore::new(PIPELINED),
        }
    }

    /// Other limits, for those who come from now on.
    pub fn turn_to(&self, config: &Config) {
        *self.terms.borrow_mut() = Rc::new(Terms::new(config));
        self.connections.set(config.connections);
    }

    pub fn seat(self: &Rc<Self>) -> Seat<H> {
        let id = self.seated.get();
        self.seated.set(id + 1);
        let vitals = Vitals::new();
        let guest = Guest {
            vitals: Rc::clone(&vitals),
            task: Waker::noop().clone(),
        };
        self.open.borrow_mut().insert(id, guest);
        Seat {
            floor: Rc::clone(self),
            terms: self.terms.borrow().clone(),
            vitals,
            id,
        }
    }

    /// Waits until there is room for one more.
    pub async fn room(&self) {
        while self.open.borrow().len() >= self.connections.get() {
            self.dismiss();
            let _ = timeout(LOOK_AGAIN, self.left.notified()).await;
        }
    }

    /// Asks those to go that have kept us waiting the longest; first those that have never yet asked for anything.
    fn dismiss(&self) {
        let open = self.open.borrow();
        let mut waiting: Vec<_> = open
            .values()
            .filter_map(|guest| Some((guest.vitals.waited_for()?, guest)))
            .collect();
        let some = (open.len() / PART).clamp(1, MOST).min(waiting.len());
        if some < waiting.len() {
            waiting.select_nth_unstable_by_key(some, |(since, _)| *since);
        }
        for (_, guest) in &waiting[..some] {
            guest.vitals.dismiss();
            guest.task.wake_by_ref();
        }
    }

    /// A place for a request that was sent, as a whole, before the reply to another one. It is given back when the
    /// request is answered: what stands behind us has one queue for all.
    pub async fn aside(&self) -> Option<SemaphorePermit<'_>> {
        let place = self.pipelined.acquire().await.ok();
        self.turns.take().await;
        place
    }

    pub fn stop(&self, config: &Config) {
        let now = Instant::now();
        self.until.set(Some(Until {
            stop: now,
            idle: now + Duration::from_secs(config.drain_idle_s),
            last: now + Duration::from_secs(config.drain_s),
        }));
        let open = self.open.borrow();
        open.values().for_each(|guest| guest.task.wake_by_ref());
    }

    pub fn stopping(&self) -> bool {
        self.until.get().is_some()
    }

    /// Waits for the last connection, and for what was begun on one. Each connection ends by itself, at the latest
    /// when the time to drain is over.
    pub async fn empty(&self) {
        while !self.open.borrow().is_empty() {
            self.left.notified().await;
        }
        let until = self
            .until
            .get()
            .map_or_else(Instant::now, |until| until.last);
        let done = async {
            while self.begun.get() > 0 {
                self.left.notified().await;
            }
        };
        let _ = timeout_at(until, done).await;
    }

    /// A request that is carried out to its end, whoever leaves.
    pub fn begin(self: &Rc<Self>) -> Begun<H> {
        self.begun.set(self.begun.get() + 1);
        Begun(Rc::clone(self))
    }
}

/// A connection's place on the floor, given up when its task ends in whatever way.
pub(super) struct Seat<H> {
    pub floor: Rc<Floor<H>>,
    pub terms: Rc<Terms>,
    pub vitals: Rc<Vitals>,
    id: u64,
}

impl<H> Seat<H> {
    /// The task that waits for this is woken when it may have to go.
    pub async fn take(&self) {
        let task = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        if let Some(guest) = self.floor.open.borrow_mut().get_mut(&self.id) {
            guest.task = task;
        }
    }

    /// Ready when the client has been waited for long enough, or until this moment at most.
    pub fn poll_overdue(
        &self,
        deadline: Option<Instant>,
        alarm: &mut Alarm,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.vitals.dismissed() {
            return Poll::Ready(());
        }
        let last = self.floor.until.get().map(|until| until.last);
        match deadline.into_iter().chain(last).min() {
            Some(deadline) => alarm.poll_due(cx, deadline),
            None => Poll::Pending,
        }
    }

    /// Until when the client is waited for; once stopping, its next request too. Whoever came since then has the time
    /// that everybody has.
    pub fn deadline(&self) -> Option<Instant> {
        let deadline = self.vitals.deadline(&self.terms.patience);
        let last_call = self.floor.until.get().and_then(|until| {
            (self.vitals.idle() && self.vitals.born() <= until.stop).then_some(until.idle)
        });
        deadline.into_iter().chain(last_call).min()
    }
}

impl<H> Drop for Seat<H> {
    fn drop(&mut self) {
        self.floor.open.borrow_mut().remove(&self.id);
        self.floor.left.notify_one();
    }
}

pub(super) struct Begun<H>(Rc<Floor<H>>);

impl<H> Drop for Begun<H> {
    fn drop(&mut self) {
        self.0.begun.set(self.0.begun.get() - 1);
        self.0.left.notify_one();
    }
}
