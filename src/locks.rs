//! Locks between threads and between processes on one tree: `flock` on files of `.cachy/locks`,
//! released by the system when a process dies.

use std::fs::{File, TryLockError};
use std::hash::{Hash, Hasher};
use std::io::ErrorKind;
use std::time::Duration;

use cap_std::fs::OpenOptions;

use crate::error::{Error, Result};
use crate::layout::RelPath;
use crate::tree::Tree;

/// Entries share this many lock files.
const STRIPES: u64 = 64;

/// How often a sweep tries to get a lock, and how long it waits in between.
const PATIENCE: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);

/// Held until dropped.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code)] File);

impl Tree {
    /// For whoever changes one entry.
    ///
    /// # Errors
    /// `Io` where the lock file can't be made.
    pub fn lock_entry(&self, rel: &RelPath) -> Result<Lock> {
        self.lock(&stripe(rel), false)
    }

    /// As [`Tree::lock_entry`], where nobody holds it.
    #[must_use]
    pub fn try_lock_entry(&self, rel: &RelPath) -> Option<Lock> {
        self.try_lock_alone(&stripe(rel))
    }

    /// For whoever relies on files staying files: many at a time.
    ///
    /// # Errors
    /// `Io` where the lock file can't be made.
    pub fn lock_shape_shared(&self) -> Result<Lock> {
        self.lock("shape", true)
    }

    /// For whoever turns a file into a folder: alone.
    ///
    /// # Errors
    /// `Io` where the lock file can't be made.
    pub fn lock_shape(&self) -> Result<Lock> {
        self.lock_alone("shape")
    }

    /// For whoever changes a thing of that name that all share: alone.
    ///
    /// # Errors
    /// `Io` where the lock file can't be made.
    pub(crate) fn lock_alone(&self, name: &str) -> Result<Lock> {
        self.lock(name, false)
    }

    /// As [`Tree::lock_alone`], where nobody holds it.
    #[must_use]
    pub(crate) fn try_lock_alone(&self, name: &str) -> Option<Lock> {
        let file = self.lock_file(name).ok()?;
        file.try_lock().is_ok().then_some(Lock(file))
    }

    /// For whoever makes a link under `.cachy/tmp`, as long as it is there: many at a time.
    ///
    /// # Errors
    /// `Io` where the lock file can't be made.
    pub(crate) fn lock_links_shared(&self) -> Result<Lock> {
        self.lock("links", true)
    }

    /// For whoever sweeps: alone, `None` where others are busy all the time.
    pub(crate) fn lock_for_sweep(&self) -> Option<(Lock, Lock)> {
        // In the order in which whoever stores a status takes them.
        let links = self.lock_patiently("links")?;
        let shape = self.lock_patiently("shape")?;
        Some((links, shape))
    }

    fn lock_patiently(&self, name: &str) -> Option<Lock> {
        let file = self.lock_file(name).ok()?;
        for _ in 0..PATIENCE {
            match file.try_lock() {
                Ok(()) => return Some(Lock(file)),
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(_)) => return None,
            }
        }
        None
    }

    fn lock(&self, name: &str, shared: bool) -> Result<Lock> {
        let file = self.lock_file(name)?;
        let locked = if shared {
            file.lock_shared()
        } else {
            file.lock()
        };
        locked.map_err(|e| Error::io("lock", self.path(&path_of(name)), e))?;
        Ok(Lock(file))
    }

    fn lock_file(&self, name: &str) -> Result<File> {
        let path = path_of(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true);
        let open = || {
            self.dir()?
                .open_with(&path, &options)
                .map_err(|e| Error::io("open", self.path(&path), e))
        };
        let file = match open() {
            // Somebody removed `.cachy` under us.
            Err(error) if error.kind() == Some(ErrorKind::NotFound) => {
                self.prepare()?;
                open()
            }
            file => file,
        };
        Ok(file?.into_std())
    }
}

fn path_of(name: &str) -> String {
    format!(".cachy/locks/{name}")
}

/// The variants of a name share its lock.
fn stripe(rel: &RelPath) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    rel.as_str().split("%~v-").next().hash(&mut hasher);
    format!("{:02x}", hasher.finish() % STRIPES)
}
