//! What a fetch that may be stored says upstream: nothing by which one client could have everybody
//! else get something they didn't ask for. What isn't part of the key, and makes a server answer for
//! another URL, host, method or client, stays behind, and so does what is between two neighbors.

use crate::cookies;
use crate::headers::Headers;

/// Fields between two neighbors (RFC 9110 section 7.6.1), and those that frame a body there is none
/// of, or concern the way and not its end (sections 7.6.2 and 10.1.1).
const NEIGHBOR: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    // CGI hands it to programs as HTTP_PROXY, by which they are to go.
    "proxy",
];

/// Fields that some front, framework or program takes for the request's host, port, scheme, path,
/// method or sender. `Via` and `CDN-Loop` stay: they tell of loops (RFC 9110 section 7.6.3, RFC 8586).
const REROUTING: [&str; 40] = [
    "base-url",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-visitor",
    "client-ip",
    "cluster-client-ip",
    "destination",
    "fastly-client-ip",
    "fastly-ssl",
    "forwarded",
    "front-end-https",
    "http-host",
    "http-url",
    "proxy-host",
    "proxy-url",
    "request-uri",
    "true-client-ip",
    "uri",
    "url",
    "x-arr-ssl",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-backend-host",
    "x-base-url",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-host",
    "x-http-method",
    "x-method",
    "x-originating-ip",
    "x-proxy-url",
    "x-proxyuser-ip",
    "x-real-host",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-scheme",
    "x-url-scheme",
    "x-wap-profile",
];

/// And whatever begins with one of these.
const FAMILIES: [&str; 10] = [
    "forwarded-",
    "x-accel-",
    "x-envoy-",
    "x-forward-",
    "x-forwarded-",
    "x-invoke-",
    "x-middleware-",
    "x-original-",
    "x-rewrite-",
    "x-sendfile-",
];

/// And what says that it replaces something: `X-HTTP-Method-Override`, `X-Host-Override`.
const ENDING: &str = "-override";

/// And these that begin so: `X-Override-URL`.
const BEGINNING: &str = "x-override-";

/// Whether a field changes what is asked for, so that it is never sent with a fetch that may be stored.
#[must_use]
pub fn reroutes(name: &[u8]) -> bool {
    let begins = |text: &str| name.len() >= text.len() && same(&name[..text.len()], text);
    let ends = name.len() >= ENDING.len() && same(&name[name.len() - ENDING.len()..], ENDING);
    ends || begins(BEGINNING)
        || FAMILIES.iter().any(|family| begins(family))
        || REROUTING.iter().any(|known| same(name, known))
}

/// Leaves of a request what its target is asked for with. A client that wants its connection closed
/// is still heard: our answer ends it.
pub fn strip(request: &mut Headers) {
    let named = request.list("connection").to_ascii_lowercase();
    let named: Vec<&str> = named.split(',').map(str::trim).collect();
    let last = named.contains(&"close");
    let nobody = cookies::say_nothing(request);
    request.0.retain(|(name, value)| {
        let named = named.iter().any(|named| same(name, named));
        let neighbor = NEIGHBOR.iter().any(|known| same(name, known));
        let idle = nobody && same(name, "cookie");
        !named && !neighbor && !idle && !reroutes(name) && is_unmistakable(name, value)
    });
    if last {
        request.push("Connection", "close");
    }
}

/// Whether all who read a field take it for the same: a name that isn't one, a folded line and a bare
/// CR have been taken for another field, or for another request (RFC 9112 sections 2.2, 5.1 and 5.2).
fn is_unmistakable(name: &[u8], value: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|&b| is_token(b))
        && !value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0))
}

