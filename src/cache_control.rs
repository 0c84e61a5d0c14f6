//! `Cache-Control` (RFC 9111 section 5.2) of requests and responses, read leniently: what can't be
//! read is as if it weren't there, except that a broken `max-age` counts as stale (section 4.2.1).

use crate::headers::Headers;

/// The directives that cachy acts on. Durations are in seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// `max-age`
    pub max_age: Option<u64>,
    /// `s-maxage`
    pub s_maxage: Option<u64>,
    /// `no-cache` (with or without field names)
    pub no_cache: bool,
    /// `no-store`
    pub no_store: bool,
    /// `no-transform`
    pub no_transform: bool,
    /// `must-revalidate`, or `proxy-revalidate`, which is the same to a shared cache
    pub must_revalidate: bool,
    /// `stale-while-revalidate` (RFC 5861 section 3)
    pub stale_while_revalidate: Option<u64>,
    /// `only-if-cached`
    pub only_if_cached: bool,
}

impl CacheControl {
    /// Reads the `Cache-Control` fields; for a request without any, `Pragma: no-cache` counts
    /// (RFC 9111 section 5.4).
    #[must_use]
    pub fn of(headers: &Headers) -> Self {
        let mut found = Self::default();
        for value in headers.all("cache-control") {
            for (name, argument) in directives(value) {
                found.take(&name, argument.as_deref());
            }
        }
        if !headers.has("cache-control") {
            found.no_cache |= headers.all("pragma").any(|value| {
                let value = value.to_ascii_lowercase();
                value.windows(8).any(|eight| eight == b"no-cache")
            });
        }
        found
    }

    fn take(&mut self, name: &str, argument: Option<&str>) {
        let seconds = || Some(argument.map_or(0, delta_seconds));
        match name {
            // The first of several counts (RFC 9111 section 4.2.1).
            "max-age" => self.max_age = self.max_age.or_else(seconds),
            "s-maxage" => self.s_maxage = self.s_maxage.or_else(seconds),
            "stale-while-revalidate" => {
                self.stale_while_revalidate = self.stale_while_revalidate.or_else(seconds);
            }
            "must-revalidate" | "proxy-revalidate" => self.must_revalidate = true,
            "no-cache" => self.no_cache = true,
            "no-store" => self.no_store = true,
            "no-transform" => self.no_transform = true,
            "only-if-cached" => self.only_if_cached = true,
            _ => {}
        }
    }
}

/// Seconds as RFC 9111 section 1.2.2 has them: too large is a very long time, broken is none.
fn delta_seconds(text: &str) -> u64 {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return 0;
    }
    text.parse().unwrap_or(1 << 31).min(1 << 31)
}

/// Splits `a, b=1, c="x, y"` into lower-case names and unquoted arguments.
fn directives(value: &[u8]) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    let mut name = String::new();
    let mut argument: Option<String> = None;
    let mut quoted = false;
    let mut bytes = value.iter().copied();
    let mut flush = |name: &mut String, argument: &mut Option<String>| {
        let key = name.trim().to_ascii_lowercase();
        if !key.is_empty() {
            found.push((key, argument.take()));
        }
        name.clear();
        *argument = None;
    };
    while let Some(byte) = bytes.next() {
        let byte = match (quoted, byte) {
            (true, b'\\') => bytes.next().unwrap_or(b'\\'),
            (_, b'"') if argument.is_some() => {
                quoted = !quoted;
                continue;
            }
            (false, b',') => {
                flush(&mut name, &mut argument);
                continue;
            }
            (false, b'=') if argument.is_none() => {
                argument = Some(String::new());
                continue;
            }
            (_, byte) => byte,
        };
        argument
            .as_mut()
            .unwrap_or(&mut name)
            .push(char::from(byte));
    }
    flush(&mut name, &mut argument);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> CacheControl {
        CacheControl::of(&Headers(
            values
                .iter()
                .map(|v| (b"Cache-Control".to_vec(), v.as_bytes().to_vec()))
                .collect(),
        ))
    }

    #[test]
    fn reads_what_origins_send() {
        let cc = of(&["public, MAX-AGE=600, s-maxage=\"60\""]);
        assert_eq!((cc.max_age, cc.s_maxage), (Some(600), Some(60)));
        assert!(of(&["no-cache=\"a, b\", no-store"]).no_store);
        assert!(of(&["max-age=0", "no-cache"]).no_cache);
    }

    #[test]
    fn broken_or_doubled_ages() {
        assert_eq!(of(&["max-age=abc"]).max_age, Some(0));
        assert_eq!(of(&["max-age"]).max_age, Some(0));
        assert_eq!(of(&["max-age=-1"]).max_age, Some(0));
        assert_eq!(of(&["max-age=1, max-age=2"]).max_age, Some(1));
        assert_eq!(of(&["max-age=99999999999999999999"]).max_age, Some(1 << 31));
    }

    #[test]
    fn a_directive_inside_quotes_is_not_one() {
        assert!(!of(&["ext=\"x, no-store\""]).no_store);
        assert!(!of(&["ext=\"\\\", no-store\""]).no_store);
    }

    #[test]
    fn pragma_counts_only_alone() {
        let pragma = (b"Pragma".to_vec(), b"no-cache".to_vec());
        let control = (b"Cache-Control".to_vec(), b"max-age=5".to_vec());
        assert!(CacheControl::of(&Headers(vec![pragma.clone()])).no_cache);
        assert!(!CacheControl::of(&Headers(vec![pragma, control])).no_cache);
    }
}
