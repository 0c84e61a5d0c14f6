//! A request to the lane, and its answer as HTTP/2 says it.

use std::iter;

use bytes::Bytes;
use http::header::{CONNECTION, COOKIE, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{Response, StatusCode};

use super::sending::Source;
use crate::lane::{Lane, Method, Served};
use crate::meta::Millis;

/// Fields of an answer, at first.
const FIELDS: usize = 32;

/// Answers a request without a body. `None`: it isn't for the lane, and nothing has happened.
pub fn ask(lane: &mut Lane, head: &Parts, now: Millis) -> Option<(Response<()>, Source)> {
    let method = match head.method {
        http::Method::GET => Method::Get,
        http::Method::HEAD => Method::Head,
        _ => return None,
    };
    let uri = &head.uri;
    if uri.scheme_str()? != lane.scheme().as_str() {
        return None;
    }
    let authority = uri.authority()?.as_str().as_bytes();
    let hosts = head.headers.get_all(HOST).iter();
    // One who speaks of two sites, or says in pieces who it is, is left to mitmproxy.
    if hosts.into_iter().any(|host| host.as_bytes() != authority)
        || head.headers.get_all(COOKIE).iter().count() > 1
    {
        return None;
    }
    let fields = head.headers.iter().filter(|(name, _)| **name != HOST);
    let fields = fields.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
    let fields = iter::once((b"host".as_slice(), authority)).chain(fields);
    let path = uri.path_and_query()?.as_str().as_bytes();
    let mut out = Vec::new();
    let body = match lane.ask(method, path, fields, &mut out, now) {
        Served::Small | Served::Last => None,
        Served::Large(body, meter) => Some((body, meter)),
        Served::Slow | Served::Connect => return None,
    };
    let (response, length) = translate(&out)?;
    let source = match body {
        Some((body, meter)) => Source::Body(body, meter),
        None => Source::Bytes(Bytes::from(out).split_off(length)),
    };
    Some((response, source))
}

/// A head of HTTP/1.1 as one of HTTP/2 (RFC 9113 section 8.2), and its length.
fn translate(bytes: &[u8]) -> Option<(Response<()>, usize)> {
    let mut fields = vec![httparse::EMPTY_HEADER; FIELDS];
    loop {
        let mut parsed = httparse::Response::new(&mut fields);
        match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => {
                let mut response = Response::new(());
                *response.status_mut() = StatusCode::from_u16(parsed.code?).ok()?;
                let headers = response.headers_mut();
                headers.reserve(parsed.headers.len());
                for field in parsed.headers.iter() {
                    // What HTTP/2 has no way to say is left out.
                    if let Ok(name) = HeaderName::from_bytes(field.name.as_bytes())
                        && let Ok(value) = HeaderValue::from_bytes(field.value)
                        && !is_hop(&name)
                    {
                        headers.append(name, value);
                    }
                }
                return Some((response, length));
            }
            Err(httparse::Error::TooManyHeaders) => {
                let more = fields.len() * 2;
                fields = vec![httparse::EMPTY_HEADER; more];
            }
            Ok(httparse::Status::Partial) | Err(_) => return None,
        }
    }
}

/// Whether a field speaks of an HTTP/1.1 connection (RFC 9113 section 8.2.2).
fn is_hop(name: &HeaderName) -> bool {
    [CONNECTION, TRANSFER_ENCODING, UPGRADE].contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_said_in_http_2() {
        let many = "x-many: 1\r\n".repeat(3 * FIELDS);
        let head = format!(
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nConnection: close\r\n\
             transfer-encoding: chunked\r\nKeep-Alive: 5\r\n{many}Content-Length: 3\r\n\r\n"
        );
        let (response, length) = translate(format!("{head}abc").as_bytes()).unwrap();
        assert_eq!(
            (response.status(), length),
            (StatusCode::NOT_FOUND, head.len())
        );
        let headers = response.headers();
        assert_eq!(headers.len(), 3 * FIELDS + 2);
        assert_eq!(headers["content-type"], "text/plain");
        assert_eq!(headers["content-length"], "3");
    }
}
