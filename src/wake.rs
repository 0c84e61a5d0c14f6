//! Waiting for a change without ever losing a wake-up.
//!
//! A thing that others wait for has a [`Signal`], and rings it after each change. Waiting is done with
//! a [`Ticket`], which is taken *before* the thing is looked at: a change between that look and the
//! moment when the waiter listens rings the ticket all the same. A [`Bell`] carries what rang to an
//! event loop.

mod bell;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

pub use self::bell::Bell;

/// Rings the tickets that were taken of it.
#[derive(Debug, Clone, Default)]
pub struct Signal(Arc<Notify>);

impl Signal {
    /// Rings every ticket taken so far. Call it after the change, not before.
    pub fn ring(&self) {
        self.0.notify_waiters();
    }

    /// A ticket that the next [`Signal::ring`] rings. Take it before you look at what you wait for.
    pub fn ticket(&self) -> Ticket {
        Ticket(Some(Box::pin(Arc::clone(&self.0).notified_owned())))
    }
}

/// The right to be woken by one change.
#[derive(Debug)]
#[must_use = "a ticket that nobody listens to wakes nobody"]
pub struct Ticket(Option<Pin<Box<OwnedNotified>>>);

impl PartialEq for Ticket {
    /// A ticket is equal to itself alone.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Ticket {
    /// A ticket that has rung already: look again at once.
    pub fn rung() -> Self {
        Self(None)
    }

    /// Has `waker` woken when the ticket rings. Returns whether it has rung already.
    pub fn poll(&mut self, waker: &Waker) -> bool {
        let Some(notified) = &mut self.0 else {
            return true;
        };
        let rung = notified.as_mut().poll(&mut Context::from_waker(waker));
        if rung == Poll::Ready(()) {
            self.0 = None;
        }
        self.0.is_none()
    }

    /// Blocks until it rings, or `most` is over. Returns whether it has rung.
    #[must_use]
    pub fn wait(mut self, most: Duration) -> bool {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let until = Instant::now() + most;
        while !self.poll(&waker) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::park_timeout(left);
        }
        true
    }

    /// Whether it has rung.
    #[must_use]
    pub fn has_rung(&mut self) -> bool {
        self.poll(Waker::noop())
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_before_anybody_listens_is_not_lost() {
        let signal = Signal::default();
        let mut before = signal.ticket();
        assert!(!before.has_rung());
        let mut unpolled = signal.ticket();
        signal.ring();
        assert!(before.has_rung() && unpolled.has_rung());
        assert!(before.has_rung(), "it stays rung");
        assert!(
            !signal.ticket().has_rung(),
            "the next one waits for the next ring"
        );
        assert!(Ticket::rung().has_rung());
    }

    #[test]
    fn a_thread_waits_until_it_rings_and_no_longer_than_it_wants() {
        let signal = Signal::default();
        assert!(!signal.ticket().wait(Duration::from_millis(1)));
        let ticket = signal.ticket();
        let ringing = thread::spawn({
            let signal = signal.clone();
            move || signal.ring()
        });
        assert!(ticket.wait(Duration::from_secs(20)));
        ringing.join().unwrap();
    }

    #[test]
    fn clones_of_a_signal_are_one() {
        let signal = Signal::default();
        let mut ticket = signal.clone().ticket();
        signal.ring();
        assert!(ticket.has_rung());
    }
}
