//! What lies in the whole tree, or at one place of it: path, URL, whose it is, when it was used.

use std::cell::RefCell;
use std::ops::ControlFlow;

use cap_std::fs::{FileType, Metadata};

use crate::entry::status_record;
use crate::error::{Error, Result};
use crate::last_use;
use crate::layout::{LayoutError, Named, RelPath, target_of};
use crate::link::StatusLink;
use crate::meta::{Meta, Millis, Record};
use crate::owner::{Owner, Told, owner, told};
use crate::store::Store;
use crate::tree::{Lying, Stat};

/// One file or link.
#[derive(Debug)]
pub struct Item {
    /// Where it lies.
    pub path: RelPath,
    /// Its URL, or why no request finds it.
    pub named: std::result::Result<Named, LayoutError>,
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub whose: Whose,
    /// When it was last used, where it has metadata.
    pub used: Option<Millis>,
    /// Bytes of its metadata.
    pub meta_size: u64,
}

/// What lies there.
#[derive(Debug)]
pub enum Kind {
    /// A body.
    File(Stat),
    /// A status.
    Status {
        /// What it says.
        link: StatusLink,
        /// Its text.
        text: String,
    },
    /// A person's link to another file.
    Link,
}

/// Whose it is.
#[derive(Debug)]
pub enum Whose {
    /// Cachy's, by this record.
    Cachy(Box<Record>),
    /// A person's.
    Person,
    /// Only the digest of the file would tell, as in a tree that was copied without its times.
    Undecided,
}

impl Item {
    /// Bytes of the body.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.kind {
            Kind::File(stat) => stat.size,
            Kind::Status { .. } | Kind::Link => 0,
        }
    }

    /// What cachy knows of it, where it is cachy's.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        match &self.whose {
            Whose::Cachy(record) => Some(record),
            Whose::Person | Whose::Undecided => None,
        }
    }

    /// Whose metadata it has: a nominal path or a variant's.
    #[must_use]
    pub fn slot(&self) -> Option<RelPath> {
        self.named.as_ref().ok().map(slot)
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        let named = self.named.as_ref().ok()?;
        let mut target = named.target.clone();
        // A variant's own record knows by which scheme it came.
        if let Some(other) = self.record().and_then(|r| target.with_scheme(r.scheme)) {
            target = other;
        }
        Some(target.url())
    }
}

fn slot(named: &Named) -> RelPath {
    let variant = named.variant.as_ref();
    variant.map_or_else(|| named.nominal.clone(), |hash| named.nominal.variant(hash))
}

/// What lies at exactly this path; `None` where that is nothing, a folder, or not for a cache.
/// `patient`: files are read where only their digest tells whose they are.
///
/// # Errors
/// `Io` where it can't be read.
pub fn at(store: &Store, path: &RelPath, patient: bool) -> Result<Option<Item>> {
    let Ok(dir) = store.tree.dir() else {
        return Ok(None);
    };
    match dir.symlink_metadata(path.as_str()) {
        Ok(meta) => item(store, path.clone(), &meta, patient),
        Err(_) => Ok(None),
    }
}

/// What lies at a nominal path or a variant's, wherever that has moved to.
///
/// # Errors
/// As [`at`].
pub fn of(store: &Store, slot: &RelPath, patient: bool) -> Result<Option<Item>> {
    match at(store, slot, patient)? {
        None => at(store, &slot.as_self(), patient),
        found => Ok(found),
    }
}

/// Shows all of the tree, folder by folder, until `visit` has seen enough. What can't be read is
/// said in the log.
///
/// # Errors
/// `Io` where the tree itself can't be read. None at all is an empty one.
pub fn walk(
    store: &Store,
    patient: bool,
    mut visit: impl FnMut(Item) -> ControlFlow<()>,
) -> Result<()> {
    let dir = match store.tree.dir() {
        Err(error) if error.kind() == Some(std::io::ErrorKind::NotFound) => return Ok(()),
        dir => dir?,
    };
    let failed = |path: &str, e| Error::io("read", store.tree.path(path), e);
    let mut names = list(&dir, ".").map_err(|e| failed("", e))?;
    names.retain(|(name, kind)| kind.is_dir() && !name.starts_with('.'));
    let mut folders: Vec<String> = names.into_iter().map(|(name, _)| name).rev().collect();
    while let Some(folder) = folders.pop() {
        let names = match list(&dir, &folder) {
            Ok(names) => names,
            Err(error) => {
                store.troubles.say(&failed(&folder, error));
                continue;
            }
        };
        let (inner, files): (Vec<_>, Vec<_>) = names.into_iter().partition(|(_, k)| k.is_dir());
        for (name, _) in files {
            let Some(path) = RelPath::checked(&format!("{folder}/{name}")) else {
                continue;
            };
            match at(store, &path, patient) {
                Ok(Some(item)) => {
                    if visit(item).is_break() {
                        return Ok(());
                    }
                }
                Ok(None) => {}
                Err(error) => store.troubles.say(&error),
            }
        }
        let inner = inner.into_iter().rev();
        folders.extend(inner.map(|(name, _)| format!("{folder}/{name}")));
    }
    Ok(())
}

