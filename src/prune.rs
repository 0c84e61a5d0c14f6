//! Making room: entries that were not used for long go, the least recently used first. A person's
//! file never does, nor what is being read or fetched.
//!
//! Who streams a body holds a shared `flock` on the file meanwhile (see [`crate::answer`]), across
//! processes and until the process dies; an eviction needs the file alone. An entry is a URL: its
//! variants go with it, and the last use of any of them is the last use of all. What counts is the
//! bytes of cachy's bodies and of their metadata; people's files count for nothing.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::ControlFlow;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::OpenOptions;

use crate::error::Result;
use crate::layout::RelPath;
use crate::meta::Millis;
use crate::orphans;
use crate::removal::Gone;
use crate::store::Store;
use crate::survey::{self, Item, Kind, Whose};

/// Metadata without a file is left alone for an hour: somebody may be copying a tree, its metadata
/// before its bodies.
const HOUR: Millis = 3_600_000;

/// What has to go.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes.
    pub max_size: Option<u64>,
    /// Where there is more than `max_size`, down to so many bytes.
    pub down_to: Option<u64>,
    /// What was last used before this time.
    pub unused_since: Option<Millis>,
    /// Metadata whose file is gone, once it is so old, milliseconds.
    pub orphans_after: Millis,
    /// Only tell what would go.
    pub dry_run: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_size: None,
            down_to: None,
            unused_since: None,
            orphans_after: HOUR,
            dry_run: false,
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Entries that went, or would go.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their URLs, in the order in which they went.
    pub urls: Vec<String>,
    /// Entries that should have gone and are being read or changed.
    pub busy: u64,
    /// Records of files that were gone.
    pub orphans: u64,
    /// Entries that are left.
    pub left_entries: u64,
    /// Their bytes.
    pub left_bytes: u64,
    /// Another one is at it: nothing was done.
    pub elsewhere: bool,
}

/// All that is cachy's of one URL.
#[derive(Debug)]
struct Unit {
    nominal: RelPath,
    url: String,
    paths: Vec<RelPath>,
    bytes: u64,
    used: Millis,
    /// Something lies at its own path, without which nobody finds its variants.
    found: bool,
    /// A variant of it is a person's, which would be out of reach without it.
    kept: bool,
}

/// Looks through the tree and removes what has to go. `over`: whether to stop. Takes long.
///
/// # Errors
/// `Io` where the tree can't be read or written.
pub fn prune(
    store: &Store,
    limits: &Limits,
    now: Millis,
    over: &dyn Fn() -> bool,
) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    if store.tree.dir().is_err() {
        return Ok(pruned);
    }
    let _alone = if limits.dry_run {
        None
    } else {
        // A tree that can't be written says so here.
        drop(store.tree.lock_shape_shared()?);
        let alone = store.tree.try_lock_alone("prune");
        // Two at once would each make all the room.
        pruned.elsewhere = alone.is_none();
        alone
    };
    let mut units = survey(store, over)?;
    pruned.left_entries = units.len() as u64;
    pruned.left_bytes = units.iter().map(|unit| unit.bytes).sum();
    if pruned.elsewhere {
        return Ok(pruned);
    }
    let most = limits.max_size.unwrap_or(u64::MAX);
    let target = if pruned.left_bytes > most {
        limits.down_to.unwrap_or(most)
    } else {
        most
    };
    // What nobody finds goes first, then what would not fit in an empty tree either.
    units.sort_by_key(|unit| (unit.found, Reverse(unit.bytes > most), unit.used));
    for unit in units {
        if over() {
            break;
        }
        let old = limits.unused_since.is_some_and(|since| unit.used < since);
        if unit.kept || !(old || pruned.left_bytes > target) {
            continue;
        }
        let gone = evict(store, &unit, limits.dry_run).unwrap_or_else(|error| {
            store.troubles.say(&error);
            false
        });
        if !gone {
            pruned.busy += 1;
            continue;
        }
        pruned.entries += 1;
        pruned.bytes += unit.bytes;
        pruned.left_entries -= 1;
        pruned.left_bytes -= unit.bytes;
        pruned.urls.push(unit.url);
    }
    pruned.orphans = orphans::remove(store, limits.orphans_after, now, limits.dry_run, over)?;
    Ok(pruned)
}

/// All entries of cachy's.
fn survey(store: &Store, over: &dyn Fn() -> bool) -> Result<Vec<Unit>> {
    let mut units: HashMap<RelPath, Unit> = HashMap::new();
    survey::walk(store, true, |item| {
        if let Ok(named) = &item.named {
            let unit = units.entry(named.nominal.clone()).or_insert_with(|| Unit {
                nominal: named.nominal.clone(),
                url: item.url().unwrap_or_default(),
                paths: Vec::new(),
                bytes: 0,
                used: 0,
                found: false,
                kept: false,
            });
            unit.found |= named.variant.is_none();
            match item.whose {
                Whose::Cachy(_) => {
                    unit.bytes += item.size() + item.meta_size;
                    unit.used = unit.used.max(item.used.unwrap_or(0));
                    unit.paths.push(item.path);
                }
                Whose::Person | Whose::Undecided => unit.kept |= named.variant.is_some(),
            }
        }
        if over() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    let units = units.into_values();
    Ok(units.filter(|unit| !unit.paths.is_empty()).collect())
}

/// Removes what is cachy's of a URL, if nobody uses it. Returns whether it did, or would.
fn evict(store: &Store, unit: &Unit, dry: bool) -> Result<bool> {
    if store.flights.has(&unit.url) {
        return Ok(false);
    }
    let alone = if dry {
        None
    } else {
        match store.try_alone(&unit.nominal)? {
            None => return Ok(false),
            alone => alone,
        }
    };
    let mut parts = store.parts(&unit.nominal, &unit.paths)?;
    let persons = |item: &Item| !matches!(item.whose, Whose::Cachy(_));
    let variant = |item: &Item| item.named.as_ref().is_ok_and(|n| n.variant.is_some());
    if parts.iter().any(|item| persons(item) && variant(item)) {
        return Ok(false);
    }
    parts.retain(|item| !persons(item));
    // Used, or stored anew, since the survey.
    if parts
        .iter()
        .any(|item| item.used.is_some_and(|used| used > unit.used))
    {
        return Ok(false);
    }
    // Until all of it is gone nobody begins to read it.
    let mut held = Vec::new();
    for item in &parts {
        if matches!(item.kind, Kind::File(_)) {
            match hold(store, item) {
                None => return Ok(false),
                Some(file) => held.push(file),
            }
        }
    }
    let Some(alone) = alone else {
        return Ok(true);
    };
    for item in &parts {
        if store.take(&alone, item)? == Gone::Changed {
            return Ok(false);
        }
    }
    for item in &parts {
        store.remove_empty_above(&item.path)?;
    }
    Ok(true)
}

/// The file, locked for ourselves; `None` while somebody reads it.
fn hold(store: &Store, item: &Item) -> Option<std::fs::File> {
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No);
    let dir = store.tree.dir().ok()?;
    let file = dir.open_with(item.path.as_str(), &options).ok()?.into_std();
    match file.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => None,
        // Where locks are not to be had, readers keep what they have open all the same.
        Ok(()) | Err(std::fs::TryLockError::Error(_)) => Some(file),
    }
}
