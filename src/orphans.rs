//! Metadata whose file is gone, because a person removed it or a crash came in between.

use cap_std::fs::{Dir, MetadataExt};

use crate::error::Result;
use crate::key::Target;
use crate::layout::{RelPath, path_of};
use crate::meta::{META, Meta, Millis, Record, Stored, file_of};
use crate::select;
use crate::store::Store;
use crate::survey;

/// Removes records without a file that have been left alone for `after` milliseconds. Returns
/// how many there were.
///
/// # Errors
/// `Io` where the tree can't be written.
pub fn remove(
    store: &Store,
    after: Millis,
    now: Millis,
    dry: bool,
    over: &dyn Fn() -> bool,
) -> Result<u64> {
    let Ok(meta) = store.tree.dir()?.open_dir(META) else {
        return Ok(0);
    };
    let mut count = 0;
    for folder in meta.entries().into_iter().flatten().flatten() {
        let Ok(files) = folder.open_dir() else {
            continue;
        };
        for file in files.entries().into_iter().flatten().flatten() {
            if over() {
                return Ok(count);
            }
            // The time of the last change of any kind, which no copy takes along.
            let changed = file
                .metadata()
                .map_or(Millis::MAX, |m| m.ctime().saturating_mul(1000));
            let name = file.file_name();
            let old = changed <= now.saturating_sub(after);
            let Some(slot) = old
                .then(|| slot_of(&files, &folder.file_name(), &name))
                .flatten()
            else {
                continue;
            };
            if is_orphan(store, &slot)? {
                count += 1;
                if !dry {
                    forget(store, &slot)?;
                }
            }
        }
    }
    Ok(count)
}

/// Whose metadata a file is; `None` where it doesn't tell, which is left alone.
fn slot_of(
    files: &Dir,
    folder: &std::ffi::OsStr,
    name: &std::ffi::OsStr,
) -> Option<(RelPath, RelPath)> {
    let meta: Meta = serde_json::from_slice(&files.read(name).ok()?).ok()?;
    let nominal = path_of(&Target::parse(&meta.url).ok()?);
    let here = format!("{META}/{}/{}", folder.to_str()?, name.to_str()?);
    if file_of(&nominal) == here {
        return Some((nominal.clone(), nominal));
    }
    let of_variant = |record: &Record| {
        let coding = record.headers.list("content-encoding");
        nominal.variant(&select::variant_name(&record.selecting, &coding))
    };
    let slot = meta
        .records
        .iter()
        .map(of_variant)
        .find(|slot| file_of(slot) == here)?;
    Some((nominal, slot))
}

/// Whether nothing lies in the tree for it.
fn is_orphan(store: &Store, (nominal, slot): &(RelPath, RelPath)) -> Result<bool> {
    if survey::of(store, slot, false)?.is_some() {
        return Ok(false);
    }
    let meta = Meta::load(&store.tree, slot)?;
    let slash = meta.is_some_and(|meta| {
        let mut records = meta.records.iter();
        records.any(|r| matches!(r.stored, Stored::Slash { .. }))
    });
    // A slash that the origin adds is known as long as what lies behind it is there.
    let index = RelPath::checked(&format!("{}/index.html", nominal.as_str()));
    let kept = match index.filter(|_| slash) {
        Some(index) => survey::of(store, &index, false)?.is_some(),
        None => false,
    };
    Ok(!kept)
}

fn forget(store: &Store, slot: &(RelPath, RelPath)) -> Result<()> {
    // Between the record and its file somebody who stores holds this.
    let Some(_alone) = store.try_alone(&slot.0)? else {
        return Ok(());
    };
    if is_orphan(store, slot)? {
        Meta::remove(&store.tree, &slot.1);
    }
    Ok(())
}
