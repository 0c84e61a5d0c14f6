//! A request as cachy sees it, and whether what it fetches may be stored under its URL at all.

use std::borrow::Cow;

use crate::cookies;
use crate::headers::Headers;
use crate::key::{KeyError, Scheme, Target};
use crate::way::Way;

/// A request on its way through the proxy.
#[derive(Debug, Clone)]
pub struct Request {
    /// As sent.
    pub method: String,
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The host that the proxy connects to.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The origin-form, as sent (RFC 9112 section 3.2.1).
    pub path: Vec<u8>,
    /// Header fields.
    pub headers: Headers,
    /// The target's own authority, which goes upstream and wins over the `Host` field: `:authority`,
    /// or that of an absolute-form (RFC 9112 section 3.2.2).
    pub authority: Option<Vec<u8>>,
    /// The name that goes upstream as TLS server name, where the client chose it.
    pub sni: Option<String>,
    /// How it came to the proxy.
    pub way: Way,
    /// It carries a body, or asks to change the protocol.
    pub special: bool,
    /// The client speaks HTTP/2 or later.
    pub multiplexed: bool,
    /// The client speaks HTTP/1.0.
    pub old: bool,
}

impl Request {
    /// A plain GET of a URL, as a client of a proxy over HTTP/1.1 sends it.
    #[must_use]
    pub fn get(target: &Target, headers: Headers) -> Self {
        Self {
            method: "GET".to_owned(),
            scheme: target.scheme(),
            host: target.host().to_owned(),
            port: target.port(),
            path: target.origin_form().into_bytes(),
            headers,
            authority: None,
            sni: None,
            way: Way::Named,
            special: false,
            multiplexed: false,
            old: false,
        }
    }

