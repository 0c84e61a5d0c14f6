//! Conditions of a request against a stored response (RFC 9110 section 13).

use crate::freshness::http_date;
use crate::headers::Headers;
use crate::meta::Millis;

/// What the conditions of a request come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There are none, or they hold: the stored response is sent.
    Send,
    /// 304: the client has what is stored.
    NotModified,
    /// 412: the client wants something else than what is stored.
    Failed,
}

/// Evaluates the conditions of a GET or HEAD against a stored 200, in the order of RFC 9110 section
/// 13.2.2.
#[must_use]
pub fn evaluate(request: &Headers, stored: &Headers) -> Outcome {
    let etag = stored.text("etag");
    let modified = stored.text("last-modified").and_then(http_date);
    let unmodified_since = |name| {
        let since = date(request, name);
        // Without a date on either side there is no condition (sections 13.1.3 and 13.1.4).
        since.zip(modified).map(|(since, at)| at <= since)
    };
    let holds = if request.has("if-match") {
        // Strong comparison (section 13.1.1).
        matches(request, "if-match", |tag| {
            !is_weak(tag) && etag == Some(tag)
        })
    } else {
        unmodified_since("if-unmodified-since").unwrap_or(true)
    };
    if !holds {
        return Outcome::Failed;
    }
    let has_it = if request.has("if-none-match") {
        // Weak comparison (section 13.1.2).
        matches(request, "if-none-match", |tag| {
            etag.is_some_and(|etag| opaque(tag) == opaque(etag))
        })
    } else {
        unmodified_since("if-modified-since").unwrap_or(false)
    };
    if has_it {
        Outcome::NotModified
    } else {
        Outcome::Send
    }
}

/// Whether the validators of all conditions of a request that count (RFC 9110 section 13.2.2) are those
/// of a stored response: its client has, or wants, what is stored.
#[must_use]
pub fn is_ours(request: &Headers, stored: &Headers) -> bool {
    let tag = |name| {
        let etag = stored.text("etag");
        entity_tags(&request.list(name))
            .any(|tag| etag.is_some_and(|etag| opaque(tag) == opaque(etag)))
    };
    let time = |name| {
        let modified = stored.text("last-modified").and_then(http_date);
        modified.is_some() && date(request, name) == modified
    };
    let pair = |tags, times| match (request.has(tags), request.has(times)) {
        (true, _) => tag(tags),
        (false, true) => time(times),
        (false, false) => true,
    };
    pair("if-none-match", "if-modified-since") && pair("if-match", "if-unmodified-since")
}

/// Whether a range asked for with this `If-Range` still fits what is stored (RFC 9110 section
/// 13.1.5): strong comparison; a date must be the very one, and the stored response be generated
/// after the second that it names, in which the thing may have changed again (section 8.8.2.2).
#[must_use]
pub fn if_range(request: &Headers, stored: &Headers) -> bool {
    if !request.has("if-range") {
        return true;
    }
    let wanted = request.list("if-range");
    let wanted = wanted.trim();
    if wanted.starts_with('"') || is_weak(wanted) {
        return !is_weak(wanted) && stored.text("etag") == Some(wanted);
    }
    let modified = http_date(wanted).filter(|_| stored.text("last-modified") == Some(wanted));
    let generated = stored.text("date").and_then(http_date);
    matches!((modified, generated), (Some(modified), Some(generated)) if generated >= modified + 1000)
}

/// The one date of a field; several are none (RFC 9110 sections 13.1.3 and 13.1.4).
fn date(request: &Headers, name: &str) -> Option<Millis> {
    http_date(request.list(name).trim())
}

/// Whether a list of entity tags holds `*`, alone, or one that is `same`.
fn matches(request: &Headers, name: &str, same: impl Fn(&str) -> bool) -> bool {
    let wanted = request.list(name);
    wanted.trim() == "*" || entity_tags(&wanted).any(same)
}

