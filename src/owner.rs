//! Whose a file is: the bytes decide, not the clock. Where size and time agree with a record it is
//! cachy's; where only the time differs, as in a tree that was copied or restored, its SHA-256 is
//! compared once; else it is a person's.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::hex::hex;
use crate::layout::RelPath;
use crate::meta::{Meta, Record, Seen, Stored};
use crate::store::Store;
use crate::tree::Stat;

/// A file larger than this is read for its digest off the hot path only, bytes.
const QUICK: u64 = 1 << 20;

/// Whose a file is.
#[derive(Debug)]
pub enum Owner {
    /// Cachy's, by this record.
    Cachy(Record),
    /// A person's.
    Person {
        /// See [`crate::entry::Placed::media_type`].
        media_type: Option<Vec<u8>>,
    },
    /// See [`crate::entry::Found::Undecided`].
    Undecided,
    /// What a crash left of cachy's: as good as nothing.
    Torn,
}

/// What a file's size and time alone tell of whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// Cachy's, by this record.
    Cachy(&'a Record),
    /// A person's.
    Person,
    /// Nothing: the digest decides.
    Nothing,
    /// What a crash left of cachy's.
    Torn,
}

/// Tells whose a file is as far as its size and time can.
#[must_use]
pub fn told<'a>(store: &Store, meta: &'a Meta, stat: Stat) -> Told<'a> {
    let seen = Seen::from(stat);
    if let Some(written) = meta.cut {
        return if seen.mtime_ns <= written {
            Told::Torn
        } else {
            Told::Person
        };
    }
    if let Some(record) = meta.records.iter().find(|r| r.is_by_clock(seen)) {
        return if store.settled.covers(&store.tree, record) {
            Told::Cachy(record)
        } else {
            Told::Nothing
        };
    }
    if meta.records.iter().any(|r| is_torn(store, r, stat)) {
        return Told::Torn;
    }
    let same_size = |record: &Record| matches!(&record.stored, Stored::File { seen: s, .. } if s.size == seen.size);
    if meta.placed == Some(seen) || !meta.records.iter().any(same_size) {
        return Told::Person;
    }
    Told::Nothing
}

/// Whether a file is what a crash left of a record's: the same one, shorter, and not younger.
fn is_torn(store: &Store, record: &Record, stat: Stat) -> bool {
    let (Stored::File { seen, .. }, Some(unsettled)) = (&record.stored, &record.unsettled) else {
        return false;
    };
    stat.size < seen.size
        && stat.mtime_ns <= seen.mtime_ns
        && stat.id.1 == unsettled.inode
        && !store.settled.covers(&store.tree, record)
}

/// Tells whose a file is: by size and time, then by the digest.
///
/// # Errors
/// `Io` where it can't be read.
pub fn owner(
    store: &Store,
    slot: &RelPath,
    file: &File,
    stat: Stat,
    linked: bool,
    patient: bool,
) -> Result<Owner> {
    let person = |meta: Option<&Meta>| Owner::Person {
        media_type: meta.and_then(media_type),
    };
    if linked {
        return Ok(person(None));
    }
    let Some(meta) = Meta::load(&store.tree, slot)? else {
        return Ok(person(None));
    };
    let seen = Seen::from(stat);
    match told(store, &meta, stat) {
        Told::Cachy(record) => return Ok(Owner::Cachy(record.clone())),
        Told::Torn => return Ok(Owner::Torn),
        Told::Person => return Ok(person(Some(&meta))),
        Told::Nothing => {}
    }
    let digest = match store.digests.get(stat) {
        Some(digest) => digest,
        None if seen.size > QUICK && !patient => return Ok(Owner::Undecided),
        None => {
            let digest =
                digest(file).map_err(|e| Error::io("read", store.tree.path(slot.as_str()), e))?;
            store.digests.put(stat, digest.clone());
            digest
        }
    };
    let is = |record: &&Record| matches!(&record.stored, Stored::File { sha256, .. } if *sha256 == digest);
    let found = meta.records.iter().find(is).cloned();
    // Its size and time are a record's and its bytes are not: the disk never had them.
    let torn = |r: &Record| r.is_by_clock(seen) && !store.settled.covers(&store.tree, r);
    if found.is_none() && meta.records.iter().any(torn) {
        return Ok(Owner::Torn);
    }
    // So that it need not be read again after a restart; a tree that can't be written remembers
    // while it runs.
    if let Err(error) = store.settle(slot, seen, found.as_ref()) {
        store.troubles.say(&error);
    }
    Ok(found.map_or_else(|| person(Some(&meta)), Owner::Cachy))
}

fn media_type(meta: &Meta) -> Option<Vec<u8>> {
    let record = meta.records.iter().find(|r| r.status == 200)?;
    record.headers.get("content-type").map(<[u8]>::to_vec)
}

/// The SHA-256 of a file, lower-case hex.
///
/// # Errors
/// What the system says.
pub fn digest(file: &File) -> std::io::Result<String> {
    // An own descriptor would share the position; a reader by offset does not.
    let mut hash = Sha256::new();
    let mut bytes = vec![0; 256 << 10];
    let mut at = At { file, offset: 0 };
    loop {
        match at.read(&mut bytes)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&bytes[..read]),
        }
    }
}

struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(into, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// Digests of files by their identity, size and time, so that a tree that can't be written is read
/// once and not for each request.
#[derive(Debug, Default)]
pub struct Digests(Mutex<HashMap<Stat, String>>);

impl Digests {
    /// The digest of a file that is still the same.
    #[must_use]
    pub fn get(&self, stat: Stat) -> Option<String> {
        self.0.lock().get(&stat).cloned()
    }

    /// Remembers one.
    pub fn put(&self, stat: Stat, digest: String) {
        let mut known = self.0.lock();
        if known.len() >= 10_000 {
            known.clear();
        }
        known.insert(stat, digest);
    }
}
