//! What is being waited for on a connection of HTTP/1, since when, and for how long that may be.
//!
//! Silence is measured against what is waited for: a head that has begun has another limit than the next request. The
//! conversation says where it stands, the connection's task looks at the deadline; both run on one thread.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::Presence;

/// How long a client that was told of the end may go on sending.
const LINGER: Duration = Duration::from_secs(2);

/// What is being waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The client, to begin its first request; a handshake comes before that.
    First,
    /// The client, to begin another request.
    Idle,
    /// The client, to finish the head of a request.
    Head,
    /// Ourselves. The handler and the body have deadlines of their own.
    Busy,
    /// The client, to take more of its reply.
    Sending,
    /// The client, to stop sending what nobody reads.
    Lingering,
}

/// How long each of them may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub first: Duration,
    pub idle: Duration,
    pub head: Duration,
    pub sending: Duration,
}

#[derive(Debug)]
pub(super) struct Vitals {
    born: Instant,
    phase: Cell<Phase>,
    since: Cell<Instant>,
    dismissed: Cell<bool>,
    /// It has asked for something.
    asked: Cell<bool>,
    /// A request has begun or ended since the task had its turn.
    had: Cell<bool>,
    pub presence: Presence,
}

impl Vitals {
    pub fn new() -> Rc<Vitals> {
        let born = Instant::now();
        Rc::new(Vitals {
            born,
            phase: Cell::new(Phase::First),
            since: Cell::new(born),
            dismissed: Cell::new(false),
            asked: Cell::new(false),
            had: Cell::new(false),
            presence: Presence::new(),
        })
    }

    pub fn born(&self) -> Instant {
        self.born
    }

    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
    }

    /// A request's head is complete. What is waited for now has no deadline here, so the clock is not read.
    pub fn begin(&self) {
        self.phase.set(Phase::Busy);
        self.dismissed.set(false);
        self.asked.set(true);
    }

    /// The request is answered.
    pub fn end(&self) {
        self.rest(Instant::now());
    }

    /// The same, for who has looked at the clock: `now` is when the reply was written, unless the client has held it up since.
    pub fn rest(&self, now: Instant) {
        self.had.set(true);
        self.phase.set(Phase::Idle);
        self.since.set(now.max(self.since.get()));
    }

    /// The connection's task has its turn.
    pub fn turn(&self) {
        self.had.set(false);
    }

    /// Did the request that begins come before its client saw the reply to another one?
    pub fn further(&self) -> bool {
        self.had.replace(true)
    }

    /// Has the client not begun a request?
    pub fn idle(&self) -> bool {
        matches!(self.phase(), Phase::First | Phase::Idle)
    }

    /// Since when the client is being waited for, unless it was told to go; those who have asked nothing yet come first.
    pub fn waited_for(&self) -> Option<(bool, Instant)> {
        let waits = self.phase() != Phase::Busy && !self.dismissed();
        waits.then(|| (self.asked.get(), self.since.get()))
    }

    /// The place is needed. If the client has not moved when the task has its turn, it has to go.
    pub fn dismiss(&self) {
        self.dismissed.set(true);
    }

    pub fn dismissed(&self) -> bool {
        self.dismissed.get()
    }

    /// When the connection has been waited for long enough.
    pub fn deadline(&self, patience: &Patience) -> Option<Instant> {
        let allowed = match self.phase() {
            Phase::Busy => return None,
            Phase::First => patience.first,
            Phase::Idle => patience.idle,
            Phase::Head => patience.head,
            Phase::Sending => patience.sending,
            Phase::Lingering => LINGER,
        };
        Some(self.since.get() + allowed)
    }
}