/// Names and kinds of what lies in a folder, by name; a name that isn't UTF-8 is no URL's.
fn list(dir: &cap_std::fs::Dir, folder: &str) -> std::io::Result<Vec<(String, FileType)>> {
    let mut names = Vec::new();
    for entry in dir.read_dir(folder)? {
        let entry = entry?;
        if let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) {
            names.push((name, kind));
        }
    }
    names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(names)
}

fn item(store: &Store, path: RelPath, lying: &Metadata, patient: bool) -> Result<Option<Item>> {
    let kind = if lying.is_file() {
        Kind::File(Stat::seen(lying))
    } else if lying.is_symlink() {
        let text = store.tree.dir()?.read_link_contents(path.as_str());
        let text = text
            .ok()
            .and_then(|text| text.into_os_string().into_string().ok());
        match text.and_then(|text| Some((StatusLink::parse(&text)?, text))) {
            Some((link, text)) => Kind::Status { link, text },
            None => Kind::Link,
        }
    } else {
        return Ok(None);
    };
    // The metadata of the nominal path is asked for its URL first, and is mostly the one wanted.
    let last: RefCell<Option<(RelPath, Option<Meta>)>> = RefCell::new(None);
    let load = |rel: &RelPath| -> Option<Meta> {
        let known = last
            .borrow()
            .as_ref()
            .and_then(|(at, meta)| (at == rel).then(|| meta.clone()));
        known.unwrap_or_else(|| {
            let meta = Meta::load(&store.tree, rel).ok().flatten();
            *last.borrow_mut() = Some((rel.clone(), meta.clone()));
            meta
        })
    };
    let named = target_of(path.as_str(), |rel| {
        let known = load(rel).filter(|meta| meta.cut.is_none());
        known.map(|meta| meta.url)
    });
    let Ok(name) = &named else {
        // No request finds it, so cachy can't have stored it.
        return Ok(Some(Item {
            path,
            named,
            kind,
            whose: Whose::Person,
            used: None,
            meta_size: 0,
        }));
    };
    let slot = slot(name);
    let whose = match (load(&slot), &kind) {
        (None, _) | (_, Kind::Link) => Whose::Person,
        (Some(meta), Kind::Status { text, .. }) => cachys(status_record(meta, text)),
        (Some(meta), Kind::File(stat)) => match told(store, &meta, *stat) {
            Told::Cachy(record) => Whose::Cachy(Box::new(record.clone())),
            Told::Person => Whose::Person,
            Told::Nothing if patient => read(store, &slot)?,
            Told::Nothing => match store.digests.get(*stat) {
                Some(_) => read(store, &slot)?,
                None => Whose::Undecided,
            },
            // It goes when it is next asked for.
            Told::Torn => Whose::Undecided,
        },
    };
    let (used, meta_size) = match last_use::footprint(&store.tree, &slot) {
        Some((used, size)) => (Some(used), size),
        None => (None, 0),
    };
    Ok(Some(Item {
        path,
        named,
        kind,
        whose,
        used,
        meta_size,
    }))
}

/// Has the digest decide.
fn read(store: &Store, slot: &RelPath) -> Result<Whose> {
    let Lying::File {
        file, stat, linked, ..
    } = store.tree.look(slot)?
    else {
        return Ok(Whose::Person);
    };
    Ok(match owner(store, slot, &file, stat, linked, true)? {
        Owner::Cachy(record) => Whose::Cachy(Box::new(record)),
        Owner::Person { .. } => Whose::Person,
        Owner::Undecided | Owner::Torn => Whose::Undecided,
    })
}

fn cachys(record: Option<Record>) -> Whose {
    record.map_or(Whose::Person, |record| Whose::Cachy(Box::new(record)))
}
