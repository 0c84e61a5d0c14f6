//! Tickets on an event loop: what rings, in whatever thread, makes one descriptor readable.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Wake, Waker};

use parking_lot::Mutex;

use super::Ticket;

/// Tells one event loop which tickets have rung. Ringing never waits, and takes no lock of Python's.
#[derive(Debug)]
pub struct Bell {
    rung: Mutex<Vec<u64>>,
    next: AtomicU64,
    /// Readable while there is something in `rung`.
    readable: UnixStream,
    other_end: UnixStream,
}

struct Rope {
    bell: Arc<Bell>,
    number: u64,
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.bell.ring(self.number);
    }
}

impl Bell {
    /// A bell that nobody listens to yet.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn new() -> io::Result<Self> {
        let (readable, other_end) = UnixStream::pair()?;
        readable.set_nonblocking(true)?;
        other_end.set_nonblocking(true)?;
        Ok(Self {
            rung: Mutex::default(),
            next: AtomicU64::new(1),
            readable,
            other_end,
        })
    }

    /// Listens to a ticket, as long as that lives. Returns the number that [`Bell::take`] will give, or
    /// `None` where it has rung already.
    pub fn listen(self: &Arc<Self>, ticket: &mut Ticket) -> Option<u64> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let rope = Arc::new(Rope {
            bell: Arc::clone(self),
            number,
        });
        (!ticket.poll(&Waker::from(rope))).then_some(number)
    }

    /// The numbers of the tickets that have rung since the last call.
    pub fn take(&self) -> Vec<u64> {
        // Before the numbers: what rings behind makes it readable again.
        let mut bytes = [0; 64];
        while matches!((&self.readable).read(&mut bytes), Ok(read) if read == bytes.len()) {}
        std::mem::take(&mut *self.rung.lock())
    }

    fn ring(&self, number: u64) {
        let mut rung = self.rung.lock();
        if rung.is_empty() {
            // A socket that is full is readable.
            let _ = (&self.other_end).write(&[0]);
        }
        rung.push(number);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.readable.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;
    use crate::wake::Signal;

    fn is_readable(bell: &Bell) -> bool {
        let mut fds = [PollFd::new(bell, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).unwrap() == 1
    }

    #[test]
    fn what_rings_is_readable_once() {
        let bell = Arc::new(Bell::new().unwrap());
        let signal = Signal::default();
        let (mut first, mut second) = (signal.ticket(), signal.ticket());
        let numbers = [&mut first, &mut second].map(|ticket| bell.listen(ticket).unwrap());
        assert!(!is_readable(&bell));
        signal.ring();
        assert!(is_readable(&bell));
        let mut rung = bell.take();
        rung.sort_unstable();
        assert_eq!(rung, numbers);
        assert!(!is_readable(&bell) && bell.take().is_empty());
    }

    #[test]
    fn a_ticket_that_has_rung_has_no_number() {
        let bell = Arc::new(Bell::new().unwrap());
        let signal = Signal::default();
        let mut ticket = signal.ticket();
        signal.ring();
        assert_eq!(bell.listen(&mut ticket), None);
        assert!(!is_readable(&bell));
    }

    #[test]
    fn a_ticket_that_is_dropped_rings_no_more() {
        let bell = Arc::new(Bell::new().unwrap());
        let signal = Signal::default();
        let mut ticket = signal.ticket();
        assert!(bell.listen(&mut ticket).is_some());
        drop(ticket);
        signal.ring();
        assert!(bell.take().is_empty());
    }

    #[test]
    fn no_ring_is_lost_between_threads() {
        let bell = Arc::new(Bell::new().unwrap());
        let (signal, count) = (Signal::default(), Arc::new(AtomicU64::new(0)));
        let ringing = std::thread::spawn({
            let (signal, count) = (signal.clone(), Arc::clone(&count));
            move || {
                for _ in 0..20_000 {
                    count.fetch_add(1, Ordering::SeqCst);
                    signal.ring();
                }
            }
        });
        // Waits for each change in turn, as an event loop would; a lost one would keep it here.
        let begun = std::time::Instant::now();
        let mut seen = 0;
        while seen < 20_000 {
            let mut ticket = signal.ticket();
            let now = count.load(Ordering::SeqCst);
            if now == seen
                && let Some(number) = bell.listen(&mut ticket)
            {
                while !bell.take().contains(&number) {
                    assert!(begun.elapsed() < Duration::from_secs(50), "a ring was lost");
                    std::hint::spin_loop();
                }
            }
            seen = now;
        }
        ringing.join().unwrap();
    }
}
