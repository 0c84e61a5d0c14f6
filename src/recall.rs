//! What looks at the tree have said, so that the next need not read and parse: whose a file is, its
//! record, and the head of an answer from it. Never its bytes.
//!
//! Nothing is taken from here that isn't proven to be so still, see [`proof`]: whatever becomes of
//! the file, its metadata or a folder on the way to them is seen at once, at the cost of opening the
//! file, which is needed to read it anyhow, and of looking at two names.
//!
//! What is remembered is bounded and has nothing to do with the size of the tree: what was not asked
//! for lately goes.

mod known;
mod proof;
mod template;

pub use known::{Kind, Known};
pub use proof::Mark;
pub use template::Template;

use std::collections::HashMap;
use std::collections::hash_map::IntoIter;
use std::sync::Arc;

use parking_lot::Mutex;

/// Bytes of one generation; there are the young, the old, and those that are going.
const MOST: usize = 10 << 20;
/// So many of those that are going go with each that comes, which must not take long.
const AT_ONCE: usize = 4;

type Shelf = HashMap<Box<[u8]>, Arc<Known>>;

/// What is remembered, by what a request says of its target.
#[derive(Debug, Default)]
pub struct Recall(Mutex<Shelves>);

#[derive(Debug, Default)]
struct Shelves {
    young: Shelf,
    /// Of the young, about.
    bytes: usize,
    old: Shelf,
    going: Option<IntoIter<Box<[u8]>, Arc<Known>>>,
    /// What they were learned under.
    generation: u64,
}

impl Recall {
    /// Forgets everything where it was learned under another generation: a host may be this machine by
    /// now, see [`crate::local`].
    pub fn keep_up(&self, generation: u64) {
        let mut shelves = self.0.lock();
        if shelves.generation != generation {
            *shelves = Shelves {
                generation,
                ..Shelves::default()
            };
        }
    }

    /// What is remembered under a key; it has to be proven.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Arc<Known>> {
        let mut shelves = self.0.lock();
        if let Some(found) = shelves.young.get(key) {
            return Some(Arc::clone(found));
        }
        let (key, found) = shelves.old.remove_entry(key)?;
        shelves.put(key, Arc::clone(&found));
        Some(found)
    }

    /// Remembers something.
    pub fn put(&self, key: &[u8], known: Known) {
        self.0.lock().put(key.into(), Arc::new(known));
    }

    /// Forgets what is no longer so.
    pub fn forget(&self, key: &[u8]) {
        let mut shelves = self.0.lock();
        if let Some((key, known)) = shelves.young.remove_entry(key) {
            shelves.bytes = shelves.bytes.saturating_sub(size(&key, &known));
        }
    }

    /// About how many bytes are remembered, but for those that are going.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let shelves = self.0.lock();
        let old = shelves.old.iter().map(|(key, known)| size(key, known));
        shelves.bytes + old.sum::<usize>()
    }
}

impl Shelves {
    fn put(&mut self, key: Box<[u8]>, known: Arc<Known>) {
        self.bytes += size(&key, &known);
        if let Some(was) = self.young.insert(key, known) {
            self.bytes = self.bytes.saturating_sub(was.size());
        }
        if self.bytes > MOST {
            let young = std::mem::take(&mut self.young);
            let old = std::mem::replace(&mut self.old, young);
            self.going = Some(old.into_iter());
            self.bytes = 0;
        }
        if let Some(going) = &mut self.going
            && going.by_ref().take(AT_ONCE).count() < AT_ONCE
        {
            self.going = None;
        }
    }
}

fn size(key: &[u8], known: &Known) -> usize {
    key.len() + known.size()
}
