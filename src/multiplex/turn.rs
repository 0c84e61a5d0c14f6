//! What it takes to go on without tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Wake;

/// How far something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It waits for one of the sides.
    Waits,
    /// It goes on when the others have had their turn.
    More,
    /// It is at its end.
    Done,
    /// It ended before that.
    Broken,
}

/// Whether something may go on that could not a moment ago.
#[derive(Debug, Default)]
pub struct Woken(AtomicBool);

impl Woken {
    pub fn clear(&self) {
        self.0.store(false, Relaxed);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}
