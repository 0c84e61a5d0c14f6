//! What people do to the tree through cachy: place a file, and remove one. A file that was placed is
//! theirs, as if they had copied it there.

use std::fs::File;

use crate::error::{Error, Result};
use crate::key::Target;
use crate::layout::{RelPath, path_of, target_of};
use crate::meta::{Meta, Seen, Stored};
use crate::place::{Expected, Temp};
use crate::store::Store;
use crate::tree::{Lying, Stat};

/// What placing a file came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placing {
    /// Nothing lay there.
    Created,
    /// What lay there is gone.
    Replaced,
    /// The place changed again and again; nothing is changed.
    Busy,
}

impl Store {
    /// Makes a file a person's answer for a URL, whatever lies there. `temp` was made by
    /// [`crate::tree::Tree::temp_file`], and `file` is its open file, written to its end. Waits for
    /// the disk.
    ///
    /// # Errors
    /// `Barred` where a link or a folder is in the way, `Io` for what the system refuses; then what
    /// lay there stays.
    pub fn place_for_person(
        &self,
        target: &Target,
        mut temp: Temp,
        file: &File,
    ) -> Result<Placing> {
        let rel = path_of(target);
        let failed = |e| Error::io("write", self.tree.path(rel.as_str()), e);
        file.sync_data().map_err(failed)?;
        let seen = Seen::from(Stat::of(&file.metadata().map_err(failed)?));
        for _ in 0..4 {
            self.tree.make_parents(&rel)?;
            let _shape = self.tree.lock_shape_shared()?;
            let _entry = self.tree.lock_entry(&rel)?;
            let (at, expected) = self.replaceable(&rel)?;
            let known = Meta::load(&self.tree, &rel)?;
            // A name that was cut doesn't tell its URL.
            let told = target_of(rel.as_str(), |_| None).is_ok();
            let mut meta = (known.is_some() || !told)
                .then(|| known.unwrap_or_else(|| Meta::new(target.url())));
            if let Some(meta) = &mut meta {
                // The records stay: what lies there is cachy's until it is gone.
                meta.placed = Some(seen);
                for name in std::mem::take(&mut meta.variants) {
                    self.remove(&rel.variant(&name));
                }
                meta.save(&self.tree, &rel)?;
            }
            if !self.tree.place(&mut temp, &at, &expected)? {
                continue;
            }
            if let Some(meta) = &mut meta {
                self.disown(&rel, meta, seen);
            }
            return Ok(match expected {
                Expected::Nothing => Placing::Created,
                Expected::File(_) | Expected::Link(_) => Placing::Replaced,
            });
        }
        Ok(Placing::Busy)
    }

    /// The same bytes as those that were stored are a person's all the same, also once a copy of the
    /// tree has another time.
    fn disown(&self, rel: &RelPath, meta: &mut Meta, seen: Seen) {
        let alike = |stored: &Stored| matches!(stored, Stored::File { seen: was, .. } if was.size == seen.size);
        let before = meta.records.len();
        meta.records.retain(|record| !alike(&record.stored));
        if meta.records.len() < before
            && let Err(error) = meta.save(&self.tree, rel)
        {
            self.troubles.say(&error);
        }
    }

    /// Where a file for a path goes, and what lies there now.
    fn replaceable(&self, rel: &RelPath) -> Result<(RelPath, Expected)> {
        Ok(match self.tree.look(rel)? {
            Lying::Nothing => (rel.clone(), Expected::Nothing),
            Lying::Folder => (rel.as_self(), Expected::Nothing),
            Lying::File { linked: true, .. } => {
                return Err(self.tree.barred(rel.as_str(), "is a link to another file"));
            }
            Lying::File { stat, at, .. } => (at, Expected::File(stat)),
            Lying::Status { text, at, .. } => (at, Expected::Link(text)),
        })
    }