    /// The target URI, or the word for `Cache-Status` that tells why nothing is stored for it.
    ///
    /// # Errors
    /// A word such as `dot-segment`.
    pub fn target(&self) -> Result<Target, &'static str> {
        let host = self.meant_host().ok_or("host-mismatch")?;
        let target = Target::new(self.scheme, &host, self.port, &self.path);
        let target = target.map_err(|error| match error {
            KeyError::DotSegment => "dot-segment",
            KeyError::Userinfo => "userinfo",
            KeyError::BadHost { .. } => "host",
            KeyError::BadPath | KeyError::NotHttp => "target",
            KeyError::Fragment => "fragment",
        })?;
        if self.agrees(&target) {
            Ok(target)
        } else {
            Err("host-mismatch")
        }
    }

    /// The host that the client means. Who went to an address says it by the TLS name, else by the
    /// `Host` field; an address names nobody there, for it is the client that chose it.
    fn meant_host(&self) -> Option<Cow<'_, str>> {
        if self.way != Way::Addressed {
            return Some(Cow::Borrowed(&self.host));
        }
        let named = match self.scheme {
            Scheme::Https => {
                Target::new(self.scheme, self.sni.as_deref()?, self.port, b"/").ok()?
            }
            Scheme::Http => self.parsed(self.authorities().next()?)?,
        };
        (!named.is_address()).then(|| Cow::Owned(named.host().to_owned()))
    }

    /// Has the proxy connect to what it resolves for the host of `target` itself: what answers at an
    /// address of the client's choice is stored for nobody.
    pub fn connect_by_name(&mut self, target: &Target) {
        if self.way == Way::Addressed {
            target.host().clone_into(&mut self.host);
        }
    }

    /// Whether the host that is connected to, the name asked of TLS, the target and every `Host` field
    /// are one: else a client could have one site's answer stored as another's.
    fn agrees(&self, target: &Target) -> bool {
        let same =
            |found: Option<Target>| found.is_some_and(|t| t.authority() == target.authority());
        let named = |name: &str| Target::new(self.scheme, name, self.port, b"/").ok();
        self.authorities().all(|text| same(self.parsed(text)))
            && self.sni.as_deref().is_none_or(|name| same(named(name)))
    }

    /// All that upstream may take for the site that is asked for, the target's before the fields.
    pub(crate) fn authorities(&self) -> impl Iterator<Item = &[u8]> {
        let target = self.authority.iter().map(Vec::as_slice);
        target.chain(self.headers.all("host"))
    }

    fn parsed(&self, authority: &[u8]) -> Option<Target> {
        let text = std::str::from_utf8(authority).ok()?;
        Target::parse(&format!("{}://{text}/", self.scheme.as_str())).ok()
    }

    /// The origin, for remembering that it is dead.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}:{}", self.scheme.as_str(), self.host, self.port)
    }

    /// The origin as people write it.
    #[must_use]
    pub fn site(&self) -> String {
        let (scheme, host) = (self.scheme.as_str(), &self.host);
        let bracketed = host.contains(':') && !host.starts_with('[');
        let host = if bracketed {
            format!("[{host}]")
        } else {
            host.clone()
        };
        if self.port == self.scheme.default_port() {
            format!("{scheme}://{host}")
        } else {
            format!("{scheme}://{host}:{}", self.port)
        }
    }

    /// Whether a response to it has no body (RFC 9112 section 6.3).
    #[must_use]
    pub fn is_bodiless(&self, status: u16) -> bool {
        self.is_head() || status < 200 || matches!(status, 204 | 304)
    }

    /// Frames a response to it: a body of unknown length needs chunks towards HTTP/1.1 (RFC 9112
    /// section 6.1).
    pub fn frame(&self, status: u16, headers: &mut Headers) {
        let bodiless = self.is_bodiless(status);
        let told = headers.has("content-length") || headers.has("transfer-encoding");
        if self.old {
            // Knows no chunks: the closing of the connection is the end.
            headers.remove("transfer-encoding");
        }
        if !bodiless && !told && !self.multiplexed && !self.old {
            headers.push("Transfer-Encoding", "chunked");
        }
    }

    /// Whether it is a HEAD.
    #[must_use]
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The field by which it tells who it is, where it does; see [`cookies`].
    #[must_use]
    pub fn credential(&self) -> Option<&'static str> {
        ["authorization", "cookie"]
            .into_iter()
            .find(|name| self.headers.has(name))
            .filter(|name| *name != "cookie" || !cookies::say_nothing(&self.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str, fields: &[&str], sni: Option<&str>) -> Request {
        let pair = |value: &&str| (b"Host".to_vec(), value.as_bytes().to_vec());
        Request {
            method: "GET".into(),
            scheme: Scheme::Https,
            host: host.into(),
            port: 443,
            path: b"/a".to_vec(),
            headers: Headers(fields.iter().map(pair).collect()),
            authority: None,
            sni: sni.map(str::to_owned),
            way: Way::Named,
            special: false,
            multiplexed: false,
            old: false,
        }
    }

    fn key(request: &Request) -> Option<String> {
        request.target().ok().map(|target| target.url())
    }

    #[test]
    fn all_names_must_be_one() {
        let site = Some("site.example");
        for (authority, fields, sni, ok) in [
            (None, &["site.example"][..], site, true),
            (None, &["SITE.example:443"], None, true),
            (None, &[], None, true),
            (site, &["site.example"], site, true),
            (None, &["site.example:8443"], None, false),
            (None, &["other.example"], site, false),
            (None, &["site.example"], Some("other.example"), false),
            (None, &["site.example@other.example"], None, false),
            (None, &[""], None, false),
            (None, &["site.example", "other.example"], site, false),
            (Some("other.example"), &["site.example"], site, false),
            (site, &["other.example"], site, false),
        ] {
            let mut request = request("Site.Example", fields, sni);
            request.authority = authority.map(|text| text.as_bytes().to_vec());
            let expected = ok.then(|| "https://site.example/a".to_owned());
            assert_eq!(key(&request), expected, "{authority:?} {fields:?} {sni:?}");
        }
    }

    #[test]
    fn who_went_to_an_address_names_the_host_otherwise() {
        let site = Some("https://site.example/a");
        for (scheme, fields, sni, expected) in [
            (
                Scheme::Https,
                &["site.example"][..],
                Some("Site.Example"),
                site,
            ),
            (Scheme::Https, &[], Some("site.example"), site),
            (Scheme::Https, &["site.example"], None, None),
            (
                Scheme::Https,
                &["other.example"],
                Some("site.example"),
                None,
            ),
            (Scheme::Https, &["192.0.2.1"], Some("192.0.2.1"), None),
            (
                Scheme::Http,
                &["Site.example:443"],
                None,
                Some("http://site.example:443/a"),
            ),
            (Scheme::Http, &["site.example"], None, None),
            (
                Scheme::Http,
                &["site.example:443", "other.example:443"],
                None,
                None,
            ),
            (Scheme::Http, &["192.0.2.1:443"], None, None),
            (Scheme::Http, &["0xc0000201:443"], None, None),
            (Scheme::Http, &["[2001:db8::1]:443"], None, None),
            (Scheme::Http, &["u@site.example:443"], None, None),
            (Scheme::Http, &[], None, None),
        ] {
            let mut request = request("192.0.2.1", fields, sni);
            request.scheme = scheme;
            request.way = Way::Addressed;
            assert_eq!(key(&request).as_deref(), expected, "{fields:?} {sni:?}");
            if let Ok(target) = request.target() {
                request.connect_by_name(&target);
                assert_eq!(request.host, "site.example");
                assert_eq!(key(&request).as_deref(), expected);
            }
        }
    }
}
