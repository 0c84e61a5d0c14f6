//! Redirects to the thing itself: whether one is followed inside the proxy, so that the body is
//! stored under the URL that was asked. All others are the client's to follow, and stored as links.

mod own;
mod signed;

#[cfg(test)]
mod tests;

use std::fmt::Write;

pub use own::{add_own, keep_to, leads_for};
pub use signed::{is_signed, looks_signed};

use crate::headers::Headers;
use crate::key::{Scheme, Target};
use crate::link::is_redirect;
use crate::local;
use crate::suffix::names_file;

/// After this many redirects the chain is given up.
const MOST: usize = 10;

/// Where a redirect leads that is followed inside the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// What to fetch, in canonical form: scheme, host and port are those to connect to.
    pub target: Target,
    /// What to ask for there: the path and query as they were sent, since a signature is made over
    /// one spelling. Only what can't stand in a request line is escaped.
    pub path: String,
    /// The chain has left the host that was asked: credentials stay behind (RFC 9110 section 15.4).
    pub other_host: bool,
    /// How many redirects have been followed with this one.
    pub count: usize,
}

impl Hop {
    /// The whole URL, spelt as it was sent.
    #[must_use]
    pub fn url(&self) -> String {
        let (scheme, authority) = (self.target.scheme(), self.target.authority());
        format!("{}://{authority}{}", scheme.as_str(), self.path)
    }
}

/// Whether a response to a GET is a redirect that is followed inside the proxy, and where to.
///
/// `asked` is the URL that the client wants, `last` the redirect that led to this response, `None`
/// for the first. The first is followed from a URL that names a file, or to one that is signed; what
/// it leads to is followed as well, up to ten in all. Never is https left for http, and nothing
/// leads back to where it came from.
#[must_use]
pub fn hop(asked: &Target, last: Option<&Hop>, status: u16, response: &Headers) -> Option<Hop> {
    let count = last.map_or(0, |last| last.count) + 1;
    if !is_redirect(status) || count > MOST {
        return None;
    }
    let own = asked.origin_form();
    let (from, base) = last.map_or((asked, &own), |last| (&last.target, &last.path));
    let (target, path) = resolve(from, base, response.get("location")?)?;
    if local::unstorable(target.host(), &local::machine()).is_some() {
        // What this machine can reach there is nobody's business, least of all for everybody.
        return None;
    }
    let insecure = from.scheme() == Scheme::Https && target.scheme() == Scheme::Http;
    // http to https of the same URL is a matter between client and origin.
    let alike = target.with_scheme(asked.scheme());
    let loops = target == *from || alike.as_ref() == Some(asked);
    let adds_slash = last.is_none() && alike.is_some() && alike == asked.with_slash();
    if insecure || loops || adds_slash {
        return None;
    }
    let left = |target: &Target| target.authority() != asked.authority();
    let hop = Hop {
        other_host: last.is_some_and(|last| last.other_host) || left(&target),
        target,
        path,
        count,
    };
    let followed = last.is_some()
        || names_file(asked)
        || url::Url::parse(&hop.url()).is_ok_and(|url| is_signed(&url));
    followed.then_some(hop)
}

/// Whether a URL that is asked for is signed itself: a credential, if one for minutes.
#[must_use]
pub fn names_signature(target: &Target) -> bool {
    target.query().is_some() && url::Url::parse(&target.url()).is_ok_and(|url| is_signed(&url))
}

/// Whether a final 200 may be the thing that its URL names: a page in the place of an archive is a
/// login or an apology.
#[must_use]
pub fn is_the_file(asked: &Target, content_type: Option<&str>) -> bool {
    let essence = content_type.and_then(|text| text.split(';').next());
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    let page = matches!(essence.as_str(), "text/html" | "application/xhtml+xml");
    !(page && names_file(asked))
}

/// Where a redirect leads: its Location, resolved (RFC 9110 section 10.2.2), as a link spells it.
///
/// # Errors
/// The word for `Cache-Status` that tells why it leads nowhere.
pub fn location(target: &Target, response: &Headers) -> Result<url::Url, &'static str> {
    let field = response.get("location").ok_or("no-location")?;
    // Bytes that aren't UTF-8 stand for themselves, as in a request's target.
    let field = match std::str::from_utf8(field) {
        Ok(text) => text.to_owned(),
        Err(_) => percent_encoding::percent_encode(field, percent_encoding::CONTROLS).to_string(),
    };
    let base = url::Url::parse(&target.url()).map_err(|_| "location")?;
    base.join(field.trim()).map_err(|_| "location")
}

/// A reference resolved against the URL that gave it (RFC 3986 section 5.2), with the path and query
/// spelt as sent: `url` would escape what a signature was made over. `None` for what is no http URL,
/// and for what has no key.
fn resolve(from: &Target, base: &str, field: &[u8]) -> Option<(Target, String)> {
    let text = sendable(field.trim_ascii());
    let text = text.split('#').next().unwrap_or_default();
    let (scheme, text) = match scheme(text) {
        Some(("http", rest)) => (Scheme::Http, Some(rest).filter(|r| r.starts_with("//"))?),
        Some(("https", rest)) => (Scheme::Https, Some(rest).filter(|r| r.starts_with("//"))?),
        Some(_) => return None,
        None => (from.scheme(), text),
    };
    let (authority, path) = match text.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
        None => (from.authority(), text),
    };
    let (path, query) = match path.find('?') {
        Some(mark) => path.split_at(mark),
        None => (path, ""),
    };
    let (base, base_query) = base.split_at(base.find('?').unwrap_or(base.len()));
    let folder = base.rfind('/').map_or("/", |end| &base[..=end]);
    let (path, query) = match path {
        "" if text.starts_with("//") => ("/".to_owned(), query),
        "" if query.is_empty() => (base.to_owned(), base_query),
        "" => (base.to_owned(), query),
        _ if path.starts_with('/') => (without_dots(path), query),
        _ => (without_dots(&format!("{folder}{path}")), query),
    };
    let path = format!("{path}{query}");
    let target = Target::from_authority(scheme, authority, path.as_bytes()).ok()?;
    Some((target, path))
}

/// The scheme of a reference in lower case and what follows its colon, where it has one (RFC 3986
/// section 4.2: the first segment of a relative one has no colon).
fn scheme(text: &str) -> Option<(&'static str, &str)> {
    let colon = text.find([':', '/', '?'])?;
    let rest = text[colon..].strip_prefix(':')?;
    let known = ["http", "https"];
    let known = known
        .into_iter()
        .find(|k| text[..colon].eq_ignore_ascii_case(k));
    Some((known.unwrap_or("other"), rest))
}

/// Without `.` and `..` (RFC 3986 section 5.2.4). The path begins with `/`.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let dots = matches!(segment, "." | "..");
        if segment == ".." {
            kept.pop();
        }
        if !dots {
            kept.push(segment);
        } else if segments.peek().is_none() {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

/// Bytes as they can stand in a request line (RFC 9112 section 3): spaces, controls and what isn't
/// ASCII escaped, all else as it is.
fn sendable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_graphic() {
            text.push(char::from(*byte));
        } else {
            // Writing to a String doesn't fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
