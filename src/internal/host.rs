//! The name under which the proxy answers, and what it has to say under it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::key::{Scheme, Target};
use crate::ledger::Ledger;
use crate::request::Request;
use crate::way::Way;

/// Ports of the name that are answered; the others are nobody's.
const PORTS: [u16; 2] = [80, 443];

/// `cachy_host` where the user named none.
pub const PROXY: &str = "cachy.internal";

/// Whether a URL is one of that name, on whatever port: no client is ever answered it from the tree.
#[must_use]
pub fn is_proxy(target: &Target) -> bool {
    target.host().strip_suffix('.').unwrap_or(target.host()) == PROXY
}

/// `cachy_host`, and what is served there.
#[derive(Debug)]
pub struct Host {
    name: String,
    /// The certificate that clients have to trust, PEM.
    pub certificate: Option<PathBuf>,
    /// The template of the script that installs it.
    pub setup: Option<PathBuf>,
    /// What became of the requests.
    pub ledger: Arc<Ledger>,
}

/// Whose a request is that names `cachy_host` somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Ours.
    Ours,
    /// It names another host as well.
    Mixed,
    /// It is for another port of the name.
    OtherPort,
}

impl Host {
    /// # Errors
    /// Where the name can't be one, with what to use.
    pub fn new(
        name: &str,
        certificate: Option<PathBuf>,
        setup: Option<PathBuf>,
        ledger: Arc<Ledger>,
    ) -> Result<Self, String> {
        let plain = !name.contains([':', '[', '/']);
        let name = canonical(name).filter(|_| plain).ok_or_else(|| {
            format!("cachy_host is {name:?}: use a host name without a port, such as {PROXY}")
        })?;
        Ok(Self {
            name,
            certificate,
            setup,
            ledger,
        })
    }

    /// The name, in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a text is the name, however it is spelt.
    #[must_use]
    pub fn is_name(&self, text: &str) -> bool {
        // Nearly all are told apart by their length; what isn't ASCII may mean the same.
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.is_ascii() && !self.name.starts_with("xn--") && !self.name.contains(".xn--") {
            return bare.eq_ignore_ascii_case(&self.name);
        }
        canonical(text).is_some_and(|name| name == self.name)
    }

    /// Whether a request names it anywhere.
    #[must_use]
    pub fn is_meant(&self, request: &Request) -> bool {
        self.is_name(&request.host)
            || request
                .sni
                .as_deref()
                .is_some_and(|name| self.is_name(name))
            || request.authorities().any(|text| self.is_in(text))
    }

    /// Whether every name in a request is this one, and the port is one that is answered.
    #[must_use]
    pub fn named(&self, request: &Request) -> Named {
        let host = request.way == Way::Addressed || self.is_name(&request.host);
        let sni = request.sni.as_deref().is_none_or(|name| self.is_name(name));
        if !(host && sni && request.authorities().all(|text| self.is_in(text))) {
            return Named::Mixed;
        }
        let ports = request.authorities().filter_map(port);
        if ports
            .chain([request.port])
            .all(|port| PORTS.contains(&port))
        {
            Named::Ours
        } else {
            Named::OtherPort
        }
    }

    /// Whether a URL, such as an `Origin`, is one of the name.
    #[must_use]
    pub fn is_origin(&self, url: &str) -> bool {
        Target::parse(url).is_ok_and(|t| self.is_name(t.host()) && PORTS.contains(&t.port()))
    }

    /// Whether an authority (RFC 3986 section 3.2) is of the name, on whatever port.
    fn is_in(&self, authority: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(authority) else {
            return false;
        };
        let text = text.trim();
        // What stands before an "@" is no host.
        let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
        self.is_name(text.rsplit_once(':').map_or(text, |(host, _)| host))
    }
}

/// The port in an authority, where one is spelt that could be one.
fn port(authority: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(authority).ok()?.trim();
    let (_, port) = text.rsplit_once(':')?;
    // What is none is none of ours.
    (!port.is_empty()).then(|| port.parse().unwrap_or(0))
}