/// What a field name may hold (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a name is one that is known, in lower case; CGI doesn't tell `_` from `-` (RFC 3875 section
/// 4.1.18).
fn same(name: &[u8], known: &str) -> bool {
    let spelt = |byte: u8| match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    };
    name.len() == known.len() && name.iter().zip(known.bytes()).all(|(a, b)| spelt(*a) == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(pairs: &[(&str, &str)]) -> Headers {
        let pairs = pairs.iter();
        Headers(pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect())
    }

    fn stripped(pairs: &[(&str, &str)]) -> Headers {
        let mut headers = fields(pairs);
        strip(&mut headers);
        headers
    }

    #[test]
    fn what_reroutes_stays_behind() {
        for name in [
            "X-Forwarded-Host",
            "x-forwarded-port",
            "X_Forwarded_Host",
            "X-Forwarded",
            "Forwarded",
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-HTTP-Method-Override",
            "X-HTTP-Method",
            "X-Method-Override",
            "X-HTTP-Host-Override",
            "X-Override-URL",
            "X-Host",
            "X-Real-IP",
            "True-Client-IP",
            "X-ProxyUser-Ip",
            "X-Middleware-Subrequest",
            "Proxy",
            "Expect",
            "Transfer-Encoding",
        ] {
            assert_eq!(stripped(&[(name, "1")]), Headers::default(), "{name}");
        }
    }

    #[test]
    fn what_is_asked_for_is_sent() {
        let all = [
            ("Host", "h"),
            ("Accept", "a/b"),
            ("Accept-Language", "de"),
            ("User-Agent", "pip/24"),
            ("Git-Protocol", "version=2"),
            ("Docker-Distribution-Api-Version", "registry/2.0"),
            ("X-GitHub-Api-Version", "2022-11-28"),
            ("X-Requested-With", "x"),
            ("npm-session", "1"),
            ("Via", "1.1 squid"),
            ("CDN-Loop", "c"),
            ("Forward", "1"),
            ("X", "1"),
        ];
        assert_eq!(stripped(&all), fields(&all));
    }

    #[test]
    fn what_connection_names_stays_behind() {
        let request = [
            ("Connection", "Accept, X-A"),
            ("connection", "x-b,CLOSE"),
            ("Accept", "a/b"),
            ("X-A", "1"),
            ("X-B", "2"),
            ("X-C", "3"),
        ];
        let left = [("X-C", "3"), ("Connection", "close")];
        assert_eq!(stripped(&request), fields(&left));
    }

    #[test]
    fn what_may_be_taken_for_something_else_stays_behind() {
        for (name, value) in [
            ("X-A", "1\r\n X-Forwarded-Host: evil"),
            ("X-A", "1\rX: 2"),
            ("X-A", "1\nX: 2"),
            ("X-A", "1\0"),
            ("X-A ", "1"),
            ("X-A\r\nX-B", "1"),
            ("X:A", "1"),
            ("", "1"),
        ] {
            assert_eq!(stripped(&[(name, value)]), Headers::default(), "{name:?}");
        }
    }

    proptest! {
        /// Whatever a client sends, what is left says no more than was said, is one line a field, and
        /// stays as it is.
        #[test]
        fn any_fields(pairs in prop::collection::vec((
            prop_oneof![
                Just(b"Connection".to_vec()),
                Just(b"X_Forwarded_For".to_vec()),
                prop::collection::vec(any::<u8>(), 0..6),
                "[a-cA-C]{1,2}".prop_map(String::into_bytes),
            ],
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..6),
                "[a-cA-C, ]{0,6}".prop_map(String::into_bytes),
            ],
        ), 0..8)) {
            let all = Headers(pairs);
            let mut left = all.clone();
            strip(&mut left);
            for (name, value) in &left.0 {
                let close = (&name[..], &value[..]) == (b"Connection", b"close");
                prop_assert!(close || all.0.contains(&(name.clone(), value.clone())));
                prop_assert!(!reroutes(name) && is_unmistakable(name, value));
            }
            let once = left.clone();
            strip(&mut left);
            prop_assert_eq!(once, left);
        }
    }
}
