//! Other bytes under a URL that names a version for good: what was built with it can't be built again,
//! or somebody has put something else there. A person should know, whichever of both is served.

use crate::headers::Headers;
use crate::key::Target;
use crate::meta::{Record, Stored};
use crate::shape;

/// Says so where a response takes the place of another one.
pub(crate) fn say(target: &Target, new: &Record, was: &Record) {
    let (Some((new, _)), Some((was, _))) = (body(new), body(was)) else {
        return;
    };
    if new != was && shape::names_for_good(target) {
        log::warn!(
            "{} names a version, and the origin has other bytes for it now: sha256 {new} is served from now on, {was} was until now",
            name(target)
        );
    }
}

/// Says so where upstream's head tells of other bytes than those that are stored, and those stay.
pub(crate) fn say_kept(target: &Target, upstream: &Headers, stored: &Record) {
    let Some((digest, size)) = body(stored) else {
        return;
    };
    if shape::names_for_good(target) && is_other(upstream, stored, size) {
        let says = |name, word| upstream.text(name).map(|value| format!("{word} {value}"));
        let theirs = [says("etag", "ETag"), says("content-length", "length")];
        let theirs: Vec<_> = theirs.into_iter().flatten().collect();
        log::warn!(
            "{} names a version, and the origin has other bytes for it now ({}): sha256 {digest}, {size} bytes, is served on",
            name(target),
            theirs.join(", ")
        );
    }
}

/// Whether the fields of a 200 belong to other bytes: by a strong tag on both sides, or else the length.
fn is_other(upstream: &Headers, stored: &Record, size: u64) -> bool {
    let strong = |headers: &Headers| {
        let tag = headers.text("etag").filter(|tag| tag.starts_with('"'));
        tag.map(str::to_owned)
    };
    if let (Some(theirs), Some(ours)) = (strong(upstream), strong(&stored.headers)) {
        return theirs != ours;
    }
    let length = upstream.text("content-length");
    let same_coding = !stored.decoded
        && upstream.list("content-encoding") == stored.headers.list("content-encoding");
    same_coding && length.is_some_and(|length| length.parse() != Ok(size))
}

/// The SHA-256 of a stored body, and its size.
fn body(record: &Record) -> Option<(&str, u64)> {
    match &record.stored {
        Stored::File { sha256, seen } => Some((sha256, seen.size)),
        Stored::Link { .. } | Stored::Slash { .. } => None,
    }
}

/// The URL without its query, which may hold a secret.
fn name(target: &Target) -> String {
    let mut url = target.url();
    if let Some(mark) = url.find('?') {
        url.truncate(mark);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Scheme;
    use crate::meta::Seen;

    #[test]
    fn what_tells_of_other_bytes() {
        let fields = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            Headers(pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect())
        };
        let other = |stored: &[(&str, &str)], upstream: &[(&str, &str)]| {
            let seen = Seen {
                size: 5,
                mtime_ns: 0,
            };
            let record = Record {
                scheme: Scheme::Https,
                status: 200,
                headers: fields(stored),
                selecting: Vec::new(),
                stored_at: 0,
                initial_age: 0,
                checked_at: None,
                close_delimited: false,
                decoded: false,
                label: false,
                unsettled: None,
                bond: None,
                stored: Stored::File {
                    seen,
                    sha256: String::new(),
                },
            };
            is_other(&fields(upstream), &record, 5)
        };
        let tag = |value| ("ETag", value);
        let length = |value| ("Content-Length", value);
        assert!(other(&[tag("\"1\"")], &[tag("\"2\""), length("5")]));
        assert!(!other(&[tag("\"1\"")], &[tag("\"1\""), length("6")]));
        // A weak tag, or one alone, says nothing.
        assert!(!other(&[tag("\"1\"")], &[tag("W/\"2\""), length("5")]));
        assert!(!other(&[], &[tag("\"2\"")]));
        assert!(other(&[], &[length("6")]) && !other(&[], &[length("5")]));
        let gzip = ("Content-Encoding", "gzip");
        assert!(!other(&[], &[length("6"), gzip]));
    }
}
