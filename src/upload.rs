//! Putting a person's file into the tree under its URL: whole or not at all, also while a proxy
//! serves what lay there.

mod over;

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::sync::Arc;

use crate::entry;
use crate::error::{Error, Result};
use crate::key::{Scheme, Target};
use crate::layout::{RelPath, path_of};
use crate::meta::{Meta, Seen, Stored};
use crate::owner::{Owner, owner};
use crate::place::{Expected, Temp};
use crate::store::Store;
use crate::survey::Whose;
use crate::tree::{Lying, Stat};

pub use self::over::Over;

/// A file on its way into the tree; dropped before [`Upload::commit`], it leaves nothing.
#[derive(Debug)]
pub struct Upload {
    store: Arc<Store>,
    target: Target,
    temp: Temp,
    file: File,
    over: Over,
}

/// Where it lies now.
#[derive(Debug, PartialEq, Eq)]
pub struct Put {
    /// The path.
    pub at: RelPath,
    /// Something else lay there.
    pub replaced: bool,
}

impl Upload {
    /// Begins.
    ///
    /// # Errors
    /// `Io`, `AlreadyExists` where a person's file lies there, or `Condition`, as `over` has it; else
    /// see [`crate::tree::Tree::open`].
    pub fn begin(store: Arc<Store>, target: Target, over: Over) -> Result<Self> {
        store.tree.prepare()?;
        // Said before the body comes, and once more when it is there.
        there(&store, &target, &over)?;
        let (temp, file) = store.tree.temp_file()?;
        Ok(Self {
            store,
            target,
            temp,
            file,
            over,
        })
    }

    /// The next bytes.
    ///
    /// # Errors
    /// `Io` where the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let path = self.store.tree.path(path_of(&self.target).as_str());
        self.file
            .write_all(bytes)
            .map_err(|e| Error::io("write", path, e))
    }

    /// All bytes are there: puts it into place, durable.
    ///
    /// # Errors
    /// As [`Upload::begin`]; the tree is unchanged then.
    pub fn commit(mut self) -> Result<Put> {
        let nominal = path_of(&self.target);
        let tree = &self.store.tree;
        let failed = |e| Error::io("write", tree.path(nominal.as_str()), e);
        self.file.sync_data().map_err(failed)?;
        let seen = Seen::from(Stat::of(&self.file.metadata().map_err(failed)?));
        for _ in 0..4 {
            tree.make_parents(&nominal)?;
            let alone = self.store.alone(&nominal)?;
            let (at, expected) = there(&self.store, &self.target, &self.over)?;
            let described = self.describe(&nominal, seen)?;
            if !tree.place(&mut self.temp, &at, &expected)? {
                continue;
            }
            if let Some(meta) = described {
                self.disown(&nominal, meta, seen);
            }
            // A person's file answers whatever a request's fields are.
            for item in self.store.parts(&nominal, &[])? {
                let variant = item.named.as_ref().is_ok_and(|n| n.variant.is_some());
                if variant && matches!(item.whose, Whose::Cachy(_)) {
                    self.store.take(&alone, &item)?;
                }
            }
            return Ok(Put {
                at,
                replaced: expected != Expected::Nothing,
            });
        }
        Err(Error::io(
            "replace",
            tree.path(nominal.as_str()),
            ErrorKind::ResourceBusy.into(),
        ))
    }

    /// What the name doesn't tell is written down: that it is a person's whatever its bytes are, the
    /// URL of a name that is cut, and http.
    fn describe(&self, nominal: &RelPath, seen: Seen) -> Result<Option<Meta>> {
        let tree = &self.store.tree;
        let url = self.target.url();
        let known = Meta::load(tree, nominal)?;
        let told = crate::layout::target_of(nominal.as_str(), |_| None);
        let by_name = told.is_ok_and(|named| named.target == self.target);
        if known.is_none() && by_name && self.target.scheme() == Scheme::Https {
            return Ok(None);
        }
        let mut meta = known.unwrap_or_else(|| Meta::new(String::new()));
        meta.url = url;
        meta.placed = Some(seen);
        // The records stay: what lies there is cachy's until it is gone.
        meta.save(tree, nominal)?;
        Ok(Some(meta))
    }

    /// The same bytes as those that were stored are a person's all the same, also once a copy of the
    /// tree has another time.
    fn disown(&self, nominal: &RelPath, mut meta: Meta, now: Seen) {
        let alike =
            |stored: &Stored| matches!(stored, Stored::File { seen, .. } if seen.size == now.size);
        let before = meta.records.len();
        meta.records.retain(|record| !alike(&record.stored));
        if meta.records.len() < before
            && let Err(error) = meta.save(&self.store.tree, nominal)
        {
            self.store.troubles.say(&error);
        }
    }
}

/// What lies there, to be replaced. What is found here and then has changed is not replaced.
fn there(store: &Store, target: &Target, over: &Over) -> Result<(RelPath, Expected)> {
    let nominal = path_of(target);
    let (at, expected, persons) = match store.tree.look(&nominal)? {
        Lying::Nothing => (nominal, Expected::Nothing, false),
        Lying::Folder => (nominal.as_self(), Expected::Nothing, false),
        Lying::File {
            at, linked: true, ..
        } => {
            let text = store.tree.dir()?.read_link_contents(at.as_str());
            let text = text.map_err(|e| store.tree.refused(at.as_str(), e))?;
            let text = text.to_string_lossy().into_owned();
            (at, Expected::Link(text), true)
        }
        Lying::File { file, stat, at, .. } => {
            let owner = owner(store, &nominal, &file, stat, false, true)?;
            let persons = !matches!(owner, Owner::Cachy(_) | Owner::Torn);
            (at, Expected::File(stat), persons)
        }
        Lying::Status { text, at, .. } => {
            let meta = Meta::load(&store.tree, &nominal)?;
            let record = meta.and_then(|meta| entry::status_record(meta, &text));
            (at, Expected::Link(text), record.is_none())
        }
    };
    if persons && matches!(over, Over::Cachys) {
        let error = std::io::Error::from_raw_os_error(libc::EEXIST);
        return Err(Error::io("replace", store.tree.path(at.as_str()), error));
    }
    over.check(store, target)?;
    Ok((at, expected))
}
