//! What is asked for.

use crate::key::{KeyError, Scheme, Target};
use crate::ledger::RunId;

/// What lies under `cachy_host`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// `/`
    Welcome,
    /// `/status`
    Status,
    /// `/ca.pem`
    Certificate,
    /// `/setup.sh`
    Setup,
    /// `/stats`
    Stats,
    /// `/runs/ID`
    Run(RunId),
    /// `/cache/URL`, with the URL's bytes as they came.
    Cache(&'a [u8]),
}

impl<'a> Route<'a> {
    /// By the origin-form of the target. `None`: there is no such thing.
    #[must_use]
    pub fn of(target: &'a [u8]) -> Option<Self> {
        if let Some(url) = target.strip_prefix(b"/cache/") {
            return Some(Self::Cache(url));
        }
        let path = target.split(|b| *b == b'?').next().unwrap_or_default();
        match path {
            b"/" | b"" => Some(Self::Welcome),
            b"/status" => Some(Self::Status),
            b"/ca.pem" => Some(Self::Certificate),
            b"/setup.sh" => Some(Self::Setup),
            b"/stats" => Some(Self::Stats),
            _ => {
                let id = std::str::from_utf8(path.strip_prefix(b"/runs/")?).ok()?;
                RunId::parse(id).map(Self::Run)
            }
        }
    }

    /// The methods that it takes, as `Allow` lists them (RFC 9110 section 10.2.1).
    #[must_use]
    pub fn allow(&self) -> &'static str {
        match self {
            Self::Cache(_) => "GET, HEAD, PUT, DELETE",
            _ => "GET, HEAD",
        }
    }

    /// Whether it takes a method.
    #[must_use]
    pub fn takes(&self, method: &str) -> bool {
        self.allow().split(", ").any(|known| known == method)
    }
}

/// The URL in `/cache/URL`. A client that takes `//` for one slash may send `https:/host/path`.
///
/// # Errors
/// Says why nothing is stored under it.
pub fn cached_url(bytes: &[u8]) -> Result<Target, KeyError> {
    let (scheme, rest) = [Scheme::Https, Scheme::Http]
        .into_iter()
        .find_map(|scheme| Some((scheme, after(bytes, scheme.as_str())?)))
        .ok_or(KeyError::NotHttp)?;
    let rest = rest.strip_prefix(b"/").unwrap_or(rest);
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#'));
    let (authority, target) = rest.split_at(end.unwrap_or(rest.len()));
    let authority = std::str::from_utf8(authority).map_err(|_| KeyError::BadHost {
        host: String::from_utf8_lossy(authority).into_owned(),
    })?;
    if target.first() == Some(&b'?') {
        // RFC 3986 section 6.2.3: an empty path is "/".
        return Target::from_authority(scheme, authority, &[b"/", target].concat());
    }
    Target::from_authority(scheme, authority, target)
}

/// What stands behind `scheme:/`.
fn after<'a>(bytes: &'a [u8], scheme: &str) -> Option<&'a [u8]> {
    let (found, rest) = bytes.split_at_checked(scheme.len())?;
    let rest = rest.strip_prefix(b":/")?;
    found
        .eq_ignore_ascii_case(scheme.as_bytes())
        .then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_there_is() {
        let id = "00112233445566778899aabbccddeeff";
        for (target, expected) in [
            ("/", Some(Route::Welcome)),
            ("", Some(Route::Welcome)),
            ("/?x", Some(Route::Welcome)),
            ("/status", Some(Route::Status)),
            ("/ca.pem?v=1", Some(Route::Certificate)),
            ("/setup.sh", Some(Route::Setup)),
            ("/stats", Some(Route::Stats)),
            ("/cache/https://h/a?x", Some(Route::Cache(b"https://h/a?x"))),
            ("/cache", None),
            ("/stats/", None),
            ("//", None),
            ("/runs/", None),
            ("/runs/00112233445566778899aabbccddeef", None),
            ("/runs/+0112233445566778899aabbccddeeff", None),
            ("*", None),
        ] {
            assert_eq!(Route::of(target.as_bytes()), expected, "{target}");
        }
        let run = format!("/runs/{id}");
        assert_eq!(Route::of(run.as_bytes()), RunId::parse(id).map(Route::Run));
    }

    #[test]
    fn urls_however_they_are_spelt() {
        for (spelt, url) in [
            ("https://H/a", "https://h/a"),
            ("https:/h/a", "https://h/a"),
            ("HTTP://h:8080/a//b?u=c/d", "http://h:8080/a//b?u=c/d"),
            ("https://h", "https://h/"),
            ("https://h?x", "https://h/?x"),
            ("https://h/%7ea%2fb", "https://h/~a%2Fb"),
        ] {
            assert_eq!(cached_url(spelt.as_bytes()).unwrap().url(), url, "{spelt}");
        }
        for spelt in [
            "",
            "h/a",
            "ftp://h/a",
            "https:h/a",
            "https:///a",
            "https:////h/a",
            "https://h/../a",
            "https://u@h/a",
            "https://h/a#b",
            "https://h:0/",
            "https%3A//h/a",
            "https://\u{1}/",
        ] {
            cached_url(spelt.as_bytes()).expect_err(spelt);
        }
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Route::of(&bytes);
            let _ = cached_url(&bytes);
            let url = [b"https://h/".as_slice(), &bytes].concat();
            let spelt = cached_url(&url);
            let key = Target::new(Scheme::Https, "h", 443, &url[9..]);
            prop_assert_eq!(spelt, key, "the client's own bytes");
        }

        #[test]
        fn a_url_comes_back(path in "[a-z/%?=&.~+:@-]{0,40}") {
            if let Ok(target) = Target::parse(&format!("https://h.example:8443/{path}")) {
                prop_assert_eq!(cached_url(target.url().as_bytes()), Ok(target.clone()));
                let squashed = target.url().replacen("//", "/", 1);
                prop_assert_eq!(cached_url(squashed.as_bytes()), Ok(target));
            }
        }
    }
}