/// A host name, no address, without the dot of the root.
fn canonical(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let target = Target::new(Scheme::Http, name, 80, b"/").ok()?;
    (!target.is_address() && !target.host().ends_with('.')).then(|| target.host().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::Headers;

    fn host() -> Host {
        Host::new("Cachy.Internal", None, None, Arc::default()).unwrap()
    }

    fn request(host: &str, port: u16, way: Way, sni: Option<&str>, fields: &[&str]) -> Request {
        let pair = |value: &&str| (b"Host".to_vec(), value.as_bytes().to_vec());
        Request {
            method: "GET".into(),
            scheme: Scheme::Http,
            host: host.into(),
            port,
            path: b"/".to_vec(),
            headers: Headers(fields.iter().map(pair).collect()),
            authority: None,
            sni: sni.map(str::to_owned),
            way,
            special: false,
            multiplexed: false,
            old: false,
        }
    }

    #[test]
    fn every_spelling_of_the_name() {
        let host = host();
        for name in [
            "cachy.internal",
            "CACHY.internal.",
            "cachy。internal",
            "cachy.ｉnternal",
        ] {
            assert!(host.is_name(name), "{name}");
        }
        for name in [
            "cachy.internal..",
            "xcachy.internal",
            "cachy.internal:80",
            "",
            ".",
        ] {
            assert!(!host.is_name(name), "{name}");
        }
        let idn = Host::new("käse.example", None, None, Arc::default()).unwrap();
        assert_eq!(idn.name(), "xn--kse-qla.example");
        for name in ["KÄSE.example", "xn--kse-qla.example"] {
            assert!(idn.is_name(name), "{name}");
        }
    }

    #[test]
    fn a_name_that_can_be_none() {
        for name in [
            "",
            ".",
            "a b",
            "cachy.internal:80",
            "127.0.0.1",
            "[::1]",
            "::1",
            "a/b",
            "a..",
            ".a",
        ] {
            let error = Host::new(name, None, None, Arc::default()).unwrap_err();
            assert!(error.contains("cachy.internal"), "{error}");
        }
    }

    type Case<'a> = (
        &'a str,
        u16,
        Way,
        Option<&'a str>,
        &'a [&'a str],
        Option<Named>,
    );

    #[test]
    fn whose_a_request_is() {
        use Named::{Mixed, OtherPort, Ours};
        use Way::{Addressed, Named as By};
        let (ours, other, host) = ("cachy.internal", "other.example", host());
        let address = "192.0.2.1";
        #[rustfmt::skip]
        let cases: [Case; 16] = [
            (ours, 80, By, None, &[ours], Some(Ours)),
            (ours, 80, By, None, &[], Some(Ours)),
            (ours, 443, By, Some(ours), &["cachy.internal:443"], Some(Ours)),
            (ours, 8080, By, None, &["cachy.internal:8080"], Some(OtherPort)),
            (ours, 80, By, None, &["cachy.internal:8080"], Some(OtherPort)),
            (ours, 80, By, None, &[other], Some(Mixed)),
            (ours, 80, By, None, &[ours, other], Some(Mixed)),
            (ours, 443, By, Some(other), &[ours], Some(Mixed)),
            (other, 80, By, None, &[ours], Some(Mixed)),
            (other, 443, By, Some(ours), &[], Some(Mixed)),
            (other, 80, By, None, &["x@cachy.internal:1"], Some(Mixed)),
            (address, 80, Addressed, None, &[ours], Some(Ours)),
            (address, 443, Addressed, Some(ours), &[], Some(Ours)),
            (address, 443, Addressed, Some(ours), &[other], Some(Mixed)),
            (address, 80, Addressed, None, &[other], None),
            (other, 80, By, None, &[other], None),
        ];
        for (at, port, way, sni, fields, expected) in cases {
            let request = request(at, port, way, sni, fields);
            let found = host.is_meant(&request).then(|| host.named(&request));
            assert_eq!(found, expected, "{at} {port} {sni:?} {fields:?}");
        }
    }
}
