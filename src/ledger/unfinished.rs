//! What is being fetched without a client: it ends with the proxy, which one may put off for it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// One fetch, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// As it is stored.
    pub url: String,
    /// Bytes of the body that have come.
    pub received: u64,
    /// Bytes of the whole body, where that is known.
    pub length: Option<u64>,
}

/// All of an account.
#[derive(Debug, Default)]
pub(super) struct Underway(Mutex<Vec<Weak<Fetch>>>);

/// One fetch; over when it is dropped.
#[derive(Debug)]
pub struct Fetch {
    url: String,
    received: AtomicU64,
    /// What is announced, and one more; 0 where nothing is.
    length: AtomicU64,
}

impl Underway {
    /// Begins with a fetch.
    pub(super) fn begin(&self, url: String) -> Arc<Fetch> {
        let fetch = Arc::new(Fetch {
            url,
            received: AtomicU64::new(0),
            length: AtomicU64::new(0),
        });
        let mut all = self.0.lock();
        all.retain(|each| each.strong_count() > 0);
        all.push(Arc::downgrade(&fetch));
        fetch
    }

    /// Those that go on, in the order in which they began.
    pub(super) fn list(&self) -> Vec<Unfinished> {
        let all = self.0.lock();
        let going = all.iter().filter_map(Weak::upgrade);
        going
            .map(|fetch| Unfinished {
                url: fetch.url.clone(),
                received: fetch.received.load(Relaxed),
                length: fetch.length.load(Relaxed).checked_sub(1),
            })
            .collect()
    }
}

impl Fetch {
    /// Bytes have come.
    pub(super) fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Relaxed);
    }

    /// So many are announced.
    pub(super) fn announced(&self, length: Option<u64>) {
        let length = length.map_or(0, |length| length.saturating_add(1));
        self.length.store(length, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Ledger, RunId};

    fn url() -> String {
        "https://h.example/a".to_owned()
    }

    #[test]
    fn what_is_fetched_without_a_client() {
        let ledger = Ledger::default();
        let run = RunId::parse("00112233445566778899aabbccddeeff");
        let asked = ledger.tally(run);
        let mut fetch = asked.without_client(&url);
        let told = |length, received| {
            vec![Unfinished {
                url: url(),
                received,
                length,
            }]
        };
        let unfinished = || ledger.report(run.unwrap()).unfinished;
        assert_eq!(unfinished(), told(None, 0));
        fetch.announced(Some(0));
        assert_eq!(unfinished(), told(Some(0), 0));
        fetch.announced(Some(9));
        fetch.received(4);
        assert_eq!(unfinished(), told(Some(9), 4));
        let mut both = ledger.report(run.unwrap());
        both.add(vec![ledger.report(run.unwrap())]);
        assert_eq!(both.unfinished.len(), 2);
        // Of nobody's run there is nobody to tell.
        let _other = ledger.tally(None).without_client(&url);
        let dropped = asked.without_client(&url);
        drop(dropped);
        fetch.over(|| 1);
        assert_eq!(unfinished(), told(Some(9), 4), "it isn't stored yet");
        fetch.close();
        assert_eq!(unfinished(), []);
    }
}
