//! Whether what is stored is in step with what it belongs to (see [`crate::sets`]): with the index that
//! lists it, with the file that it says something of. Nobody is to get an old one with a new one.
//!
//! - Who asks for a part has the index already, so a part is *due* when its index was stored or
//!   confirmed after the part was last asked for: upstream is asked again, whatever its lifetime says.
//! - What has parts in the tree *leads*, which its record says, and is due at each request: had a client
//!   an index from here that is a second old, then its part, new from upstream, would not fit. So is a
//!   digest or a signature beside its file, since some ask for that first.
//! - Where upstream fails, what is *outdated*, older than the bytes that it belongs to, is no answer; and
//!   where the index failed, and an old one was served, what is in step with that is *held*.
//!
//! All of this is for `auto`, while there is a line. What is named for good belongs to nothing.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::conditional::validators;
use crate::error::Result;
use crate::key::Target;
use crate::last_use;
use crate::layout::{RelPath, path_of};
use crate::meta::{Bond, Meta, Millis, Record, Stored};
use crate::sets::{beside, indexes, is_beside, is_sums};
use crate::shape::names_for_good;
use crate::store::Store;

#[cfg(test)]
mod tests;

/// More than so many bytes that have no validator are not fetched again at each request.
const LARGE: u64 = 1 << 20;
/// So many files of a folder are looked at.
const FOLDER: usize = 1000;
/// Of so many URLs it is remembered that they have new bytes which are not in the tree, for so long.
const MANY: usize = 1000;
const LONG: Millis = 3_600_000;

/// Which URLs have new bytes that are not in the tree, yet or ever: by path, and since when.
#[derive(Debug, Default)]
pub struct Arrivals(Mutex<HashMap<String, Millis>>);

impl Arrivals {
    /// New bytes arrive for that path.
    pub(crate) fn note(&self, path: &str, at: Millis) {
        let mut all = self.0.lock();
        if all.len() >= MANY {
            all.retain(|_, since| (*since..*since + LONG).contains(&at));
        }
        if all.len() >= MANY {
            all.clear();
        }
        all.insert(path.to_owned(), at);
    }

    /// They are in the tree. Returns whether they weren't.
    pub(crate) fn over(&self, path: &str) -> bool {
        let mut all = self.0.lock();
        !all.is_empty() && all.remove(path).is_some()
    }

    fn since(&self, path: &str) -> Option<Millis> {
        self.0.lock().get(path).copied()
    }
}

impl Record {
    /// What is known of it as one of a set; of what wasn't known to be one, what can be.
    fn bonds(&self) -> Bond {
        self.bond.as_deref().copied().unwrap_or(Bond {
            asked_at: self.stored_at,
            since: self.stored_at,
            before: None,
            leads: false,
        })
    }

    /// When what was last stored or confirmed was asked for: it is no older than that.
    pub(crate) fn asked_at(&self) -> Millis {
        self.bonds().asked_at
    }

    /// Whether something that belongs to it is asked for, too.
    pub(crate) fn leads(&self) -> bool {
        self.bond.as_ref().is_some_and(|bond| bond.leads)
    }

    /// Takes over what is known of what it takes the place of.
    pub(crate) fn follow(&mut self, was: Option<&Self>) {
        let (Some(bond), Some(was)) = (&mut self.bond, was) else {
            return;
        };
        let before = was.bonds();
        if is_same(&self.stored, &was.stored) {
            (bond.since, bond.before) = (before.since, before.before);
        } else if was.status == 200 {
            bond.before = Some(before.asked_at);
        }
        bond.leads |= before.leads;
    }

    /// Whether it is older than the bytes of what it belongs to, as far as can be told. `strictly`: also
    /// where those took the place of no others, so that both may have come at once.
    fn is_older(&self, other: &Self, strictly: bool) -> bool {
        let (own, other) = (self.bonds(), other.bonds());
        let both = |before| own.before.is_some() && own.since > before;
        own.asked_at < other.since && (strictly || other.before.is_some_and(|before| !both(before)))
    }
}

