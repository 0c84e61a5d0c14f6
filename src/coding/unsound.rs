//! URLs whose coding could not be undone: they are asked for as the client says, so that one who wants
//! them plain gets them the next time.

use std::collections::HashSet;

use parking_lot::Mutex;

/// More than so many are not remembered.
const MOST: usize = 1000;

/// What is known of them as long as the process lives.
#[derive(Debug, Default)]
pub struct Unsound(Mutex<HashSet<String>>);

impl Unsound {
    /// The coding of this URL could not be undone.
    pub fn note(&self, url: String) {
        let mut known = self.0.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(url);
    }

    /// Whether it could not.
    #[must_use]
    pub fn has(&self, url: impl FnOnce() -> String) -> bool {
        let known = self.0.lock();
        !known.is_empty() && known.contains(&url())
    }
}
