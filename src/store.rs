//! Changing entries: storing a response, confirming one, settling whose a file is. What is durable
//! when: the body, then its record beside the old one, then the rename that makes it the entry. For a
//! new one nobody waits, see [`crate::settled`].

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use crate::abroad::Abroad;
use crate::budget::Budget;
use crate::coding::Unsound;
use crate::entry;
use crate::error::{Error, Result};
use crate::flights::Flights;
use crate::headers::Headers;
use crate::in_step::Arrivals;
use crate::key::{Scheme, Target};
use crate::last_use::LastUse;
use crate::layout::{RelPath, path_of};
use crate::local;
use crate::meta::{Meta, Millis, Record};
use crate::misses::Misses;
use crate::origins::Origins;
use crate::owner::{Digests, Owner, owner};
use crate::place::{Expected, Temp};
use crate::recall::Recall;
use crate::renewed;
use crate::select;
use crate::settled::Settled;
use crate::tree::{Lying, Tree};
use crate::troubles::{Board, Troubles};

/// More variants of one URL than this push out the oldest.
const VARIANTS: usize = 16;

/// The tree, and what is remembered of the world around it for seconds.
#[derive(Debug)]
pub struct Store {
    /// The folder.
    pub tree: Arc<Tree>,
    /// What has been said of it.
    pub troubles: Troubles,
    /// Files that were read for their digest.
    pub digests: Digests,
    /// Origins that are dead.
    pub origins: Origins,
    /// URLs whose coding could not be undone.
    pub unsound: Unsound,
    /// What is being fetched.
    pub flights: Arc<Flights>,
    /// What has new bytes that are not in the tree.
    pub arrivals: Arrivals,
    /// What other processes are fetching.
    pub abroad: Abroad,
    /// When entries were last used.
    pub last_use: LastUse,
    /// What was asked for in vain.
    pub misses: Misses,
    /// What is on disk for good.
    pub settled: Settled,
    /// How large the tree may be.
    pub budget: Budget,
    /// What looks at the tree have said.
    pub recall: Recall,
    /// Held by all who wait for the disk.
    slow: Arc<()>,
    /// It is looked at: nothing that is only asked leaves a trace.
    passive: bool,
}

/// What became of a response that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is the entry now.
    Stored,
    /// A person's file lies there and stays.
    Person,
    /// An entry from https lies there, and this came by http.
    Https,
    /// The place changed again and again.
    Busy,
}

impl Store {
    /// Opens the folder, and sweeps what a crash left.
    ///
    /// # Errors
    /// See [`Tree::open`].
    pub fn open(root: &Path) -> Result<Self> {
        Self::open_with(root, Arc::default())
    }

    /// As [`Store::open`], with what was said already about this tree and others.
    ///
    /// # Errors
    /// See [`Tree::open`].
    pub fn open_with(root: &Path, said: Arc<Board>) -> Result<Self> {
        let (tree, trouble) = Tree::open(root)?;
        let mut store = Self::new(tree, false, said);
        store.abroad = Abroad::enter(&store.tree);
        match trouble {
            Some(error) => store.troubles.say(&error),
            None => store.tree.sweep(),
        }
        Ok(store)
    }

    /// For looking at a tree that may be in use: nothing is made or swept, and no request that is
    /// only thought of leaves a trace.
    ///
    /// # Errors
    /// `Format` where another cachy made it.
    pub fn look_at(root: &Path) -> Result<Self> {
        Ok(Self::new(Tree::look_into(root)?, true, Arc::default()))
    }

    fn new(tree: Tree, passive: bool, said: Arc<Board>) -> Self {
        Self {
            troubles: Troubles::new(tree.root(), said),
            tree: Arc::new(tree),
            digests: Digests::default(),
            origins: Origins::default(),
            unsound: Unsound::default(),
            flights: Arc::default(),
            arrivals: Arrivals::default(),
            abroad: Abroad::default(),
            last_use: LastUse::default(),
            misses: Misses::default(),
            settled: Settled::default(),
            budget: Budget::default(),
            recall: Recall::default(),
            slow: Arc::default(),
            passive,
        }
    }

    /// Whether it is only looked at.
    #[must_use]
    pub fn is_passive(&self) -> bool {
        self.passive
    }

