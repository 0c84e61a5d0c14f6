//! What a redirect that is followed says itself: its fields belong to what is stored under its URL.

use crate::cache_control::CacheControl;
use crate::freshness::stated_in;
use crate::headers::Headers;
use crate::key::Target;
use crate::shape;

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

/// A redirect without a stated lifetime leads where it leads for so long, seconds.
const SILENT: u64 = 600;

/// For how long, in seconds, what is asked for is what a redirect of it leads to. `None`: for good, since
/// the URL names a version, whatever is said of the redirect.
#[must_use]
pub fn leads_for(target: &Target, redirect: &Headers) -> Option<u64> {
    if shape::names_for_good(target) || shape::says_version(target) {
        return None;
    }
    let control = CacheControl::of(redirect);
    if control.no_store {
        return Some(0);
    }
    Some(stated_in(redirect, None).unwrap_or(SILENT))
}

/// Has what a redirect led to fresh for no longer than the redirect is. Returns whether that is shorter.
pub fn keep_to(fields: &mut Headers, most: u64) -> bool {
    let shorter = stated_in(fields, None).is_none_or(|own| own > most);
    if shorter {
        fields.remove("expires");
        fields.set(
            "Cache-Control",
            if most == 0 {
                "no-cache".to_owned()
            } else {
                format!("max-age={most}")
            },
        );
    }
    shorter
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

    #[test]
    fn how_long_a_redirect_leads_there() {
        let fields = |value: &str| Headers(vec![(b"Cache-Control".to_vec(), value.into())]);
        let of = |path: &str, redirect: &Headers| {
            let target = Target::parse(&format!("https://mirror.example{path}")).unwrap();
            leads_for(&target, redirect)
        };
        let silent = Headers::default();
        assert_eq!(
            of("/releases/latest/download/t.tar.gz", &silent),
            Some(SILENT)
        );
        assert_eq!(of("/archive/master.zip", &fields("max-age=60")), Some(60));
        assert_eq!(of("/dl/tool.zip", &silent), Some(SILENT));
        assert_eq!(of("/dl/tool.zip", &fields("no-store")), Some(0));
        for path in ["/x/tool-1.2.3.zip", "/releases/download/v1.2.3/tool.tar.gz"] {
            assert_eq!(of(path, &fields("no-cache")), None, "{path}");
        }
        let year = "public, max-age=31536000";
        for (own, most, expected) in [
            (year, 60, "max-age=60"),
            (year, 0, "no-cache"),
            ("max-age=5", 60, "max-age=5"),
            ("no-cache", 60, "no-cache"),
        ] {
            let mut fields = fields(own);
            assert_eq!(keep_to(&mut fields, most), own != expected);
            assert_eq!(fields.text("cache-control"), Some(expected));
        }
    }
}
