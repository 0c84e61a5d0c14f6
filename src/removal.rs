//! Taking entries out of the tree while others use it: the file first, its metadata then, so that
//! a crash in between never leaves cachy's own file looking like a person's.

use crate::error::Result;
use crate::key::Target;
use crate::layout::{RelPath, path_of};
use crate::locks::Lock;
use crate::meta::{Meta, Stored};
use crate::place::Expected;
use crate::store::Store;
use crate::survey::{self, Item, Kind, Whose};

/// What became of one file or link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It is gone.
    Removed,
    /// It was gone already, or something else lies there now.
    Changed,
}

/// The right to change one URL's files.
#[derive(Debug)]
pub struct Alone {
    _shape: Lock,
    _entry: Lock,
}

impl Store {
    /// Waits for the right to change what lies at a nominal path and beside it.
    ///
    /// # Errors
    /// `Io` where the lock can't be made: a tree that can't be written.
    pub fn alone(&self, nominal: &RelPath) -> Result<Alone> {
        Ok(Alone {
            _shape: self.tree.lock_shape_shared()?,
            _entry: self.tree.lock_entry(nominal)?,
        })
    }

    /// As [`Store::alone`], unless somebody has it.
    ///
    /// # Errors
    /// As [`Store::alone`].
    pub fn try_alone(&self, nominal: &RelPath) -> Result<Option<Alone>> {
        let shape = self.tree.lock_shape_shared()?;
        let entry = self.tree.try_lock_entry(nominal);
        Ok(entry.map(|entry| Alone {
            _shape: shape,
            _entry: entry,
        }))
    }

    /// Removes one file or link with its metadata.
    ///
    /// # Errors
    /// `Io` where the system refuses, `Barred` behind a link.
    pub fn take(&self, _alone: &Alone, item: &Item) -> Result<Gone> {
        let expected = match &item.kind {
            Kind::File(stat) => Expected::File(*stat),
            Kind::Status { text, .. } => Expected::Link(text.clone()),
            Kind::Link => {
                let text = self.tree.dir()?.read_link_contents(item.path.as_str());
                let text = text.map_err(|e| self.tree.refused(item.path.as_str(), e))?;
                Expected::Link(text.to_string_lossy().into_owned())
            }
        };
        if !self.tree.take_away(&item.path, &expected)? {
            return Ok(Gone::Changed);
        }
        if let Some(slot) = item.slot() {
            Meta::remove(&self.tree, &slot);
        }
        Ok(Gone::Removed)
    }

    /// Removes the folders above a path as far as they are empty.
    ///
    /// # Errors
    /// `Io` where the lock can't be made.
    pub fn remove_empty_above(&self, path: &RelPath) -> Result<u64> {
        let dir = self.tree.dir()?;
        let mut count = 0;
        let mut folder = path.parent();
        while let Some(name) = folder {
            // Nobody makes a folder and comes back to put something into it meanwhile: `Store::put`
            // makes it anew.
            match dir.remove_dir(name) {
                Ok(()) => count += 1,
                Err(_) => break,
            }
            folder = name.rsplit_once('/').map(|(above, _)| above);
        }
        Ok(count)
    }

    /// The files and links of one URL, its variants' first: what lies there now. `listed` are paths
    /// that a survey has seen, as not every variant is still listed.
    ///
    /// # Errors
    /// `Io` where they can't be read.
    pub fn parts(&self, nominal: &RelPath, listed: &[RelPath]) -> Result<Vec<Item>> {
        let meta = Meta::load(&self.tree, nominal)?;
        let variants = meta.map_or_else(Vec::new, |meta| meta.variants);
        let mut slots: Vec<RelPath> = variants.iter().map(|name| nominal.variant(name)).collect();
        let own = [nominal.clone(), nominal.as_self()];
        let more = listed.iter().filter(|path| !own.contains(path));
        slots.extend(more.cloned());
        slots.sort_unstable();
        slots.dedup();
        let mut parts = Vec::new();
        for slot in slots {
            parts.extend(survey::at(self, &slot, true)?);
        }
        parts.extend(survey::of(self, nominal, true)?);
        Ok(parts)
    }
}

/// What was removed, or would be.
#[derive(Debug, Default)]
pub struct Removed {
    /// Those that went.
    pub gone: Vec<Item>,
    /// A person's files, which stay unless they are meant too.
    pub kept: Vec<Item>,
    /// It was known that the origin only adds a slash there, and is no more.
    pub forgotten: bool,
}

