//! The journal of misses: what was asked for in vain, offline or because upstream could not be
//! reached, so that it can be fetched once there is a line. One JSON line for each URL (and
//! `Accept` field) in `.cachy/misses`, which is bounded. A write that fails fails no request.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};

use cap_std::fs::OpenOptions;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::entry::{self, Found};
use crate::error::{Error, Result};
use crate::headers::Headers;
use crate::key::Target;
use crate::meta::Millis;
use crate::store::Store;
use crate::tree::{Stat, Tree};

const FILE: &str = ".cachy/misses";
const LOCK: &str = "misses";
/// The journal is cut to its newer half when it is larger, bytes.
const MOST: usize = 1 << 20;
/// A longer URL or field is nothing to write down, bytes.
const LONG: usize = 16 << 10;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Miss {
    /// The canonical URL.
    pub url: String,
    /// When it was first asked for in vain.
    pub when: Millis,
    /// The `Accept` field of the request (RFC 9110 section 12.5.1), where it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<String>,
}

/// What is known of the journal, so that nothing is written twice.
#[derive(Debug, Default)]
pub struct Misses(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Device and inode: another file is another journal.
    id: (u64, u64),
    /// How much of it has been read, bytes.
    read: u64,
    seen: HashSet<(String, Option<String>)>,
}

impl Misses {
    /// Writes down that a URL was asked for in vain.
    pub fn note(&self, tree: &Tree, url: &str, accept: Option<&str>, now: Millis) {
        if url.len() + accept.map_or(0, str::len) > LONG {
            return;
        }
        let miss = Miss {
            url: url.to_owned(),
            when: now,
            accept: accept.map(str::to_owned),
        };
        if let Err(error) = self.append(tree, &miss) {
            log::debug!("{error}");
        }
    }

    fn append(&self, tree: &Tree, miss: &Miss) -> Result<()> {
        let failed = |e| Error::io("write", tree.path(FILE), e);
        let mut known = self.0.lock();
        // Whoever cuts or clears it is alone; so is whoever looks whether a line is there.
        let _alone = tree.lock_misses()?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let file = tree.dir()?.open_with(FILE, &options).map_err(failed)?;
        let mut file = file.into_std();
        known.catch_up(&mut file).map_err(failed)?;
        let key = (miss.url.clone(), miss.accept.clone());
        if known.seen.contains(&key) {
            return Ok(());
        }
        let mut line = serde_json::to_vec(miss).map_err(|e| failed(e.into()))?;
        line.push(b'\n');
        if known.read > 0 && !known.ends_in_line(&file).map_err(failed)? {
            // A crash or a full disk left half a line.
            line.insert(0, b'\n');
        }
        file.write_all(&line).map_err(failed)?;
        known.seen.insert(key);
        known.read += line.len() as u64;
        if known.read > MOST as u64 {
            let text = tree.dir()?.read(FILE).map_err(failed)?;
            let kept = newer(&text, MOST / 2);
            replace(tree, &kept)?;
        }
        Ok(())
    }
}

impl Known {
    /// Reads what others have written since.
    fn catch_up(&mut self, file: &mut std::fs::File) -> std::io::Result<()> {
        let stat = Stat::of(&file.metadata()?);
        if self.id != stat.id || stat.size < self.read {
            *self = Self {
                id: stat.id,
                ..Self::default()
            };
        }
        if stat.size == self.read {
            return Ok(());
        }
        std::io::Seek::seek(file, std::io::SeekFrom::Start(self.read))?;
        let mut text = Vec::new();
        file.take(stat.size - self.read).read_to_end(&mut text)?;
        self.read += text.len() as u64;
        let lines = parsed(&text).into_iter();
        self.seen.extend(lines.map(|miss| (miss.url, miss.accept)));
        Ok(())
    }

    fn ends_in_line(&self, file: &std::fs::File) -> std::io::Result<bool> {
        let mut last = [0];
        std::os::unix::fs::FileExt::read_exact_at(file, &mut last, self.read - 1)?;
        Ok(last == *b"\n")
    }
}

/// Those lines that would still be asked for in vain.
///
/// # Errors
/// `Io` where the journal can't be read.
pub fn unanswered(store: &Store) -> Result<Vec<Miss>> {
    let mut misses = all(&store.tree)?;
    misses.retain(|miss| {
        let mut headers = Headers::default();
        if let Some(accept) = &miss.accept {
            headers.push("Accept", accept.as_bytes());
        }
        let Ok(target) = Target::parse(&miss.url) else {
            return false;
        };
        let found = entry::find(store, &target, &headers, false);
        let nothing = |found: &Found| {
            matches!(
                found,
                Found::Nothing {
                    other: None,
                    index: false,
                    ..
                }
            )
        };
        found.as_ref().map_or(true, nothing)
    });
    Ok(misses)
}

/// The whole journal, oldest first.
///
/// # Errors
/// `Io` where it can't be read.
pub fn all(tree: &Tree) -> Result<Vec<Miss>> {
    let dir = match tree.dir() {
        Err(error) if error.kind() == Some(ErrorKind::NotFound) => return Ok(Vec::new()),
        dir => dir?,
    };
    let text = match dir.read(FILE) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(|e| Error::io("read", tree.path(FILE), e))?,
    };
    let mut seen = HashSet::new();
    let mut misses = parsed(&text);
    misses.retain(|miss| seen.insert((miss.url.clone(), miss.accept.clone())));
    Ok(misses)
}

