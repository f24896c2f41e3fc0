//! What the connections of one thread have in turn: room for bytes, and the date.
//!
//! Only who is being read or written holds room, so ten thousand connections that wait hold none. The date of replies
//! is put into words once a second.

use std::cell::{Cell, RefCell};
use std::time::{Duration, UNIX_EPOCH};

use bytes::BytesMut;
use tokio::time::Instant;

use crate::ingress::arrival;

/// Room for what comes: most requests whole, head and body.
const INBOX: usize = 8 << 10;
/// Below this, more is made.
const NARROW: usize = 2 << 10;
/// Room for a reply's head, and its body if that is small.
const OUTBOX: usize = 4 << 10;
/// What is kept for later, at most.
const KEPT: usize = 32;

#[derive(Debug, Default)]
pub struct Spare {
    inboxes: RefCell<Vec<BytesMut>>,
    outboxes: RefCell<Vec<Vec<u8>>>,
    date: Cell<Option<(Instant, [u8; 29])>>,
}

impl Spare {
    /// Makes room for more.
    pub fn lend(&self, inbox: &mut BytesMut) {
        if inbox.capacity() == 0 {
            let kept = self.inboxes.borrow_mut().pop();
            *inbox = kept.unwrap_or_else(|| BytesMut::with_capacity(INBOX));
        } else if !inbox.try_reclaim(NARROW) {
            inbox.reserve(INBOX);
        }
    }

    /// An empty inbox whose room nobody needs now.
    pub fn give_back(&self, mut inbox: BytesMut) {
        let mut inboxes = self.inboxes.borrow_mut();
        // Whoever holds on to a part of a request has its room for himself.
        if inboxes.len() < KEPT && inbox.try_reclaim(INBOX) && inbox.capacity() < 2 * INBOX {
            inboxes.push(inbox);
        }
    }

    pub fn outbox(&self) -> Vec<u8> {
        let kept = self.outboxes.borrow_mut().pop();
        kept.unwrap_or_else(|| Vec::with_capacity(OUTBOX))
    }

    pub fn outbox_back(&self, mut outbox: Vec<u8>) {
        let mut outboxes = self.outboxes.borrow_mut();
        if outboxes.len() < KEPT && outbox.capacity() <= 4 * OUTBOX {
            outbox.clear();
            outboxes.push(outbox);
        }
    }

    /// The time of day as HTTP writes it.
    pub fn date(&self, now: Instant) -> [u8; 29] {
        match self.date.get() {
            Some((until, date)) if now < until => date,
            _ => {
                let micros = u64::try_from(arrival::now().0).unwrap_or_default();
                let left = 1_000_000 - micros % 1_000_000;
                let date = in_words(micros);
                self.date
                    .set(Some((now + Duration::from_micros(left), date)));
                date
            }
        }
    }
}

fn in_words(micros: u64) -> [u8; 29] {
    let time = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_micros(micros));
    let mut date = [b' '; 29];
    let words = time.as_bytes();
    let len = words.len().min(date.len());
    date[..len].copy_from_slice(&words[..len]);
    date
}