/// Removes what a person means. `force`: people's files too. `dry`: only tells what would go.
///
/// # Errors
/// `Io` where the tree can't be read or written.
pub fn remove(
    store: &Store,
    pattern: &crate::pattern::Pattern,
    force: bool,
    dry: bool,
) -> Result<Removed> {
    let mut meant: Vec<(RelPath, Vec<RelPath>)> = Vec::new();
    let mut lone = Vec::new();
    let mut removed = Removed::default();
    if let Some(place) = pattern.place()
        && let Some(item) = survey::of(store, &place, true)?.filter(|item| pattern.names(item))
    {
        match &item.named {
            Ok(named) if named.variant.is_none() => meant.push((named.nominal.clone(), Vec::new())),
            _ => lone.push(item),
        }
    } else if let Some(place) = pattern.place() {
        removed.forgotten = forget_slash(store, &place, dry)?;
    }
    if meant.is_empty() && lone.is_empty() {
        survey::walk(store, false, |item| {
            if pattern.names(&item) || pattern.globs(&item) {
                match (&item.named, meant.last_mut()) {
                    (Ok(named), Some((last, paths))) if *last == named.nominal => {
                        paths.push(item.path);
                    }
                    (Ok(named), _) => meant.push((named.nominal.clone(), vec![item.path])),
                    (Err(_), _) => lone.push(item),
                }
            }
            std::ops::ControlFlow::Continue(())
        })?;
    }
    for (nominal, listed) in meant {
        removed.take_all(store, &nominal, &listed, force, dry)?;
    }
    for item in lone {
        let slot = item.slot().unwrap_or_else(|| item.path.clone());
        let alone = (!dry).then(|| store.alone(&slot)).transpose()?;
        removed.take(store, alone.as_ref(), item, force)?;
    }
    if !dry {
        for item in &removed.gone {
            store.remove_empty_above(&item.path)?;
        }
    }
    Ok(removed)
}

/// Removes what answers for a URL, whoever put it there. Returns whether there was anything.
///
/// # Errors
/// As [`remove`].
pub fn remove_target(store: &Store, target: &Target) -> Result<bool> {
    let nominal = path_of(target);
    let forgotten = forget_slash(store, &nominal, false)?;
    let mut removed = Removed::default();
    if survey::of(store, &nominal, true)?.is_some() {
        removed.take_all(store, &nominal, &[], true, false)?;
    }
    for item in &removed.gone {
        store.remove_empty_above(&item.path)?;
    }
    Ok(forgotten || !removed.gone.is_empty())
}

impl Removed {
    fn take_all(
        &mut self,
        store: &Store,
        nominal: &RelPath,
        listed: &[RelPath],
        force: bool,
        dry: bool,
    ) -> Result<()> {
        let alone = (!dry).then(|| store.alone(nominal)).transpose()?;
        for item in store.parts(nominal, listed)? {
            self.take(store, alone.as_ref(), item, force)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        store: &Store,
        alone: Option<&Alone>,
        item: Item,
        force: bool,
    ) -> Result<()> {
        if matches!(item.whose, Whose::Person) && !force {
            self.kept.push(item);
            return Ok(());
        }
        match alone.map(|alone| store.take(alone, &item)).transpose()? {
            None | Some(Gone::Removed) => self.gone.push(item),
            Some(Gone::Changed) => {}
        }
        Ok(())
    }
}

/// Forgets that an origin only adds a slash, which is known by metadata alone. Returns whether it was
/// known.
fn forget_slash(store: &Store, nominal: &RelPath, dry: bool) -> Result<bool> {
    let known = |store: &Store| -> Result<bool> {
        let meta = Meta::load(&store.tree, nominal)?;
        let slash = |meta: Meta| {
            let mut records = meta.records.iter();
            records.any(|record| matches!(record.stored, Stored::Slash { .. }))
        };
        Ok(meta.is_some_and(slash) && survey::of(store, nominal, false)?.is_none())
    };
    if !known(store)? || dry {
        return known(store);
    }
    let _alone = store.alone(nominal)?;
    let still = known(store)?;
    if still {
        Meta::remove(&store.tree, nominal);
    }
    Ok(still)
}
