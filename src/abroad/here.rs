//! Who uses a tree: every process holds a lock on one file together with the others, of the kind that
//! tells whether others have it (POSIX record locks, `F_GETLK`). The system releases it when the process
//! dies.

use std::fs::File;

use cap_std::fs::OpenOptions;
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Flock, FlockType, fcntl_getlk};

use crate::tree::Tree;

const FILE: &str = ".cachy/locks/here";

/// This process.
#[derive(Debug, Default)]
pub(super) struct Here(Option<File>);

impl Here {
    /// Tells the others.
    pub(super) fn enter(tree: &Tree) -> Self {
        let here = Self(open(tree));
        here.stay();
        here
    }

    /// Whether nobody else is there. Where no lock is to be had, claims aren't either.
    pub(super) fn is_alone(&self) -> bool {
        let Some(file) = &self.0 else {
            return true;
        };
        self.stay();
        let others = fcntl_getlk(file, &Flock::from(FlockType::WriteLock));
        !matches!(others, Ok(Some(_)))
    }

    /// Such a lock goes when this process closes any descriptor of the file, as it does when options
    /// change.
    fn stay(&self) {
        if let Some(file) = &self.0 {
            let _ = fcntl_lock(file, FlockOperation::NonBlockingLockShared);
        }
    }
}

/// Opens the file for reading: one that is open for writing would keep people from making the file
/// system read-only.
fn open(tree: &Tree) -> Option<File> {
    let dir = tree.dir().ok()?;
    let open = || dir.open(FILE).ok();
    let file = open().or_else(|| {
        let mut options = OpenOptions::new();
        options.write(true).create(true);
        drop(dir.open_with(FILE, &options).ok()?);
        open()
    });
    file.map(cap_std::fs::File::into_std)
}
