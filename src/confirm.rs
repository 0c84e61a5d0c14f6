//! What is known of an entry changes while its bytes stay: the origin confirms it, or it is found out
//! whose it is.

use crate::error::Result;
use crate::headers::Headers;
use crate::last_use;
use crate::layout::RelPath;
use crate::meta::{Meta, Millis, Record, Seen, Stored};
use crate::store::Store;

impl Store {
    /// The origin answered 304: the stored response is confirmed, and its fields are updated
    /// (RFC 9111 section 4.3.4).
    ///
    /// # Errors
    /// `Io` where the disk is full or read-only.
    pub fn confirm(
        &self,
        slot: &RelPath,
        record: &Record,
        update: &Headers,
        initial_age: u64,
        now: Millis,
    ) -> Result<()> {
        let _entry = self.tree.lock_entry(slot)?;
        let Some(mut meta) = Meta::load(&self.tree, slot)? else {
            return Ok(());
        };
        let same = |r: &&mut Record| r.stored == record.stored && r.stored_at == record.stored_at;
        let Some(known) = meta.records.iter_mut().find(same) else {
            return Ok(());
        };
        known.headers = updated(&known.headers, update);
        known.stored_at = now;
        known.checked_at = Some(now);
        known.initial_age = initial_age;
        meta.save(&self.tree, slot)
    }

    /// Writes down whose a file turned out to be: cachy's by this record, or a person's.
    ///
    /// # Errors
    /// `Io` where the disk is full or read-only.
    pub fn settle(&self, slot: &RelPath, now: Seen, record: Option<&Record>) -> Result<()> {
        if self.is_passive() {
            return Ok(());
        }
        // Whoever changes the entry meanwhile knows better, and may be ourselves.
        let Some(_entry) = self.tree.try_lock_entry(slot) else {
            return Ok(());
        };
        let Some(mut meta) = Meta::load(&self.tree, slot)? else {
            return Ok(());
        };
        match record {
            Some(record) => {
                for known in &mut meta.records {
                    if known == record
                        && let Stored::File { seen, .. } = &mut known.stored
                    {
                        *seen = now;
                        known.unsettled = None;
                    }
                }
            }
            None => meta.placed = Some(now),
        }
        let used = last_use::of(&self.tree, slot);
        meta.save(&self.tree, slot)?;
        // Finding out whose it is uses nothing.
        if let Some(used) = used {
            last_use::set(&self.tree, slot, used);
        }
        Ok(())
    }
}

/// Stored fields with those of a 304 in their place; what describes the bytes stays.
#[must_use]
pub fn updated(stored: &Headers, update: &Headers) -> Headers {
    let mut headers = stored.clone();
    let update = update.storable();
    let bytes = |name: &[u8]| {
        name.len() >= 8
            && name[..8].eq_ignore_ascii_case(b"content-")
            && !name.eq_ignore_ascii_case(b"content-location")
    };
    for (name, _) in &update.0 {
        if !bytes(name) {
            headers.remove(&String::from_utf8_lossy(name));
        }
    }
    let fresh = update.0.into_iter().filter(|(name, _)| !bytes(name));
    headers.0.extend(fresh);
    headers
}