    /// Why nothing of a host is ever stored, nor answered from what once was: see
    /// [`local::unstorable`].
    #[must_use]
    pub fn unstorable(&self, target: &Target) -> Option<&'static str> {
        local::unstorable(target.host(), &self.look_around())
    }

    /// This machine as it is now; what was learned of the tree when it was another is forgotten.
    pub fn look_around(&self) -> Arc<local::Machine> {
        let machine = local::machine();
        self.recall.keep_up(machine.generation);
        machine
    }

    /// Something begins that may wait for the disk while it holds locks; over when it is dropped.
    #[must_use]
    pub fn slowly(&self) -> Arc<()> {
        Arc::clone(&self.slow)
    }

    /// Whether something small and new can be stored without waiting: neither for the disk nor for a
    /// lock of this process.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        Arc::strong_count(&self.slow) == 1 && self.settled.is_possible(&self.tree)
    }

    /// An entry answers somebody.
    /// Returns until when it need not be said again.
    pub fn used(&self, slot: &RelPath, now: Millis) -> Millis {
        if self.passive {
            return now;
        }
        self.last_use.touch(&self.tree, slot, now)
    }

    /// Makes a response the entry of its URL, or a variant of it. `temp` is its body or link, whole;
    /// a slash fix-up has none. `body` is the file of a body, which is not on disk yet.
    ///
    /// # Errors
    /// `Barred` and `Io`; the entry that was there stays then.
    pub fn put(
        &self,
        target: &Target,
        request: &Headers,
        record: &Record,
        mut temp: Option<Temp>,
        body: Option<&File>,
    ) -> Result<Kept> {
        let rel = path_of(target);
        let sync = || match body {
            Some(file) => file
                .sync_data()
                .map_err(|e| Error::io("write", self.tree.path(rel.as_str()), e)),
            None => Ok(()),
        };
        for _ in 0..4 {
            let tree = self.tree.still()?;
            if temp.is_some() {
                tree.make_parents(&rel)?;
            }
            let _shape = tree.lock_shape_shared()?;
            let _entry = tree.lock_entry(&rel)?;
            let there = match self.there(&tree, target, &rel, record.scheme)? {
                Ok(there) => there,
                Err(kept) => return Ok(kept),
            };
            let known = Meta::load(&tree, &rel)?.filter(|meta| meta.cut.is_none());
            let new = known.is_none() && there.expected == Expected::Nothing;
            let mut meta = known.unwrap_or_else(|| Meta::new(String::new()));
            let Some(temp) = temp.as_mut() else {
                return self.put_slash(&rel, &there, meta, target, record);
            };
            let mut record = record.clone();
            record.follow(there.record.as_ref());
            let record = &record;
            let unsettled = body
                .filter(|_| new)
                .and_then(|body| self.settled.begin(&tree, body));
            if unsettled.is_some() {
                meta.url = target.url();
                let unsettled = Record {
                    unsettled: unsettled.map(Box::new),
                    ..record.clone()
                };
                meta.records = vec![unsettled];
                meta.save_unsettled(&tree, &rel)?;
                if tree.place(temp, &there.at, &there.expected)? {
                    self.count(target, &meta);
                    return Ok(Kept::Stored);
                }
                continue;
            }
            sync()?;
            let apart = there.record.as_ref().filter(|was| {
                !record.selecting.is_empty()
                    && was.selecting != record.selecting
                    && !select::matches(was, target, request)
            });
            if apart.is_some() {
                let placed = self.put_variant(&rel, &mut meta, target, request, record, temp)?;
                match placed {
                    Some(kept) => return Ok(kept),
                    None => continue,
                }
            }
            let orphans = if there.record.is_none() || record.selecting.is_empty() {
                std::mem::take(&mut meta.variants)
            } else {
                Vec::new()
            };
            meta.url = target.url();
            meta.placed = None;
            meta.records = [Some(record.clone()), there.record]
                .into_iter()
                .flatten()
                .collect();
            for name in orphans {
                let slot = rel.variant(&name);
                if self.is_persons(&slot)? {
                    meta.variants.push(name);
                } else {
                    self.remove(&slot);
                }
            }
            meta.save(&self.tree, &rel)?;
            if self.tree.place(temp, &there.at, &there.expected)? {
                self.count(target, &meta);
                return Ok(Kept::Stored);
            }
        }
        Ok(Kept::Busy)
    }

    /// What lies at a path for somebody who wants to replace it, or why it stays.
    fn there(
        &self,
        tree: &Tree,
        target: &Target,
        rel: &RelPath,
        scheme: Scheme,
    ) -> Result<std::result::Result<There, Kept>> {
        let nothing = |at| There {
            at,
            expected: Expected::Nothing,
            record: None,
        };
        let there = match tree.look(rel)? {
            Lying::Nothing => nothing(rel.clone()),
            Lying::Folder => nothing(rel.as_self()),
            Lying::File {
                file,
                stat,
                at,
                linked,
            } => match owner(self, rel, &file, stat, linked, true)? {
                Owner::Cachy(record) => There {
                    at,
                    expected: Expected::File(stat),
                    record: Some(record),
                },
                Owner::Torn => There {
                    at,
                    expected: Expected::File(stat),
                    record: None,
                },
                Owner::Person { .. } | Owner::Undecided => return Ok(Err(Kept::Person)),
            },
            Lying::Status { link, text, at } => {
                let meta = Meta::load(tree, rel)?;
                let record = meta.and_then(|meta| entry::status_record(meta, &text));
                if record.is_none() && !entry::leads_to(&link, target) {
                    return Ok(Err(Kept::Person));
                }
                There {
                    at,
                    expected: Expected::Link(text),
                    record,
                }
            }
        };
        let secure = there
            .record
            .as_ref()
            .is_some_and(|r| r.scheme == Scheme::Https);
        if secure && scheme == Scheme::Http {
            return Ok(Err(Kept::Https));
        }
        Ok(Ok(there))
    }

    /// The origin adds a slash: that fact is all there is to store, and what lay there goes.
    fn put_slash(
        &self,
        rel: &RelPath,
        there: &There,
        mut meta: Meta,
        target: &Target,
        record: &Record,
    ) -> Result<Kept> {
        meta.url = target.url();
        // What lay there stays cachy's until it is gone.
        meta.records = [Some(record.clone()), there.record.clone()]
            .into_iter()
            .flatten()
            .collect();
        meta.save(&self.tree, rel)?;
        if there.expected != Expected::Nothing {
            self.remove_file(&there.at)?;
        }
        Ok(Kept::Stored)
    }

    /// `None`: the place changed meanwhile.
    fn put_variant(
        &self,
        rel: &RelPath,
        primary: &mut Meta,
        target: &Target,
        request: &Headers,
        record: &Record,
        temp: &mut Temp,
    ) -> Result<Option<Kept>> {
        let coding = record.headers.list("content-encoding");
        let name = select::variant_name(&record.selecting, &coding);
        let slot = rel.variant(&name);
        let there = match self.there(&self.tree, target, &slot, record.scheme)? {
            Ok(there) => there,
            Err(kept) => return Ok(Some(kept)),
        };
        let before = primary.variants.len();
        self.drop_answering(rel, primary, &name, target, request, record);
        // Listed before it is there: a variant that isn't listed is never found, nor removed.
        if !primary.variants.contains(&name) {
            primary.variants.push(name);
            if primary.variants.len() > VARIANTS {
                let oldest = primary.variants.remove(0);
                self.remove(&rel.variant(&oldest));
            }
            primary.save(&self.tree, rel)?;
        } else if primary.variants.len() < before {
            primary.save(&self.tree, rel)?;
        }
        let mut meta = Meta::new(target.url());
        meta.records = [Some(record.clone()), there.record]
            .into_iter()
            .flatten()
            .collect();
        meta.save(&self.tree, &slot)?;
        let placed = self.tree.place(temp, &there.at, &there.expected)?;
        if placed {
            self.count(target, &meta);
        }
        Ok(placed.then_some(Kept::Stored))
    }

    /// Drops variants that would answer this request as well, from before it was known what it varies by:
    /// they would be found first.
    fn drop_answering(
        &self,
        rel: &RelPath,
        primary: &mut Meta,
        name: &str,
        target: &Target,
        request: &Headers,
        record: &Record,
    ) {
        let coding = record.headers.list("content-encoding");
        primary.variants.retain(|other| {
            let slot = rel.variant(other);
            let meta = (other != name)
                .then(|| Meta::load(&self.tree, &slot).ok().flatten())
                .flatten();
            let was = meta.and_then(|meta| meta.records.into_iter().next());
            let answers = was.is_some_and(|was| {
                was.headers.list("content-encoding") == coding
                    && select::matches(&was, target, request)
            });
            let drop = answers && !self.is_persons(&slot).unwrap_or(true);
            if drop {
                self.remove(&slot);
            }
            !drop
        });
    }

    /// A new record is what the tree holds now, in the place of the one before.
    fn count(&self, target: &Target, meta: &Meta) {
        if let [new, was, ..] = meta.records.as_slice() {
            renewed::say(target, new, was);
        }
        let mut sizes = meta.records.iter().map(Record::size);
        let new = sizes.next().unwrap_or(0);
        self.budget.stored(new, sizes.next().unwrap_or(0));
    }

    /// Whether a person's file lies at a variant's place.
    fn is_persons(&self, slot: &RelPath) -> Result<bool> {
        Ok(match self.tree.look(slot)? {
            Lying::File {
                file, stat, linked, ..
            } => matches!(
                owner(self, slot, &file, stat, linked, true)?,
                Owner::Person { .. }
            ),
            Lying::Status { .. } | Lying::Nothing | Lying::Folder => false,
        })
    }

    pub(crate) fn remove(&self, slot: &RelPath) {
        if let Err(error) = self.remove_file(slot) {
            self.troubles.say(&error);
        }
        Meta::remove(&self.tree, slot);
    }

    pub(crate) fn remove_file(&self, at: &RelPath) -> Result<()> {
        match self.tree.dir()?.remove_file(at.as_str()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::io("remove", self.tree.path(at.as_str()), error))
            }
            _ => Ok(()),
        }
    }
}

struct There {
    at: RelPath,
    expected: Expected,
    record: Option<Record>,
}