fn is_weak(tag: &str) -> bool {
    tag.starts_with("W/")
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The tags of a list; a comma inside quotes belongs to the tag (RFC 9110 section 8.8.3).
fn entity_tags(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    list.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .map(str::trim)
    .filter(|tag| !tag.is_empty())
}

/// The conditions that cachy sends upstream for what it has stored, in place of the client's.
#[must_use]
pub fn validators(stored: &Headers) -> Vec<(&'static str, Vec<u8>)> {
    let of = |from, to| stored.get(from).map(|value| (to, value.to_vec()));
    [
        of("etag", "if-none-match"),
        of("last-modified", "if-modified-since"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Fields of a request that ask for less than the whole (RFC 9110 sections 13.1 and 14.2).
pub const PARTIAL: [&str; 6] = [
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "range",
];

/// Whether a request asks for the whole, without any condition.
#[must_use]
pub fn is_plain(request: &Headers) -> bool {
    // Told by their beginnings, which few other fields have.
    !request.0.iter().any(|(name, _)| {
        let first = name.first().map(u8::to_ascii_lowercase);
        matches!(first, Some(b'i' | b'r'))
            && PARTIAL
                .iter()
                .any(|p| name.eq_ignore_ascii_case(p.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Headers {
        let pairs = pairs.iter();
        Headers(pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect())
    }

    const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
    const EARLIER: &str = "Tue, 14 Nov 2023 22:13:19 GMT";
    const LATER: &str = "Tue, 14 Nov 2023 22:13:21 GMT";

    #[test]
    fn conditions() {
        use Outcome::{Failed, NotModified, Send};
        let stored = fields(&[("ETag", "\"a,b\""), ("Last-Modified", DATE)]);
        for (request, expected) in [
            (vec![], Send),
            (vec![("If-None-Match", "\"a,b\"")], NotModified),
            (vec![("If-None-Match", "W/\"a,b\"")], NotModified),
            (vec![("If-None-Match", "\"x\", \"a,b\"")], NotModified),
            (
                vec![("If-None-Match", "\"x\""), ("If-None-Match", "\"a,b\"")],
                NotModified,
            ),
            (vec![("If-None-Match", "*")], NotModified),
            (vec![("If-None-Match", "\"a\"")], Send),
            (vec![("If-None-Match", "")], Send),
            (
                vec![("If-None-Match", "\"x\""), ("If-Modified-Since", LATER)],
                Send,
            ),
            (vec![("If-Modified-Since", DATE)], NotModified),
            (vec![("If-Modified-Since", LATER)], NotModified),
            (vec![("If-Modified-Since", EARLIER)], Send),
            (vec![("If-Modified-Since", "yesterday")], Send),
            (
                vec![("If-Modified-Since", DATE), ("If-Modified-Since", DATE)],
                Send,
            ),
            (vec![("If-Match", "\"a,b\"")], Send),
            (vec![("If-Match", "\"x\", \"a,b\"")], Send),
            (vec![("If-Match", "*")], Send),
            (vec![("If-Match", "\"x\"")], Failed),
            (vec![("If-Match", "W/\"a,b\"")], Failed),
            (vec![("If-Match", "")], Failed),
            (vec![("If-Unmodified-Since", DATE)], Send),
            (vec![("If-Unmodified-Since", LATER)], Send),
            (vec![("If-Unmodified-Since", EARLIER)], Failed),
            (vec![("If-Unmodified-Since", "yesterday")], Send),
            // If-Match goes before If-Unmodified-Since, and both before the others.
            (
                vec![("If-Match", "*"), ("If-Unmodified-Since", EARLIER)],
                Send,
            ),
            (
                vec![("If-Match", "\"x\""), ("If-None-Match", "\"a,b\"")],
                Failed,
            ),
            (
                vec![("If-Match", "\"a,b\""), ("If-None-Match", "\"a,b\"")],
                NotModified,
            ),
            (
                vec![("If-Unmodified-Since", DATE), ("If-Modified-Since", DATE)],
                NotModified,
            ),
        ] {
            assert_eq!(
                evaluate(&fields(&request), &stored),
                expected,
                "{request:?}"
            );
        }
    }

    #[test]
    fn conditions_on_little() {
        use Outcome::{Failed, NotModified, Send};
        let weak = fields(&[("ETag", "W/\"a\"")]);
        let bare = Headers::default();
        for (stored, name, value, expected) in [
            (&weak, "If-Match", "W/\"a\"", Failed),
            (&weak, "If-Match", "\"a\"", Failed),
            (&weak, "If-Match", "*", Send),
            (&weak, "If-None-Match", "\"a\"", NotModified),
            (&bare, "If-Match", "\"a\"", Failed),
            (&bare, "If-Match", "*", Send),
            (&bare, "If-None-Match", "\"a\"", Send),
            (&bare, "If-None-Match", "*", NotModified),
            // No date, no condition.
            (&bare, "If-Unmodified-Since", DATE, Send),
            (&bare, "If-Modified-Since", DATE, Send),
        ] {
            let request = fields(&[(name, value)]);
            assert_eq!(evaluate(&request, stored), expected, "{name}: {value}");
        }
    }

    #[test]
    fn if_range_is_strong() {
        let stored = |generated: Option<&'static str>| {
            let mut stored = fields(&[("ETag", "\"a\""), ("Last-Modified", DATE)]);
            if let Some(date) = generated {
                stored.push("Date", date);
            }
            stored
        };
        for (value, generated, expected) in [
            ("\"a\"", None, true),
            ("W/\"a\"", Some(LATER), false),
            ("\"b\"", Some(LATER), false),
            (DATE, Some(LATER), true),
            // Within the second in which it changed last.
            (DATE, Some(DATE), false),
            (DATE, Some(EARLIER), false),
            (DATE, None, false),
            (LATER, Some(LATER), false),
            (EARLIER, Some(LATER), false),
            // The same time in the old form is not the same text.
            ("Tuesday, 14-Nov-23 22:13:20 GMT", Some(LATER), false),
            ("", Some(LATER), false),
        ] {
            let request = fields(&[("If-Range", value)]);
            let found = if_range(&request, &stored(generated));
            assert_eq!(found, expected, "{value} {generated:?}");
        }
        let weak = fields(&[("ETag", "W/\"a\"")]);
        assert!(!if_range(&fields(&[("If-Range", "W/\"a\"")]), &weak));
        assert!(if_range(&Headers::default(), &weak));
        let odd = fields(&[("Last-Modified", "x"), ("Date", LATER)]);
        assert!(!if_range(&fields(&[("If-Range", "x")]), &odd));
    }
}
