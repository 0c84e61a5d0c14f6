//! The claim of who fetches for everybody.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;

use cap_std::fs::{Dir, OpenOptions};
use rustix::process::{Flock, FlockType, fcntl_getlk};

use super::news::News;
use super::{FLIGHTS, Held};
use crate::flights::{Arrival, Outcome};
use crate::tree::Tree;

/// Held until dropped.
#[derive(Debug)]
pub struct Claim {
    file: File,
    dir: Dir,
    held: Held,
    /// It has said how it ended.
    told: bool,
}

/// What came of trying to claim.
pub(super) enum Claimed {
    /// This process fetches it.
    Ours(Claim),
    /// Another one does, and says in this file how far it has come.
    Theirs(File, Held),
    /// Claims can't be had here.
    Nothing,
}

impl Claim {
    pub(super) fn take(tree: &Tree, held: Held) -> Claimed {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let Some(dir) = folder(tree).or_else(|| make_folder(tree)) else {
            return Claimed::Nothing;
        };
        // Who ends a flight removes the file that somebody else may just have opened.
        for _ in 0..8 {
            let Ok(file) = dir.open_with(&held.key, &options) else {
                return Claimed::Nothing;
            };
            let file = file.into_std();
            let locked = file.try_lock().is_ok();
            let Ok(found) = file.metadata() else {
                return Claimed::Nothing;
            };
            match (locked, found.nlink() > 0) {
                (true, true) => {
                    // What a dead one said.
                    if found.len() > 0 && file.set_len(0).is_err() {
                        return Claimed::Nothing;
                    }
                    return Claimed::Ours(Self {
                        file,
                        dir,
                        held,
                        told: false,
                    });
                }
                (false, _) => return Claimed::Theirs(file, held),
                (true, false) => {}
            }
        }
        Claimed::Nothing
    }

    /// Others may read the body along, from the file of that name under `.cachy/tmp`.
    pub fn arriving(&mut self, arrival: &Arrival, file: &str) {
        self.say(&News::Arriving {
            record: Box::new((*arrival.record).clone()),
            why: arrival.why,
            file: file.to_owned(),
            length: arrival.pipe.announced(),
        });
    }

    /// It is over. `whole`: all of the body is in the file.
    pub fn over(&mut self, outcome: &Outcome, whole: bool) {
        let outcome = outcome.clone();
        self.say(&News::Over { outcome, whole });
        self.told = true;
    }

    /// Whether another process wants it.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        !matches!(
            fcntl_getlk(&self.file, &Flock::from(FlockType::WriteLock)),
            Ok(None)
        )
    }

    fn say(&mut self, news: &News) {
        // In one piece: who reads half a line waits for the rest.
        if let Some(line) = news.line() {
            let _ = self.file.write_all(&line);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.told {
            self.over(&Outcome::Again, false);
        }
        // Before the lock goes, so that nobody who gets that finds what is said here.
        let _ = self.dir.remove_file(&self.held.key);
    }
}

/// The folder of the claims, where it is there.
fn folder(tree: &Tree) -> Option<Dir> {
    tree.dir().ok()?.open_dir(FLIGHTS).ok()
}

/// As [`folder`]; somebody may have removed all of `.cachy`.
fn make_folder(tree: &Tree) -> Option<Dir> {
    tree.prepare().ok()?;
    let _ = tree.dir().ok()?.create_dir(FLIGHTS);
    folder(tree)
}

/// Removes the claims of the dead.
pub(super) fn sweep(tree: &Tree) {
    let Some(dir) = folder(tree) else {
        return;
    };
    for entry in dir.entries().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let dead = dir
            .open(&name)
            .is_ok_and(|file| file.into_std().try_lock().is_ok());
        if dead {
            let _ = dir.remove_file(&name);
        }
    }
}
