//! What a redirect that is followed says itself: its fields belong to what is stored under its URL.

use crate::headers::Headers;

/// Fields that are about the redirect alone: its own body and freshness, who sent it, and to whom.
const NOT_KEPT: [&str; 24] = [
    "accept-ranges",
    "age",
    "alt-svc",
    "cache-control",
    "cache-status",
    "cdn-cache-control",
    "clear-site-data",
    "date",
    "digest",
    "etag",
    "expires",
    "last-modified",
    "location",
    "pragma",
    "proxy-status",
    "refresh",
    "repr-digest",
    "retry-after",
    "server",
    "server-timing",
    "surrogate-control",
    "vary",
    "via",
    "www-authenticate",
];

/// Adds to the fields of an answer what a redirect on the way to it says, where the answer itself says
/// nothing of that: some clients read the fields of the first answer (`X-Repo-Commit`, `X-Linked-Etag`).
pub fn add_own(fields: &mut Headers, redirect: &Headers) {
    let kept = redirect.storable().0.into_iter().filter(|(name, _)| {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let other = name.starts_with("content-") || name.starts_with("access-control-");
        !(other || NOT_KEPT.contains(&name.as_str()) || fields.has(&name))
    });
    let kept: Vec<_> = kept.collect();
    fields.0.extend(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_redirect() {
        let fields = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            Headers(pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect())
        };
        let redirect = fields(&[
            ("Location", "https://cdn/x"),
            ("Set-Cookie", "a=b"),
            ("ETag", "\"r\""),
            ("Content-Length", "9"),
            ("Content-Type", "text/plain"),
            ("Cache-Control", "no-store"),
            ("Access-Control-Allow-Origin", "https://h"),
            ("Connection", "X-Hop"),
            ("X-Hop", "1"),
            ("X-Repo-Commit", "c"),
            ("Link", "<a>"),
            ("link", "<b>"),
            ("X-Both", "first"),
        ]);
        let mut last = fields(&[("ETag", "\"l\""), ("x-both", "last")]);
        add_own(&mut last, &redirect);
        let expected = fields(&[
            ("ETag", "\"l\""),
            ("x-both", "last"),
            ("X-Repo-Commit", "c"),
            ("Link", "<a>"),
            ("link", "<b>"),
        ]);
        assert_eq!(last, expected);
    }
}
