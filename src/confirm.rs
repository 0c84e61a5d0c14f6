//! What is known of an entry changes while its bytes stay: the origin confirms it, or it is found out
//! whose it is.

use crate::cache_control::CacheControl;
use crate::coding::forget_digests;
use crate::error::Result;
use crate::freshness::{format_date, http_date};
use crate::headers::Headers;
use crate::key::Target;
use crate::last_use;
use crate::layout::RelPath;
use crate::meta::{Meta, Millis, Record, Seen, Stored};
use crate::select;
use crate::store::Store;

impl Store {
    /// The origin answered 304: what it says now stands in the place of what it said (RFC 9111 section
    /// 4.3.4), unless the entry has changed meanwhile.
    ///
    /// # Errors
    /// `Io` where the disk is full or read-only.
    pub fn confirm(&self, slot: &RelPath, was: &Record, confirmed: &Record) -> Result<()> {
        let _entry = self.tree.lock_entry(slot)?;
        let Some(mut meta) = Meta::load(&self.tree, slot)? else {
            return Ok(());
        };
        let same = |r: &&mut Record| r.stored == was.stored && r.stored_at == was.stored_at;
        let Some(known) = meta.records.iter_mut().find(same) else {
            return Ok(());
        };
        let leads = known.leads();
        *known = Record {
            unsettled: known.unsettled.take(),
            stored: known.stored.clone(),
            ..confirmed.clone()
        };
        if let Some(bond) = &mut known.bond {
            bond.leads |= leads;
        }
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

/// Whether a 304 is about what is stored (RFC 9111 section 4.3.4): by its tag, by its date where only one
/// side has a tag, and where it says neither, since it answers the conditions that were sent.
///
/// Tags are compared weakly (RFC 9110 section 8.8.3.2): of a body that is compressed on the way many
/// origins weaken the tag, but not with a 304.
#[must_use]
pub fn is_about(stored: &Headers, update: &Headers) -> bool {
    let tags = (stored.get("etag"), update.get("etag"));
    let dates = (stored.get("last-modified"), update.get("last-modified"));
    match (tags, dates) {
        ((Some(ours), Some(theirs)), _) => opaque(ours) == opaque(theirs),
        (_, (Some(ours), Some(theirs))) => same_date(ours, theirs),
        // A tag of which we know nothing.
        ((None, Some(_)), _) => false,
        _ => true,
    }
}

/// What is stored when a 304 has confirmed it. `None`: what the 304 says forbids to keep it (RFC 9111
/// section 3), so that it answers the one who asked, and is checked again.
///
/// A `Vary` of the 304 that names more than what was known narrows whom it answers to those who ask as
/// the one who had it checked.
#[must_use]
pub fn confirmed(
    was: &Record,
    target: &Target,
    request: &Headers,
    update: &Headers,
    initial_age: u64,
    now: Millis,
) -> Option<Record> {
    let more = select::selecting(target, request, was.status, update)?;
    if CacheControl::of(update).no_store {
        return None;
    }
    let mut selecting = was.selecting.clone();
    for (name, value) in more {
        if !selecting.iter().any(|(known, _)| *known == name) {
            selecting.push((name, value));
        }
    }
    selecting.sort_unstable();
    Some(Record {
        headers: updated(&was.headers, update, now),
        selecting,
        stored_at: now,
        checked_at: Some(now),
        initial_age,
        ..was.clone()
    })
}

/// Stored fields with those of a 304 in their place (RFC 9111 section 3.2); what describes the bytes
/// stays.
#[must_use]
pub fn updated(stored: &Headers, update: &Headers, now: Millis) -> Headers {
    let mut headers = stored.clone();
    let mut update = update.storable();
    update.remove("age");
    if !update.has("date") {
        // As its recipient adds it (RFC 9110 section 6.6.1): `Expires` counts from there.
        update.push("Date", format_date(now));
    }
    update.0.retain(|(name, _)| !describes_bytes(name));
    forget_digests(&mut update);
    if !(stored.has("etag") || stored.has("last-modified")) {
        // Nothing was compared, so that they may belong to other bytes.
        update.remove("last-modified");
    }
    for (name, _) in &update.0 {
        headers.remove(&String::from_utf8_lossy(name));
    }
    headers.0.extend(update.0);
    headers
}

/// Whether a field tells of the bytes that came with it: its digest, its coding, the tag by which it
/// was confirmed, which may have been weaker.
fn describes_bytes(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let content = name.starts_with("content-") && name != "content-location";
    content || matches!(name.as_str(), "etag" | "digest" | "repr-digest")
}

/// The opaque part of an entity tag (RFC 9110 section 8.8.3).
fn opaque(tag: &[u8]) -> &[u8] {
    let tag = tag.trim_ascii();
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// Whether two dates are one, however they are written.
fn same_date(one: &[u8], other: &[u8]) -> bool {
    let date = |bytes| std::str::from_utf8(bytes).ok().and_then(http_date);
    one.trim_ascii() == other.trim_ascii() || date(one).is_some_and(|at| date(other) == Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Scheme;

    const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
    const SAME: &str = "Tuesday, 14-Nov-23 22:13:20 GMT";
    const LATER: &str = "Tue, 14 Nov 2023 22:13:21 GMT";
    const NOW: Millis = 1_700_000_000_000;

    fn fields(pairs: &[(&str, &str)]) -> Headers {
        let pairs = pairs.iter();
        Headers(pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect())
    }

    fn of(etag: &str, modified: &str) -> Headers {
        let all = [("ETag", etag), ("Last-Modified", modified)];
        let all = all.into_iter().filter(|(_, value)| !value.is_empty());
        fields(&all.collect::<Vec<_>>())
    }

    #[test]
    fn what_a_304_is_about() {
        for (ours, theirs, expected) in [
            (of("\"1\"", ""), of("\"1\"", ""), true),
            (of("\"1\"", ""), of("W/\"1\"", ""), true),
            (of("W/\"1\"", ""), of("\"1\"", ""), true),
            (of("\"1\"", ""), of("\"2\"", ""), false),
            // The tag decides, whatever the dates say.
            (of("\"1\"", DATE), of("\"2\"", DATE), false),
            (of("\"1\"", DATE), of("\"1\"", LATER), true),
            (of("", DATE), of("", DATE), true),
            (of("", DATE), of("", SAME), true),
            (of("", DATE), of("", LATER), false),
            (of("\"1\"", DATE), of("", DATE), true),
            (of("\"1\"", DATE), of("", LATER), false),
            (of("", DATE), of("\"1\"", DATE), true),
            (of("", DATE), of("\"1\"", ""), false),
            // It says nothing, and answers our condition.
            (of("\"1\"", DATE), of("", ""), true),
            (of("", "x"), of("", "x"), true),
            (of("", "x"), of("", "y"), false),
        ] {
            assert_eq!(is_about(&ours, &theirs), expected, "{ours:?} {theirs:?}");
        }
    }

    fn confirmed_by(stored: &[(&str, &str)], update: &[(&str, &str)]) -> Option<Record> {
        let target = Target::parse("https://h/a").unwrap();
        let was = Record {
            scheme: Scheme::Https,
            status: 200,
            headers: fields(stored),
            selecting: vec![("b".to_owned(), "1".to_owned())],
            stored_at: 0,
            initial_age: 9,
            checked_at: None,
            close_delimited: false,
            decoded: false,
            label: false,
            unsettled: None,
            bond: None,
            stored: Stored::Slash { body: Vec::new() },
        };
        let request = fields(&[("A", "x"), ("B", "y")]);
        confirmed(&was, &target, &request, &fields(update), 3, NOW)
    }

    #[test]
    fn fields_of_a_304() {
        let stored = [
            ("ETag", "\"1\""),
            ("Content-Type", "text/plain"),
            ("Digest", "sha-256=x"),
            ("Expires", DATE),
            ("X", "old"),
            ("Y", "old"),
        ];
        let update = [
            ("etag", "W/\"1\""),
            ("content-type", "text/html"),
            ("content-length", "0"),
            ("repr-digest", "y"),
            ("x", "new"),
            ("age", "7"),
            ("connection", "close"),
            ("last-modified", DATE),
        ];
        let found = confirmed_by(&stored, &update).unwrap();
        let expected = [
            ("ETag", "\"1\""),
            ("Content-Type", "text/plain"),
            ("Digest", "sha-256=x"),
            ("Expires", DATE),
            ("Y", "old"),
            ("x", "new"),
            ("last-modified", DATE),
            ("Date", &format_date(NOW)),
        ];
        assert_eq!(found.headers, fields(&expected));
        assert_eq!((found.stored_at, found.initial_age), (NOW, 3));
        assert_eq!(found.checked_at, Some(NOW));
        // What had no validator doesn't get one of something else.
        let bare = confirmed_by(&[], &[("Last-Modified", DATE), ("ETag", "\"1\"")]).unwrap();
        assert!(!bare.headers.has("last-modified") && !bare.headers.has("etag"));
    }

    #[test]
    fn vary_of_a_304() {
        let selecting = |vary| confirmed_by(&[], &[("Vary", vary)]).map(|r| r.selecting);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(selecting("B"), Some(vec![pair("b", "1")]));
        let both = vec![pair("a", "x"), pair("b", "1")];
        assert_eq!(selecting("A, Accept-Encoding"), Some(both));
        assert_eq!(selecting("*"), None);
        assert_eq!(confirmed_by(&[], &[("Cache-Control", "no-store")]), None);
    }
}
