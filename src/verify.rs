//! Whether the bytes of an entry are still those of its record. What lies there with its record's
//! size and time and other bytes was not changed by a person: the disk, or a copy, broke it.

use crate::error::{Error, Result};
use crate::layout::RelPath;
use crate::meta::{Record, Stored};
use crate::owner::digest;
use crate::removal::Gone;
use crate::store::Store;
use crate::survey::{self, Item, Kind, Whose};
use crate::tree::{Lying, Stat};

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its bytes are its record's.
    Whole,
    /// It has no bytes of its own: a status.
    Status,
    /// A person's, of which cachy knows no digest.
    Person,
    /// It was removed or replaced meanwhile.
    Gone,
    /// Its bytes are not its record's.
    Broken {
        /// The digest that it has, lower-case hex.
        found: String,
        /// The digest of the record.
        recorded: String,
        /// It was removed, so that it is fetched again.
        dropped: bool,
    },
}

/// Reads one file of the tree and compares it with its record. With `drop`, a broken one is removed.
/// Takes as long as reading takes.
///
/// # Errors
/// `Io` where it can't be read, or removed.
pub fn verify(store: &Store, path: &RelPath, drop: bool) -> Result<Verdict> {
    let Some(item) = survey::at(store, path, true)? else {
        return Ok(Verdict::Gone);
    };
    let (record, stat) = match (&item.whose, &item.kind) {
        (Whose::Cachy(record), Kind::File(stat)) => (record, *stat),
        (Whose::Cachy(_), _) => return Ok(Verdict::Status),
        (Whose::Person | Whose::Undecided, _) => return Ok(Verdict::Person),
    };
    let Some((found, recorded)) = differs(store, &item, record, stat)? else {
        return Ok(Verdict::Whole);
    };
    let nominal = match &item.named {
        Ok(named) => &named.nominal,
        Err(_) => return Ok(Verdict::Person),
    };
    // A proxy may have put the next one there between the look at the record and that at the file.
    let alone = match store.alone(nominal) {
        Ok(alone) => Some(alone),
        Err(error) if drop => return Err(error),
        // A tree that can't be written changes little.
        Err(_) => None,
    };
    let now = survey::at(store, path, true)?;
    let same = now.filter(|now| {
        matches!(now.kind, Kind::File(s) if s == stat) && now.record() == Some(record)
    });
    let Some(now) = same else {
        return Ok(Verdict::Gone);
    };
    let dropped = match alone.filter(|_| drop) {
        Some(alone) => store.take(&alone, &now)? == Gone::Removed,
        None => false,
    };
    Ok(Verdict::Broken {
        found,
        recorded,
        dropped,
    })
}

/// The digest of the file and that of its record, where they differ.
fn differs(
    store: &Store,
    item: &Item,
    record: &Record,
    stat: Stat,
) -> Result<Option<(String, String)>> {
    let Stored::File { sha256, .. } = &record.stored else {
        return Ok(None);
    };
    let Lying::File {
        file, stat: now, ..
    } = store.tree.look(&item.path)?
    else {
        return Ok(None);
    };
    if now != stat {
        return Ok(None);
    }
    let path = store.tree.path(item.path.as_str());
    let found = digest(&file).map_err(|e| Error::io("read", path, e))?;
    Ok((found != *sha256).then(|| (found, sha256.clone())))
}
