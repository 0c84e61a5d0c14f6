//! Conditions of a request against a stored response (RFC 9110 section 13).

use crate::freshness::http_date;
use crate::headers::Headers;

/// Whether a GET or HEAD with these conditions is answered 304 (RFC 9110 section 13.2.2): the
/// client has what is stored.
#[must_use]
pub fn not_modified(request: &Headers, stored: &Headers) -> bool {
    if request.has("if-none-match") {
        let wanted = request.list("if-none-match");
        let etag = stored.text("etag");
        return wanted.trim() == "*"
            || etag.is_some_and(|e| entity_tags(&wanted).any(|w| weak(w) == weak(e)));
    }
    let since = request.text("if-modified-since").and_then(http_date);
    let modified = stored.text("last-modified").and_then(http_date);
    matches!((since, modified), (Some(since), Some(modified)) if modified <= since)
}

/// Whether a range asked for with this `If-Range` still fits what is stored (RFC 9110 section
/// 13.1.5): strong comparison, and a date must be the very one.
#[must_use]
pub fn if_range(request: &Headers, stored: &Headers) -> bool {
    let Some(wanted) = request.text("if-range") else {
        return true;
    };
    if wanted.starts_with('"') || wanted.starts_with("W/") {
        return !wanted.starts_with("W/") && stored.text("etag") == Some(wanted);
    }
    stored.text("last-modified") == Some(wanted)
}

fn weak(tag: &str) -> &str {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Headers {
        let pairs = pairs.iter();
        Headers(pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect())
    }

    #[test]
    fn conditions() {
        let date = "Tue, 14 Nov 2023 22:13:20 GMT";
        let later = "Tue, 14 Nov 2023 22:13:21 GMT";
        let stored = fields(&[("ETag", "\"a,b\""), ("Last-Modified", date)]);
        for (request, yes) in [
            (vec![("If-None-Match", "\"a,b\"")], true),
            (vec![("If-None-Match", "W/\"a,b\"")], true),
            (vec![("If-None-Match", "\"x\", \"a,b\"")], true),
            (vec![("If-None-Match", "*")], true),
            (vec![("If-None-Match", "\"a\"")], false),
            (
                vec![("If-None-Match", "\"x\""), ("If-Modified-Since", later)],
                false,
            ),
            (vec![("If-Modified-Since", date)], true),
            (vec![("If-Modified-Since", later)], true),
            (
                vec![("If-Modified-Since", "Tue, 14 Nov 2023 22:13:19 GMT")],
                false,
            ),
            (vec![("If-Modified-Since", "yesterday")], false),
            (vec![], false),
        ] {
            assert_eq!(not_modified(&fields(&request), &stored), yes, "{request:?}");
        }
    }

    #[test]
    fn if_range_is_strong() {
        let date = "Tue, 14 Nov 2023 22:13:20 GMT";
        let stored = fields(&[("ETag", "\"a\""), ("Last-Modified", date)]);
        for (value, yes) in [
            ("\"a\"", true),
            ("W/\"a\"", false),
            ("\"b\"", false),
            (date, true),
            ("Tue, 14 Nov 2023 22:13:21 GMT", false),
        ] {
            assert_eq!(
                if_range(&fields(&[("If-Range", value)]), &stored),
                yes,
                "{value}"
            );
        }
        let weak = fields(&[("ETag", "W/\"a\"")]);
        assert!(!if_range(&fields(&[("If-Range", "W/\"a\"")]), &weak));
        assert!(if_range(&Headers::default(), &weak));
    }
}
