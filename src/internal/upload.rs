//! A file on its way from a person into the tree.

use std::fs::File;
use std::io::{self, Write};

use super::text;
use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::key::Target;
use crate::place::Temp;
use crate::put::Placing;
use crate::store::Store;

/// The file, as far as it has come.
#[derive(Debug)]
pub struct Upload {
    target: Target,
    temp: Temp,
    file: File,
    /// Bytes that the client announced.
    announced: Option<u64>,
    size: u64,
}

impl Upload {
    /// Begins.
    ///
    /// # Errors
    /// `Io` where the disk is full or read-only.
    pub fn begin(store: &Store, target: Target, announced: Option<u64>) -> Result<Self> {
        let (temp, file) = store.tree.temp_file()?;
        Ok(Self {
            target,
            temp,
            file,
            announced,
            size: 0,
        })
    }

    /// The next bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// All has come: it goes to its place. `see` is its address under `cachy_host`. Waits for the
    /// disk.
    pub fn finish(self, store: &Store, see: &str) -> Answer {
        let Self {
            target,
            temp,
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
        match store.place_for_person(&target, temp, &file) {
            Ok(Placing::Busy) => text::plain(
                409,
                &format!("{} changes all the time: try again.\n", target.url()),
            ),
            Ok(placing) => text::placed(store, &target, placing, see),
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
            _ => (
                500,
                "See the rights of that folder, and what the system says of the disk.",
            ),
        },
        Error::Barred { .. } => (409, "Nothing is changed."),
        _ => (500, "Nothing is changed."),
    };
    text::plain(code, &format!("{error}.\n{mend}\n"))
}
