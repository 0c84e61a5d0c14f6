//! Which stored variant answers a request: `Vary` (RFC 9111 section 4.1), and what registries select
//! by without saying so.

mod standing_in;
mod undeclared;

use sha2::{Digest, Sha256};

use crate::asking;
use crate::coding::may_be_label;
use crate::cookies;
use crate::headers::Headers;
use crate::hex::hex;
use crate::key::Target;
use crate::meta::Record;

pub use self::standing_in::{Fitness, fitness};

/// The fields that a response was selected by, with the request's normalised values. `None` for
/// `Vary: *`, which no request matches.
#[must_use]
pub fn selecting(
    target: &Target,
    request: &Headers,
    status: u16,
    response: &Headers,
) -> Option<Vec<(String, String)>> {
    let vary = response.list("vary").to_ascii_lowercase();
    let mut names: Vec<&str> = vary
        .split(',')
        .map(str::trim)
        .filter(|n| !n.is_empty())
        .collect();
    for name in undeclared::by_response(target, status, response) {
        names.push(name);
    }
    names.sort_unstable();
    names.dedup();
    if names.contains(&"*") {
        return None;
    }
    // Codings are matched by what was stored, see `matches`.
    names.retain(|name| *name != "accept-encoding");
    if undeclared::is_named(target, status) {
        names.retain(|name| *name != "accept");
    }
    let values = names.iter().map(|name| {
        let value = normalised(target, request, name);
        ((*name).to_owned(), value)
    });
    Some(values.collect())
}

/// The normalised values that a request has for the fields that its URL is known to be selected by:
/// those of `names`, and those that nobody declares.
#[must_use]
pub fn known(target: &Target, request: &Headers, names: &[String]) -> Vec<(String, String)> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    if let Some(name) = undeclared::by_url(target).filter(|name| !names.contains(name)) {
        names.push(name);
    }
    let values = names.iter().map(|name| {
        let value = normalised(target, request, name);
        ((*name).to_owned(), value)
    });
    values.collect()
}

/// Whether a request has these values.
#[must_use]
pub fn has(values: &[(String, String)], target: &Target, request: &Headers) -> bool {
    let mut values = values.iter();
    values.all(|(name, value)| normalised(target, request, name) == *value)
}

/// Whether a stored response answers this request.
#[must_use]
pub fn matches(record: &Record, target: &Target, request: &Headers) -> bool {
    is_readable(record, target, request) && has(&record.selecting, target, request)
}

/// Whether the client can decode what is stored.
fn is_readable(record: &Record, target: &Target, request: &Headers) -> bool {
    let coding = record.headers.list("content-encoding");
    let label = || record.label && may_be_label(target, &coding);
    coding.is_empty() || label() || accepts_coding(request, &coding)
}

/// Names a variant: 16 hex digits over what it was selected by.
#[must_use]
pub fn variant_name(selecting: &[(String, String)], coding: &str) -> String {
    let mut hash = Sha256::new();
    for (name, value) in selecting {
        hash.update(format!("{name}: {value}\n"));
    }
    hash.update(format!("content-encoding: {coding}\n"));
    hex(&hash.finalize()[..8])
}

fn normalised(target: &Target, request: &Headers, name: &str) -> String {
    if let Some(value) = undeclared::value(target, request, name) {
        return value;
    }
    if asking::reroutes(name.as_bytes()) || (name == "cookie" && cookies::say_nothing(request)) {
        // It is never sent.
        return String::new();
    }
    // Space around commas means nothing in a list (RFC 9110 section 5.6.1).
    let value = request.list(name);
    let parts: Vec<&str> = value
        .split(',')
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .collect();
    parts.join(", ")
}

/// Whether `Accept-Encoding` takes every coding of a `Content-Encoding` list (RFC 9110 section
/// 12.5.3). A request without the field takes none but identity: such clients can't decode.
#[must_use]
pub fn accepts_coding(request: &Headers, codings: &str) -> bool {
    let accepted = weighted(&request.list("accept-encoding"));
    let quality = |coding: &str| {
        let named = accepted.iter().find(|(name, _)| same_coding(name, coding));
        let named = named.or_else(|| accepted.iter().find(|(name, _)| name == "*"));
        named.map_or(0.0, |(_, quality)| *quality)
    };
    codings
        .split(',')
        .map(|coding| coding.trim().to_ascii_lowercase())
        .filter(|coding| !coding.is_empty() && coding != "identity")
        .all(|coding| quality(&coding) > 0.0)
}

fn same_coding(a: &str, b: &str) -> bool {
    a.strip_prefix("x-").unwrap_or(a) == b.strip_prefix("x-").unwrap_or(b)
}

/// The members of a list with quality values (RFC 9110 section 12.4.2), lower-case, parameters left out.
fn weighted(list: &str) -> Vec<(String, f32)> {
    list.split(',')
        .map(|member| {
            let mut parts = member.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts
                .find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")))
                .map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
            (name, quality)
        })
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings() {
        let asks = |value: &str| Headers(vec![(b"Accept-Encoding".to_vec(), value.into())]);
        assert!(accepts_coding(&asks("gzip, br"), "gzip"));
        assert!(accepts_coding(&asks("x-gzip"), "gzip"));
        assert!(accepts_coding(&asks("*"), "zstd"));
        assert!(accepts_coding(&Headers::default(), "identity"));
        assert!(!accepts_coding(&asks("gzip;q=0, *"), "gzip"));
        assert!(!accepts_coding(&asks("identity"), "gzip"));
        assert!(!accepts_coding(&asks("gzip"), "gzip, br"));
        assert!(!accepts_coding(&Headers::default(), "gzip"));
    }

    #[test]
    fn a_python_index_is_selected_by_accept_even_without_vary() {
        let target = Target::parse("https://h/simple/six/").unwrap();
        let request = Headers(vec![(
            b"Accept".to_vec(),
            b"application/vnd.pypi.simple.v1+json".to_vec(),
        )]);
        let found = selecting(&target, &request, 200, &Headers::default()).unwrap();
        assert_eq!(found, [("accept".to_owned(), "json".to_owned())]);
        let any = Headers(vec![(b"Vary".to_vec(), b"Accept, *".to_vec())]);
        assert_eq!(selecting(&target, &request, 200, &any), None);
    }
}
