//! A request as cachy sees it, and whether what it fetches may be stored under its URL at all.

use crate::headers::Headers;
use crate::key::{KeyError, Scheme, Target};

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
    /// The `Host` field or `:authority`, where there is one.
    pub authority: Option<String>,
    /// The name that the client asked TLS for, where that is what goes upstream.
    pub sni: Option<String>,
    /// It carries a body, or asks to change the protocol.
    pub special: bool,
    /// The client speaks HTTP/2 or later.
    pub multiplexed: bool,
    /// The client speaks HTTP/1.0.
    pub old: bool,
}

impl Request {
    /// The target URI, or the word for `Cache-Status` that tells why nothing is stored for it.
    ///
    /// # Errors
    /// A word such as `dot-segment`.
    pub fn target(&self) -> Result<Target, &'static str> {
        let target = Target::new(self.scheme, &self.host, self.port, &self.path);
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

    /// Whether the host that is connected to, the name asked of TLS and the `Host` field are one:
    /// else a client could have one site's answer stored as another's.
    fn agrees(&self, target: &Target) -> bool {
        let same = |text: &str| {
            let url = format!("{}://{text}/", self.scheme.as_str());
            Target::parse(&url).is_ok_and(|t| t.authority() == target.authority())
        };
        let named = |name: &str| {
            Target::new(self.scheme, name, self.port, b"/")
                .is_ok_and(|t| t.authority() == target.authority())
        };
        self.authority.as_deref().is_none_or(same) && self.sni.as_deref().is_none_or(named)
    }

    /// The origin, for remembering that it is dead.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}:{}", self.scheme.as_str(), self.host, self.port)
    }

    /// Frames a response to it: a body of unknown length needs chunks towards HTTP/1.1 (RFC 9112
    /// section 6.1).
    pub fn frame(&self, status: u16, headers: &mut Headers) {
        let bodiless = self.is_head() || status < 200 || matches!(status, 204 | 304);
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

    /// The field by which it tells who it is, where it does.
    #[must_use]
    pub fn credential(&self) -> Option<&'static str> {
        ["authorization", "cookie"]
            .into_iter()
            .find(|name| self.headers.has(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(authority: Option<&str>, sni: Option<&str>) -> Request {
        Request {
            method: "GET".into(),
            scheme: Scheme::Https,
            host: "Site.Example".into(),
            port: 443,
            path: b"/a".to_vec(),
            headers: Headers::default(),
            authority: authority.map(str::to_owned),
            sni: sni.map(str::to_owned),
            special: false,
            multiplexed: false,
            old: false,
        }
    }

    #[test]
    fn three_names_must_be_one() {
        for (authority, sni, ok) in [
            (Some("site.example"), Some("site.example"), true),
            (Some("SITE.example:443"), None, true),
            (None, None, true),
            (Some("site.example:8443"), None, false),
            (Some("other.example"), Some("site.example"), false),
            (Some("site.example"), Some("other.example"), false),
            (Some("site.example@other.example"), None, false),
            (Some(""), None, false),
        ] {
            let target = request(authority, sni).target();
            assert_eq!(target.is_ok(), ok, "{authority:?} {sni:?} {target:?}");
        }
    }
}