/// Forgets all lines that `forget` says yes to. Returns how many.
///
/// # Errors
/// `Io` where it can't be written.
pub fn forget(tree: &Tree, forget: impl Fn(&Miss) -> bool) -> Result<usize> {
    if tree.dir().is_err() {
        return Ok(0);
    }
    let _alone = tree.lock_misses()?;
    let (gone, kept): (Vec<Miss>, Vec<Miss>) = all(tree)?.into_iter().partition(forget);
    if kept.is_empty() {
        return match tree.dir()?.remove_file(FILE) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::io("remove", tree.path(FILE), error))
            }
            _ => Ok(gone.len()),
        };
    }
    if !gone.is_empty() {
        replace(tree, &kept)?;
    }
    Ok(gone.len())
}

/// A broken line is none.
fn parsed(text: &[u8]) -> Vec<Miss> {
    let lines = text.split(|&b| b == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

/// The last lines that fit into so many bytes.
fn newer(text: &[u8], room: usize) -> Vec<Miss> {
    let mut kept = parsed(&text[text.len().saturating_sub(room)..]);
    let mut seen = HashSet::new();
    kept.retain(|miss| seen.insert((miss.url.clone(), miss.accept.clone())));
    kept
}

fn replace(tree: &Tree, misses: &[Miss]) -> Result<()> {
    let failed = |e| Error::io("write", tree.path(FILE), e);
    let mut text = Vec::new();
    for miss in misses {
        serde_json::to_writer(&mut text, miss).map_err(|e| failed(e.into()))?;
        text.push(b'\n');
    }
    let (temp, mut file) = tree.temp_file()?;
    file.write_all(&text).map_err(failed)?;
    let folder = tree.dir()?.open_dir(".cachy").map_err(failed)?;
    temp.rename_over(&folder, "misses").map_err(failed)
}

impl Tree {
    fn lock_misses(&self) -> Result<crate::locks::Lock> {
        self.lock_alone(LOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(folder: &tempfile::TempDir) -> Tree {
        Tree::open(folder.path()).unwrap().0
    }

    fn urls(tree: &Tree) -> Vec<String> {
        all(tree).unwrap().into_iter().map(|m| m.url).collect()
    }

    #[test]
    fn each_once_by_whoever_writes_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let tree = tree(&folder);
        let (one, other) = (Misses::default(), Misses::default());
        one.note(&tree, "https://h/a", None, 1);
        other.note(&tree, "https://h/a", None, 2);
        other.note(&tree, "https://h/b", Some("x/y"), 3);
        one.note(&tree, "https://h/b", Some("x/y"), 4);
        one.note(&tree, "https://h/b", None, 5);
        let found = all(&tree).unwrap();
        let told: Vec<_> = found.iter().map(|m| (m.url.as_str(), m.when)).collect();
        assert_eq!(
            told,
            [("https://h/a", 1), ("https://h/b", 3), ("https://h/b", 5)]
        );
        assert_eq!(found[1].accept.as_deref(), Some("x/y"));
        assert_eq!(forget(&tree, |m| m.url.ends_with('b')).unwrap(), 2);
        // What was forgotten is news again.
        one.note(&tree, "https://h/b", None, 6);
        one.note(&tree, "https://h/a", None, 7);
        assert_eq!(urls(&tree), ["https://h/a", "https://h/b"]);
        assert_eq!(forget(&tree, |_| true).unwrap(), 2);
        one.note(&tree, "https://h/a", None, 8);
        assert_eq!(urls(&tree), ["https://h/a"]);
    }

    #[test]
    fn half_a_line_costs_itself_alone() {
        let folder = tempfile::TempDir::new().unwrap();
        let tree = tree(&folder);
        std::fs::write(folder.path().join(FILE), b"{\"url\":\"https://h/x\",\"wh").unwrap();
        Misses::default().note(&tree, "https://h/a", None, 1);
        assert_eq!(urls(&tree), ["https://h/a"]);
    }

    #[test]
    fn it_is_bounded_and_keeps_the_newest() {
        let folder = tempfile::TempDir::new().unwrap();
        let tree = tree(&folder);
        let misses = Misses::default();
        let long = "x".repeat(8000);
        for n in 0..200 {
            misses.note(&tree, &format!("https://h/{n}/{long}"), None, n);
        }
        let size = std::fs::metadata(folder.path().join(FILE)).unwrap().len();
        assert!(size <= MOST as u64, "{size}");
        let found = all(&tree).unwrap();
        assert!(found.len() > 60, "{}", found.len());
        assert_eq!(found.last().unwrap().when, 199);
        misses.note(&tree, &"y".repeat(LONG + 1), None, 1);
        assert_eq!(all(&tree).unwrap().len(), found.len());
    }

    #[test]
    fn a_tree_that_cannot_be_written_says_nothing() {
        let folder = tempfile::TempDir::new().unwrap();
        let tree = tree(&folder);
        std::fs::create_dir(folder.path().join(FILE)).unwrap();
        Misses::default().note(&tree, "https://h/a", None, 1);
    }
}
