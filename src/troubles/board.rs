//! What was said, in memory or in a file that several processes share.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// More than so much at once is not told apart, whatever the tree is full of.
pub(super) const MOST: usize = 1000;
/// Bytes of the file that processes share, which are there from the beginning: it may lie on the disk
/// that is full.
const ROOM: usize = 256 << 10;

/// What tells one trouble from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Key {
    pub root: PathBuf,
    pub what: String,
    /// The folder of the host, where it is that one's alone.
    pub place: String,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    /// What is stored at or below this shows that it is over.
    pub at: String,
    /// The fewest bytes that did not fit, and the most that did since.
    pub least: u64,
    pub most: u64,
}

pub(super) type All = HashMap<Key, Said>;

/// What was said about all trees of a process, or of all workers.
#[derive(Debug, Default)]
pub struct Board {
    own: Mutex<All>,
    shared: OnceLock<File>,
    /// The file can't be written after all.
    apart: AtomicBool,
}

impl Board {
    /// From now on it is that of all processes that name this file.
    ///
    /// # Errors
    /// Where the file can't be made.
    pub fn share(&self, file: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(file)?;
        file.lock()?;
        if file.metadata()?.len() < ROOM as u64 {
            file.write_all_at(&vec![0; ROOM], 0)?;
        }
        file.unlock()?;
        let _ = self.shared.set(file);
        Ok(())
    }

    fn shared(&self) -> Option<&File> {
        self.shared.get().filter(|_| !self.apart.load(Relaxed))
    }

    pub(super) fn is_empty(&self) -> bool {
        let mut first = [0];
        match self.shared().map(|file| file.read_at(&mut first, 0)) {
            Some(Ok(_)) => first == [0],
            _ => self.own.lock().is_empty(),
        }
    }

    /// Reads and changes it. Where the others can't be told, each speaks for itself.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut All) -> T) -> T {
        let mut own = self.own.lock();
        let locked = self.shared().filter(|file| file.lock().is_ok());
        if let Some(all) = locked.and_then(|file| read(file).ok()) {
            *own = all;
        }
        let before = own.clone();
        let done = change(&mut own);
        if let Some(file) = locked {
            if *own != before && write(file, &own).is_err() {
                self.apart.store(true, Relaxed);
            }
            let _ = file.unlock();
        }
        done
    }
}

/// What stands in a file before the first zero.
fn read(file: &File) -> io::Result<All> {
    let mut text = vec![0; ROOM];
    let read = file.read_at(&mut text, 0)?;
    let end = memchr::memchr(0, &text[..read]).unwrap_or(read);
    if end == 0 {
        return Ok(All::default());
    }
    let list: Vec<(Key, Said)> = serde_json::from_slice(&text[..end])?;
    Ok(list.into_iter().collect())
}

fn write(file: &File, all: &All) -> io::Result<()> {
    let mut text = Vec::new();
    if !all.is_empty() {
        let list: Vec<(&Key, &Said)> = all.iter().collect();
        serde_json::to_writer(&mut text, &list)?;
    }
    text.push(0);
    if text.len() > ROOM {
        return Err(ErrorKind::FileTooLarge.into());
    }
    file.write_all_at(&text, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(board: &Board) {
        let key = Key {
            root: "/tree".into(),
            what: "StorageFull".to_owned(),
            place: String::new(),
        };
        let said = Said {
            at: String::new(),
            least: 1,
            most: 0,
        };
        board.with(|all| all.insert(key, said));
    }

    #[test]
    fn a_file_that_cannot_be_written() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("said");
        let [board, other] = [(); 2].map(|()| Board::default());
        board.share(&file).unwrap();
        other.share(&file).unwrap();
        let apart = Board::default();
        apart.shared.set(File::open(&file).unwrap()).unwrap();
        insert(&apart);
        assert!(board.is_empty() && !apart.is_empty());
        insert(&board);
        assert!(!other.is_empty());
        other.with(HashMap::clear);
        assert!(board.is_empty() && !apart.is_empty());
        assert_eq!(file.metadata().unwrap().len(), ROOM as u64);
    }
}