    /// Removes what answers for a URL, whoever put it there, with all that is known of it. Returns
    /// whether there was anything.
    ///
    /// # Errors
    /// `Barred` where something leads out of the tree, `Io` for what the system refuses.
    pub fn remove_for_person(&self, target: &Target) -> Result<bool> {
        let rel = path_of(target);
        let lying = self.tree.look(&rel)?;
        let meta = Meta::load(&self.tree, &rel)?;
        let slash = |meta: &Meta| {
            let mut records = meta.records.iter();
            records.any(|record| matches!(record.stored, Stored::Slash { .. }))
        };
        let at = match lying {
            Lying::File { at, .. } | Lying::Status { at, .. } => Some(at),
            Lying::Nothing | Lying::Folder if meta.as_ref().is_some_and(slash) => None,
            Lying::Nothing | Lying::Folder => return Ok(false),
        };
        let _shape = self.tree.lock_shape_shared()?;
        let _entry = self.tree.lock_entry(&rel)?;
        if let Some(at) = &at {
            self.remove_file(at)?;
        }
        for name in meta.map_or_else(Vec::new, |meta| meta.variants) {
            self.remove(&rel.variant(&name));
        }
        Meta::remove(&self.tree, &rel);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::path::Path;

    fn open(folder: &Path) -> Store {
        Store::open(folder).unwrap()
    }

    fn put(store: &Store, url: &str, body: &[u8]) -> Result<Placing> {
        let (temp, mut file) = store.tree.temp_file()?;
        file.write_all(body).unwrap();
        store.place_for_person(&Target::parse(url).unwrap(), temp, &file)
    }

    #[test]
    fn whatever_lies_there() {
        let folder = tempfile::tempdir().unwrap();
        let (root, store) = (folder.path(), open(folder.path()));
        let url = "https://h.example/a";
        assert_eq!(put(&store, url, b"1").unwrap(), Placing::Created);
        assert_eq!(put(&store, url, b"2").unwrap(), Placing::Replaced);
        assert_eq!(std::fs::read(root.join("h.example/a")).unwrap(), b"2");
        let below = put(&store, "https://h.example/a/b", b"3").unwrap();
        assert_eq!(below, Placing::Created);
        assert_eq!(
            std::fs::read(root.join("h.example/a/%~self")).unwrap(),
            b"2"
        );
        assert_eq!(put(&store, url, b"4").unwrap(), Placing::Replaced);
        assert_eq!(
            std::fs::read(root.join("h.example/a/%~self")).unwrap(),
            b"4"
        );
        std::os::unix::fs::symlink("404", root.join("h.example/gone")).unwrap();
        let gone = put(&store, "https://h.example/gone", b"5").unwrap();
        assert_eq!(gone, Placing::Replaced);
        assert_eq!(std::fs::read(root.join("h.example/gone")).unwrap(), b"5");
        let left: Vec<_> = std::fs::read_dir(root.join(".cachy/tmp"))
            .unwrap()
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn what_bars_the_way_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (root, store) = (folder.path(), open(folder.path()));
        std::fs::create_dir(root.join("h.example")).unwrap();
        std::fs::write(root.join("h.example/real"), "mine").unwrap();
        for (name, to) in [("link", "real"), ("out", "/etc/hostname"), ("dir", ".")] {
            std::os::unix::fs::symlink(to, root.join("h.example").join(name)).unwrap();
        }
        for url in ["link", "out", "dir/x"] {
            let error = put(&store, &format!("https://h.example/{url}"), b"1").unwrap_err();
            assert!(matches!(error, Error::Barred { .. }), "{url}: {error}");
        }
        assert_eq!(std::fs::read(root.join("h.example/real")).unwrap(), b"mine");
    }

    #[test]
    fn a_cut_name_keeps_its_url() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let url = format!("https://h.example/{}", "x".repeat(400));
        put(&store, &url, b"1").unwrap();
        let rel = path_of(&Target::parse(&url).unwrap());
        let meta = Meta::load(&store.tree, &rel).unwrap();
        assert_eq!(meta.unwrap().url, url);
        assert!(
            store
                .remove_for_person(&Target::parse(&url).unwrap())
                .unwrap()
        );
        assert!(
            !store
                .remove_for_person(&Target::parse(&url).unwrap())
                .unwrap()
        );
        assert_eq!(Meta::load(&store.tree, &rel).unwrap(), None);
    }
}
