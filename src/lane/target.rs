//! Where requests go: host and port of a CONNECT, of an absolute-form, or of the connection itself.

use super::Lane;
use super::parse::{Method, authority};
use crate::key::Scheme;
use crate::request::Request;

/// What an absolute-form for the lane begins with (RFC 9112 section 3.2.2).
const HTTP: &[u8] = b"http://";

impl Lane {
    /// Begins with what all requests of a connection have in common.
    pub(super) fn settle(&mut self) {
        let request = &mut self.request;
        request.scheme = self.start.scheme;
        request.authority = None;
        request.sni = None;
        if let Some((host, port)) = &self.start.origin {
            host.clone_into(&mut request.host);
            request.port = *port;
            // The name is upstream's only where TLS is.
            let sni = self.start.sni.as_ref();
            request.sni = sni.filter(|_| request.scheme == Scheme::Https).cloned();
        }
        self.key.clear();
        self.key.push(request.way as u8);
        self.key.push(request.scheme as u8);
        if self.start.origin.is_some() {
            add_origin(&mut self.key, request);
        }
        self.common = self.key.len();
    }

    /// Makes the key of all that a request says of its target, and of whose it is.
    pub(super) fn key(&mut self, host: &[u8]) -> &[u8] {
        self.key.truncate(self.common);
        if self.start.origin.is_none() {
            add_origin(&mut self.key, &self.request);
        }
        add(&mut self.key, host);
        self.key.extend_from_slice(&self.request.path);
        &self.key
    }

    /// A tunnel has been opened, in which the client speaks of the CONNECT's host, or of that of the
    /// connection.
    pub fn tunnel(&mut self, scheme: Scheme, sni: Option<String>) {
        self.start.scheme = scheme;
        self.start.sni = sni;
        self.start.connect = false;
        if self.start.origin.is_none() {
            self.start.origin = Some((self.request.host.clone(), self.request.port));
        }
        self.drain();
        self.settle();
    }

    /// Host and port of the CONNECT, or of the connection.
    #[must_use]
    pub fn origin(&self) -> (&str, u16) {
        match &self.start.origin {
            Some((host, port)) => (host, *port),
            None => (&self.request.host, self.request.port),
        }
    }

    /// Sets host, port and path of the request that was read, whose path is its target so far.
    /// Returns whether it is one for the lane.
    pub(super) fn aim(&mut self, method: Method) -> bool {
        let request = &mut self.request;
        if let Some((host, _)) = &self.start.origin {
            // Where the client went to an address, the last request may have set it.
            host.clone_into(&mut request.host);
            return method != Method::Connect && request.path.starts_with(b"/");
        }
        let Ok(target) = std::str::from_utf8(&request.path) else {
            return false;
        };
        if method == Method::Connect {
            let Some((host, port)) = authority(target, None).filter(|_| self.start.connect) else {
                return false;
            };
            host.clone_into(&mut request.host);
            request.port = port;
            return true;
        }
        let Some(rest) = request.path.strip_prefix(HTTP) else {
            return false;
        };
        let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
        let named = std::str::from_utf8(&rest[..end]).ok();
        let port = Scheme::Http.default_port();
        let Some((host, port)) = named.and_then(|named| authority(named, Some(port))) else {
            return false;
        };
        host.clone_into(&mut request.host);
        request.port = port;
        request.authority = named
            .filter(|_| self.start.upstream)
            .map(|named| named.as_bytes().to_vec());
        request.path.drain(..HTTP.len() + end);
        if request.path.is_empty() {
            request.path.push(b'/');
        }
        true
    }
}

fn add_origin(key: &mut Vec<u8>, request: &Request) {
    key.extend_from_slice(&request.port.to_le_bytes());
    add(key, request.host.as_bytes());
    key.push(u8::from(request.sni.is_some()));
    add(key, request.sni.as_deref().unwrap_or_default().as_bytes());
}

/// Adds a text so that it is told from what follows.
fn add(key: &mut Vec<u8>, text: &[u8]) {
    key.extend_from_slice(&text.len().to_le_bytes());
    key.extend_from_slice(text);
}
