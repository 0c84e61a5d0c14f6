//! When an entry was last used: the time of its metadata file, which survives `tar` and
//! `rsync -a`. Nothing else means anything by that time.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, UNIX_EPOCH};

use cap_fs_ext::{DirExt, SystemTimeSpec};
use cap_std::time::SystemTime;
use parking_lot::Mutex;

use crate::layout::RelPath;
use crate::meta::{Millis, file_of};
use crate::tree::{Stat, Tree};

/// Uses within this time of one that was written down are not.
pub(crate) const OFTEN: Millis = 60_000;
/// More entries than this are not remembered as just used; to forget one costs a call of the system.
const MANY: usize = 100_000;

/// Which entries were used a moment ago, so that a hit costs no call of the system.
#[derive(Debug, Default)]
pub struct LastUse {
    /// By a hash of the slot: one in 2^64 is not written down though it was used.
    just: Mutex<HashMap<u64, Millis>>,
    hasher: RandomState,
}

impl LastUse {
    /// An entry answers somebody. Never fails: a tree that can't be written remembers nothing.
    /// Returns until when uses of it are not written down.
    pub fn touch(&self, tree: &Tree, slot: &RelPath, now: Millis) -> Millis {
        let key = self.hasher.hash_one(slot);
        {
            let mut just = self.just.lock();
            let last = just.get(&key).copied();
            if let Some(last) = last.filter(|last| (*last..last + OFTEN).contains(&now)) {
                return last + OFTEN;
            }
            if just.len() >= MANY {
                just.clear();
            }
            just.insert(key, now);
        }
        set(tree, slot, now);
        now + OFTEN
    }
}

/// When it was last used; `None` where there is no metadata, as for a person's file.
#[must_use]
pub fn of(tree: &Tree, slot: &RelPath) -> Option<Millis> {
    footprint(tree, slot).map(|(used, _)| used)
}

/// When it was last used, and how many bytes its metadata takes.
#[must_use]
pub fn footprint(tree: &Tree, slot: &RelPath) -> Option<(Millis, u64)> {
    let meta = tree.dir().ok()?.symlink_metadata(file_of(slot)).ok()?;
    let stat = Stat::seen(&meta);
    Some((stat.mtime_ns.div_euclid(1_000_000), stat.size))
}

/// Writes down when it was last used.
pub(crate) fn set(tree: &Tree, slot: &RelPath, at: Millis) {
    let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(at).unwrap_or(0));
    let at = SystemTimeSpec::Absolute(SystemTime::from_std(at));
    if let Ok(dir) = tree.dir() {
        let _ = dir.set_symlink_times(file_of(slot), None, Some(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Target;
    use crate::layout::path_of;
    use crate::meta::Meta;

    #[test]
    fn written_down_once_a_minute() {
        let folder = tempfile::TempDir::new().unwrap();
        let (tree, _) = Tree::open(folder.path()).unwrap();
        let slot = path_of(&Target::parse("https://h/a").unwrap());
        let uses = LastUse::default();
        uses.touch(&tree, &slot, 1_000_000);
        assert_eq!(of(&tree, &slot), None);
        Meta::new("https://h/a".into()).save(&tree, &slot).unwrap();
        for (now, written) in [
            (2_000_000, 2_000_000),
            (2_059_999, 2_000_000),
            (2_060_000, 2_060_000),
            // A clock that was set back.
            (1_000_000, 1_000_000),
        ] {
            uses.touch(&tree, &slot, now);
            assert_eq!(of(&tree, &slot), Some(written), "at {now}");
        }
    }

    /// `cargo test --release -- --ignored cost_of_a_hit --nocapture`
    #[test]
    #[ignore = "measures"]
    fn cost_of_a_hit() {
        let folder = tempfile::TempDir::new().unwrap();
        let (tree, _) = Tree::open(folder.path()).unwrap();
        let slot = path_of(&Target::parse("https://h/pool/main/a/b_1.0.deb").unwrap());
        Meta::new("https://h/a".into()).save(&tree, &slot).unwrap();
        let uses = LastUse::default();
        for (name, step) in [("again within a minute", 0), ("once a minute", OFTEN)] {
            let begun = std::time::Instant::now();
            for n in 0..20_000 {
                uses.touch(&tree, &slot, 1_700_000_000_000 + n * step);
            }
            eprintln!("{name}: {:?}", begun.elapsed() / 20_000);
        }
    }
}
