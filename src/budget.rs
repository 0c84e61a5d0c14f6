//! `cachy_max_size`: how large the tree is, counted by what is stored, so that nothing on a
//! request's way looks through it. The first count is a survey, made after the first store.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::error::Result;
use crate::meta::Millis;
use crate::prune::{Limits, Pruned, prune};
use crate::store::Store;

/// Down to so many tenths of the limit, so that not every store is followed by a survey.
const TENTHS: u64 = 9;
/// After a survey that could not make room (all of it is being read, say), how long until the next.
const PAUSE: Millis = 30_000;

/// How large the tree may be, and is.
#[derive(Debug, Default)]
pub struct Budget {
    /// Bytes.
    limit: Option<u64>,
    /// So many processes store into the tree, each about as much.
    processes: u64,
    count: Mutex<Count>,
    /// The process ends.
    over: AtomicBool,
}

#[derive(Debug, Default)]
struct Count {
    /// Bytes, once they were counted.
    total: Option<u64>,
    /// Bytes that were stored since, or before that.
    added: u64,
    /// Something was stored since room was made.
    news: bool,
    /// Somebody makes room.
    busy: bool,
    /// Not before.
    next: Millis,
}

impl Budget {
    /// With a limit, bytes, for as many processes that count each for itself.
    #[must_use]
    pub fn of(limit: Option<u64>, processes: u32) -> Self {
        Self {
            limit,
            processes: processes.into(),
            ..Self::default()
        }
    }

    /// Something was stored, and took the place of something.
    pub fn stored(&self, bytes: u64, replaced: u64) {
        if self.limit.is_some() {
            let mut count = self.count.lock();
            count.added = (count.added + bytes).saturating_sub(replaced);
            count.news = true;
        }
    }

    /// Whether it is time to make room, or to count for the first time.
    #[must_use]
    pub fn is_exceeded(&self, now: Millis) -> bool {
        let Some(limit) = self.limit else {
            return false;
        };
        let count = self.count.lock();
        let full = count
            .total
            .is_none_or(|total| total + count.added * self.processes > limit);
        full && count.news && !count.busy && now >= count.next
    }

    /// The process ends: whoever looks through the tree stops.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Looks through the tree and makes room where it is too large. `None`: it is being done, or
    /// nothing is to be done. Takes long.
    ///
    /// # Errors
    /// `Io` where the tree can't be read.
    pub fn make_room(&self, store: &Store, now: Millis) -> Result<Option<Pruned>> {
        let Some(limit) = self.limit else {
            return Ok(None);
        };
        {
            let mut count = self.count.lock();
            if std::mem::replace(&mut count.busy, true) {
                return Ok(None);
            }
            // What is stored from now on may be counted twice, which is better than not at all.
            count.added = 0;
            count.news = false;
        }
        let limits = Limits {
            max_size: Some(limit),
            down_to: Some(limit / 10 * TENTHS),
            ..Limits::default()
        };
        let pruned = prune(store, &limits, now, &|| self.over.load(Ordering::Relaxed));
        let mut count = self.count.lock();
        count.busy = false;
        let left = pruned.as_ref().ok().map(|pruned| pruned.left_bytes);
        count.total = left.or(count.total);
        if left.is_none_or(|left| left > limit) {
            count.next = now + PAUSE;
        }
        pruned.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_first_then_when_it_is_full() {
        let folder = tempfile::TempDir::new().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        assert!(!store.budget.is_exceeded(0));
        store.budget = Budget::of(Some(1000), 1);
        assert!(!store.budget.is_exceeded(0));
        store.budget.stored(1, 0);
        assert!(store.budget.is_exceeded(0));
        let pruned = store.budget.make_room(&store, 0).unwrap().unwrap();
        assert_eq!((pruned.entries, pruned.left_bytes), (0, 0));
        assert!(!store.budget.is_exceeded(0));
        store.budget.stored(900, 0);
        store.budget.stored(200, 150);
        assert!(!store.budget.is_exceeded(0));
        store.budget.stored(100, 0);
        assert!(store.budget.is_exceeded(0));
        store.budget = Budget::of(Some(1000), 2);
        store.budget.stored(1, 0);
        store.budget.make_room(&store, 0).unwrap();
        store.budget.stored(500, 0);
        assert!(!store.budget.is_exceeded(0));
        store.budget.stored(1, 0);
        assert!(store.budget.is_exceeded(0));
    }
}
