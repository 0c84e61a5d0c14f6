//! A file on its way from a person into the tree.

use std::io;
use std::sync::Arc;

use super::text;
use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::key::Target;
use crate::store::Store;
use crate::upload::{self, Over};

/// The file, as far as it has come.
#[derive(Debug)]
pub struct Upload {
    target: Target,
    file: upload::Upload,
    /// Bytes that the client announced.
    announced: Option<u64>,
    size: u64,
}

impl Upload {
    /// Begins.
    ///
    /// # Errors
    /// `Io` where the disk is full or read-only, `Barred` where a link is in the way, `Condition`
    /// where `over` forbids it.
    pub fn begin(
        store: &Arc<Store>,
        target: Target,
        over: Over,
        announced: Option<u64>,
    ) -> Result<Self> {
        Ok(Self {
            file: upload::Upload::begin(Arc::clone(store), target.clone(), over)?,
            target,
            announced,
            size: 0,
        })
    }

    /// The next bytes.
    ///
    /// # Errors
    /// `Io` where the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write(bytes)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// All has come: it goes to its place. `see` is its address under `cachy_host`. Waits for the
    /// disk.
    pub fn finish(self, store: &Store, see: &str) -> Answer {
        let Self {
            target,
            file,
            announced,
            size,
        } = self;
        if let Some(announced) = announced.filter(|n| *n != size) {
            return text::plain(
                400,
                &format!("{announced} bytes were announced and {size} came: nothing is stored.\n"),
            );
        }
        match file.commit() {
            Ok(put) => text::placed(store, &target, &put, see),
            Err(error) => failed(&error),
        }
    }
}

/// The answer where the tree refuses.
pub fn failed(error: &Error) -> Answer {
    let (code, mend) = match error {
        Error::Io { source, .. } => match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => (507, "Make room there, then try again."),
            io::ErrorKind::ResourceBusy => (409, "It changes all the time: try again."),
            _ => (
                500,
                "See the rights of that folder, and what the system says of the disk.",
            ),
        },
        // RFC 9110 section 15.5.13.
        Error::Condition { .. } => (412, "Nothing is changed."),
        Error::Barred { .. } => (409, "Nothing is changed."),
        _ => (500, "Nothing is changed."),
    };
    text::plain(code, &format!("{error}.\n{mend}\n"))
}
