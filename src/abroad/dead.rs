//! What is known of origins that failed, and of new bytes on their way into the tree, for all processes on
//! it: a journal in `.cachy/origins`, a line for each that failed or answered again, came or is there. Who
//! is alone keeps it in mind alone.

use std::io::{Read, Seek, SeekFrom, Write};

use cap_std::fs::OpenOptions;
use parking_lot::Mutex;

use crate::meta::Millis;
use crate::store::Store;
use crate::tree::Tree;

const FILE: &str = ".cachy/origins";
/// Bytes after which it begins anew; what is forgotten so is found out again.
const MOST: u64 = 64 << 10;

/// How much of it was read.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<u64>);

impl Journal {
    /// What others wrote since: names, and when they failed; 0 where they answered.
    fn news(&self, tree: &Tree) -> Vec<(String, Millis)> {
        let mut read = self.0.lock();
        let Ok(dir) = tree.dir() else {
            return Vec::new();
        };
        let length = dir.metadata(FILE).map_or(0, |found| found.len());
        if length == *read {
            return Vec::new();
        }
        if length < *read {
            *read = 0;
        }
        let Ok(mut file) = dir.open(FILE) else {
            return Vec::new();
        };
        let mut text = String::new();
        let found = file.seek(SeekFrom::Start(*read));
        if found.and_then(|_| file.read_to_string(&mut text)).is_err() {
            *read = length;
            return Vec::new();
        }
        // Half a line is read with its other half.
        let end = text.rfind('\n').map_or(0, |at| at + 1);
        *read += end as u64;
        let lines = text[..end].lines().filter_map(|line| {
            let (at, name) = line.split_once(' ')?;
            Some((name.to_owned(), at.parse().ok()?))
        });
        lines.collect()
    }

    fn tell(tree: &Tree, name: &str, at: Millis) {
        if name.contains('\n') {
            return;
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        let Ok(Ok(mut file)) = tree.dir().map(|dir| dir.open_with(FILE, &options)) else {
            return;
        };
        if file.metadata().is_ok_and(|found| found.len() > MOST) {
            let _ = file.set_len(0);
        }
        let _ = file.write_all(format!("{at} {name}\n").as_bytes());
    }
}

impl Store {
    /// Whether an origin (`https://host:port`) could not be reached a moment ago, or a URL failed,
    /// whichever process asked.
    #[must_use]
    pub fn is_dead(&self, name: &str, now: Millis) -> bool {
        self.hear();
        self.origins.is_dead(name, now)
    }

    /// Takes note of what other processes found out.
    pub(crate) fn hear(&self) {
        if self.abroad.is_alone() {
            return;
        }
        for (name, at) in self.abroad.journal.news(&self.tree) {
            // Paths of the tree have no `//`.
            match (name.contains("://"), at) {
                (true, 0) => _ = self.origins.answered(&name),
                (true, at) => self.origins.note(&name, at),
                (false, 0) => _ = self.arrivals.over(&name),
                (false, at) => self.arrivals.note(&name, at),
            }
        }
    }

    /// A path has new bytes that are not in the tree.
    pub(crate) fn moved(&self, path: &str, now: Millis) {
        self.arrivals.note(path, now);
        if !self.abroad.is_alone() {
            Journal::tell(&self.tree, path, now);
        }
    }

    /// They are in the tree now.
    pub(crate) fn arrived(&self, path: &str) {
        if self.arrivals.over(path) && !self.abroad.is_alone() {
            Journal::tell(&self.tree, path, 0);
        }
    }

    /// It could not be reached, or failed.
    pub fn failed(&self, name: &str, now: Millis) {
        self.origins.failed(name, now);
        if !self.abroad.is_alone() {
            Journal::tell(&self.tree, name, now);
        }
    }

    /// It answered.
    pub fn answered(&self, name: &str) {
        if self.origins.answered(name) && !self.abroad.is_alone() {
            Journal::tell(&self.tree, name, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_once_and_after_it_began_anew() {
        let folder = tempfile::TempDir::new().unwrap();
        let (tree, _) = Tree::open(folder.path()).unwrap();
        let journal = Journal::default();
        assert_eq!(journal.news(&tree), []);
        Journal::tell(&tree, "https://h", 5);
        Journal::tell(&tree, "https://i/a b", 6);
        let found = [("https://h".to_owned(), 5), ("https://i/a b".to_owned(), 6)];
        assert_eq!(journal.news(&tree), found);
        assert_eq!(journal.news(&tree), []);
        let half = folder.path().join(FILE);
        let text = std::fs::read_to_string(&half).unwrap();
        std::fs::write(&half, text + "7 https://j").unwrap();
        assert_eq!(journal.news(&tree), []);
        std::fs::write(&half, "0 https://h\n").unwrap();
        assert_eq!(journal.news(&tree), [("https://h".to_owned(), 0)]);
        std::fs::write(&half, "x".repeat(usize::try_from(MOST).unwrap() + 1)).unwrap();
        Journal::tell(&tree, "https://k", 8);
        assert_eq!(journal.news(&tree).len(), 0, "read to there before");
        Journal::tell(&tree, "https://l", 9);
        assert_eq!(journal.news(&tree), [("https://l".to_owned(), 9)]);
    }
}
