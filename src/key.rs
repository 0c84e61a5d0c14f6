//! The key: a request's target URI in canonical form.
//!
//! Canonical is the syntax-based normalization of RFC 3986 section 6.2.2, as far as it loses
//! nothing: the case of host and escapes (6.2.2.1), escapes of unreserved characters decoded
//! (6.2.2.2). Of dot segments (6.2.2.3) `.` is removed, which apt puts into the URLs of flat
//! repositories; `..` is refused, since where it leads depends on what an origin makes of the segment
//! before it. What may be stored is asked of upstream in this form, see [`crate::exchange::Forward`].
//!
//! In canonical text every `%` begins an escape of two upper-case hex digits, so `%~` never
//! occurs in it. [`crate::layout`] makes its invented names from that mark.

use std::net::Ipv4Addr;

mod host;
mod text;

#[cfg(test)]
mod tests;

/// The two schemes that cachy stores.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// The scheme as a URL spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL of this scheme doesn't spell.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Why a request has no key: it is passed through and its answer not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error(
        "the path has a dot segment (\"..\", perhaps spelt %2E): the origin may resolve it in its own \
         way, so the answer is not stored; ask without dot segments"
    )]
    DotSegment,
    #[error(
        "the URL carries a user name or password (\"user@host\"): what is stored is for everybody, \
         so it is not stored; leave out everything up to the \"@\""
    )]
    Userinfo,
    #[error(
        "{host:?} is not a host name or address with a port from 1 to 65535: it can't name a folder \
         of the cache, so nothing is stored for it"
    )]
    BadHost { host: String },
    #[error(
        "the request target does not begin with \"/\": it names no file of the host, so the answer \
         is not stored"
    )]
    BadPath,
    #[error(
        "the request target holds a raw \"#\": a fragment is never sent, and origins differ in what \
         they make of it, so the answer is not stored; a \"#\" in a name is spelt %23"
    )]
    Fragment,
    #[error("the URL does not begin with http:// or https://: nothing else is stored")]
    NotHttp,
}

/// A canonical absolute `http` or `https` URL without fragment: equal exactly where the URLs are
/// equivalent (RFC 3986 section 6.2.2). Canonical by construction, there is no other way to get one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    scheme: Scheme,
    /// Host, plus `:port` where it isn't the scheme's own.
    authority: String,
    /// How much of `authority` is the host.
    host_len: usize,
    port: u16,
    path: String,
    query: Option<String>,
}

impl Target {
    /// The target of a request as it came over the wire: `target` is the origin-form
    /// (RFC 9112 section 3.2.1) and may hold any bytes; empty means `/`. `host` may be an IPv6
    /// address with or without its brackets.
    ///
    /// # Errors
    /// Says why nothing is stored under such a target.
    pub fn new(scheme: Scheme, host: &str, port: u16, target: &[u8]) -> Result<Self, KeyError> {
        let bad_host = || KeyError::BadHost {
            host: host.to_owned(),
        };
        let mut authority = host::canonical(host).ok_or_else(bad_host)?;
        let host_len = authority.len();
        if port != scheme.default_port() {
            authority.push(':');
            authority.push_str(&port.to_string());
        }
        if port == 0 || authority.len() > host::MAX_AUTHORITY {
            return Err(bad_host());
        }
        if target.contains(&b'#') {
            return Err(KeyError::Fragment);
        }
        let (path, query) = match target.iter().position(|&b| b == b'?') {
            Some(mark) => (&target[..mark], Some(&target[mark + 1..])),
            None => (target, None),
        };
        let path = match path {
            [] if query.is_none() => "/".to_owned(),
            [b'/', ..] => text::canonical(path),
            _ => return Err(KeyError::BadPath),
        };
        // Asked of the canonical text: there every spelling of a dot is a dot.
        if path.split('/').any(|segment| segment == "..") {
            return Err(KeyError::DotSegment);
        }
        Ok(Self {
            scheme,
            authority,
            host_len,
            port,
            path: text::without_dots(path),
            query: query.map(text::canonical),
        })
    }

    /// An absolute URL as a person types it on a command line. A fragment is dropped: it is never
    /// part of a request (RFC 9110 section 7.1).
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn parse(url: &str) -> Result<Self, KeyError> {
        let (scheme, rest) = url.split_once("://").ok_or(KeyError::NotHttp)?;
        let scheme = [Scheme::Http, Scheme::Https]
            .into_iter()
            .find(|known| scheme.eq_ignore_ascii_case(known.as_str()))
            .ok_or(KeyError::NotHttp)?;
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if target.starts_with('?') {
            // RFC 3986 section 6.2.3: an empty path is "/".
            return Self::from_authority(scheme, authority, format!("/{target}").as_bytes());
        }
        Self::from_authority(scheme, authority, target.as_bytes())
    }

    /// As `new`, with host and port in one text (RFC 3986 section 3.2).
    pub(crate) fn from_authority(
        scheme: Scheme,
        authority: &str,
        target: &[u8],
    ) -> Result<Self, KeyError> {
        if authority.contains('@') {
            return Err(KeyError::Userinfo);
        }
        let (host, port) = host::split_port(authority).ok_or_else(|| KeyError::BadHost {
            host: authority.to_owned(),
        })?;
        Self::new(scheme, host, port.unwrap_or(scheme.default_port()), target)
    }

    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host, plus `:port` only where it isn't the scheme's own: the name of the folder in the tree.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host as `Host:` spells it: an IPv6 address has its brackets (RFC 3986 section 3.2.2).
    pub fn host(&self) -> &str {
        &self.authority[..self.host_len]
    }

    /// Whether the host is an IP address and no name.
    pub fn is_address(&self) -> bool {
        self.host().starts_with('[') || self.host().parse::<Ipv4Addr>().is_ok()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Begins with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What follows the first `?`; `Some("")` for a bare `?`, which isn't the same URL as none.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Path and query, as a request line has them (RFC 9112 section 3.2.1).
    pub fn origin_form(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The whole URL; `parse` gives this target back.
    pub fn url(&self) -> String {
        let mut url = format!("{}://{}{}", self.scheme.as_str(), self.authority, self.path);
        if let Some(query) = &self.query {
            url.push('?');
            url.push_str(query);
        }
        url
    }

    /// The URL with the same text after another scheme, so the one that shares this one's file:
    /// `http://h/` and `https://h/`. `None` where that text isn't canonical there: the other side of
    /// `http://h:443/` would spell the scheme's own port.
    pub fn with_scheme(&self, scheme: Scheme) -> Option<Self> {
        let spelt = self.authority.len() > self.host_len;
        if spelt && self.port == scheme.default_port() {
            return None;
        }
        let port = if spelt {
            self.port
        } else {
            scheme.default_port()
        };
        Some(Self {
            scheme,
            port,
            ..self.clone()
        })
    }

    /// Another path of the same site, without a query.
    pub(crate) fn at(&self, path: &str) -> Option<Self> {
        Self::new(self.scheme, self.host(), self.port, path.as_bytes()).ok()
    }

    /// The URL with a slash added to its path, the query kept; `None` where the path ends in one.
    pub fn with_slash(&self) -> Option<Self> {
        (!self.path.ends_with('/')).then(|| Self {
            path: format!("{}/", self.path),
            ..self.clone()
        })
    }
}