fn is_same(one: &Stored, other: &Stored) -> bool {
    match (one, other) {
        (Stored::File { seen, sha256 }, Stored::File { seen: s, sha256: d }) => {
            (seen.size, sha256) == (s.size, d)
        }
        _ => one == other,
    }
}

impl Store {
    /// Whether upstream is to be asked about one of a set, whatever its lifetime says.
    pub(crate) fn is_due(&self, target: &Target, record: &Record) -> bool {
        let asked = record.asked_at();
        if record.leads() {
            let dear = record.size() > LARGE && validators(&record.headers).is_empty();
            return !dear || self.beside(target).any(|other| other.stored_at > asked);
        }
        let moved = self.moved_at(target);
        moved > asked || (moved != Millis::MIN && is_beside(target))
    }

    /// Why upstream is to be asked about one of a set, for people.
    pub(crate) fn why_due(&self, target: &Target, record: &Record) -> Option<&'static str> {
        self.is_due(target, record).then(|| {
            if record.leads() {
                "checked at each request: what belongs to it is stored, too, and is to fit"
            } else if self.is_behind(target, record) {
                "stale: what it belongs to was fetched or checked since"
            } else {
                "checked at each request: it is said of a file that is stored, too, and is to fit"
            }
        })
    }

    /// Whether what a URL belongs to has moved since it was asked for.
    pub(crate) fn is_behind(&self, target: &Target, record: &Record) -> bool {
        self.moved_at(target) > record.asked_at()
    }

    /// When what a URL belongs to was last stored or confirmed, or seen to have new bytes: nobody may
    /// be given the URL as it was before that.
    pub(crate) fn moved_at(&self, target: &Target) -> Millis {
        let indexes = indexes(target);
        if !indexes.is_empty() {
            self.hear();
        }
        let moved = indexes.into_iter().map(|index| {
            let rel = path_of(&index);
            let stored = self.records(&rel).into_iter().map(|r| r.stored_at);
            stored.chain(self.arrivals.since(rel.as_str())).max()
        });
        moved.max().flatten().unwrap_or(Millis::MIN)
    }

    /// Whether what is stored of a URL is older than what it belongs to, so that it is no answer where
    /// upstream fails. `dead`: the whole origin does.
    pub(crate) fn is_outdated(&self, target: &Target, record: &Record, dead: bool) -> bool {
        if names_for_good(target) {
            return false;
        }
        let asked = record.asked_at();
        let by_index = indexes(target).into_iter().any(|index| {
            let rel = path_of(&index);
            let arrived = self.arrivals.since(rel.as_str());
            let mut others = self.records(&rel).into_iter().filter(|r| r.status == 200);
            arrived.is_some_and(|at| at > asked) || others.any(|r| record.is_older(&r, !dead))
        });
        by_index || (record.leads() && self.beside(target).any(|r| record.is_older(&r, false)))
    }

    /// Whether something of the same set failed a moment ago, so that what there was of that is served:
    /// what is in step with it is to stay, too.
    pub(crate) fn is_held(&self, target: &Target, record: &Record, now: Millis) -> bool {
        // What other processes know is heard by this.
        let _ = self.is_dead(&target.url(), now);
        if self.origins.is_quiet() {
            return false;
        }
        let dead = |other: Target| self.origins.is_dead(&other.url(), now);
        indexes(target).into_iter().any(dead) || (record.leads() && around(target).any(dead))
    }

    /// Writes down of what a URL belongs to that this is asked for, too.
    pub(crate) fn lead(&self, target: &Target) {
        if self.is_passive() {
            return;
        }
        if is_sums(target) {
            self.lead_folder(target);
        }
        for index in indexes(target) {
            self.lead_by(&index);
        }
    }

    /// Whether something that belongs to a URL is in the tree already; that is told of lists of digests.
    pub(crate) fn finds_beside(&self, target: &Target) -> bool {
        let rel = path_of(target);
        let folder = rel.parent().unwrap_or_default();
        let Ok(Ok(dir)) = self.tree.dir().map(|dir| dir.open_dir(folder)) else {
            return false;
        };
        if is_sums(target) {
            // Whatever lies there is listed, as far as anybody knows.
            let files = dir.entries().into_iter().flatten().flatten();
            return files.take(FOLDER).any(|file| {
                file.file_type().is_ok_and(|kind| kind.is_file())
                    && file.file_name() != rel.file_name()
            });
        }
        let name = target.path().rsplit('/').next().unwrap_or_default();
        let mut found = false;
        for name in beside(name).filter(|name| dir.symlink_metadata(name).is_ok()) {
            found = true;
            if let Some(other) = around_one(target, &name).filter(is_sums) {
                self.lead_by(&other);
            }
        }
        found
    }

    /// Of all that lies in the folder of a list of digests.
    fn lead_folder(&self, target: &Target) {
        let rel = path_of(target);
        let folder = rel.parent().unwrap_or_default();
        let Ok(Ok(files)) = self.tree.dir().map(|dir| dir.read_dir(folder)) else {
            return;
        };
        for file in files.flatten().take(FOLDER) {
            let name = file.file_name();
            let slot = name
                .to_str()
                .and_then(|name| RelPath::checked(&format!("{folder}/{name}")));
            let meta = slot.and_then(|slot| Meta::load(&self.tree, &slot).ok().flatten());
            if let Some(other) = meta.and_then(|meta| Target::parse(&meta.url).ok())
                && other != *target
            {
                self.lead_by(&other);
            }
        }
    }

    fn lead_by(&self, target: &Target) {
        let rel = path_of(target);
        let known = self.records(&rel);
        if names_for_good(target) || known.iter().all(Record::leads) {
            return;
        }
        let variants = Meta::load(&self.tree, &rel).ok().flatten();
        let variants = variants.map_or_else(Vec::new, |meta| meta.variants);
        let slots = variants.iter().map(|name| rel.variant(name));
        for slot in std::iter::once(rel.clone()).chain(slots) {
            if let Err(error) = self.write_lead(&slot) {
                self.troubles.say(&error);
            }
        }
    }

    fn write_lead(&self, slot: &RelPath) -> Result<()> {
        // Whoever changes it meanwhile is asked for it again, soon enough.
        let Some(_entry) = self.tree.try_lock_entry(slot) else {
            return Ok(());
        };
        let Some(mut meta) = Meta::load(&self.tree, slot)? else {
            return Ok(());
        };
        let Some(record) = meta.records.first_mut() else {
            return Ok(());
        };
        let bonds = record.bonds();
        record.bond = Some(Box::new(Bond {
            leads: true,
            ..bonds
        }));
        let used = last_use::of(&self.tree, slot);
        meta.save(&self.tree, slot)?;
        // That is no use of it.
        if let Some(used) = used {
            last_use::set(&self.tree, slot, used);
        }
        Ok(())
    }

    /// The records of an entry and its variants.
    fn records(&self, rel: &RelPath) -> Vec<Record> {
        let newest = |slot: &RelPath| Meta::load(&self.tree, slot).ok().flatten();
        let Some(meta) = newest(rel) else {
            return Vec::new();
        };
        let variants = meta.variants.iter().filter_map(|n| newest(&rel.variant(n)));
        let variants: Vec<Meta> = variants.collect();
        let all = std::iter::once(meta).chain(variants);
        all.filter_map(|meta| meta.records.into_iter().next())
            .collect()
    }

    /// The records of what is said beside a file.
    fn beside<'a>(&'a self, target: &'a Target) -> impl Iterator<Item = Record> + 'a {
        around(target).flat_map(|other| self.records(&path_of(&other)))
    }
}

/// The URLs of what may be said beside a file.
fn around(target: &Target) -> impl Iterator<Item = Target> {
    let name = target.path().rsplit('/').next().unwrap_or_default();
    beside(name).filter_map(|name| around_one(target, &name))
}

fn around_one(target: &Target, name: &str) -> Option<Target> {
    let (folder, _) = target.path().rsplit_once('/')?;
    target.at(&format!("{folder}/{name}"))
}
