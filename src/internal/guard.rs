//! Who asks: not a page of another site in somebody's browser, and for the tree only who knows the
//! token.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::host::Host;
use crate::headers::Headers;

/// Whether a browser asks for a page of another site. Who isn't a browser sends none of these.
#[must_use]
pub fn is_foreign(host: &Host, request: &Headers) -> bool {
    let text = |value: &[u8]| String::from_utf8_lossy(value).trim().to_owned();
    let sites = request.all("sec-fetch-site").map(text);
    let urls = request
        .all("origin")
        .chain(request.all("referer"))
        .map(text);
    sites
        .filter(|site| !site.eq_ignore_ascii_case("same-origin"))
        .any(|site| !site.eq_ignore_ascii_case("none"))
        || urls.into_iter().any(|url| !host.is_origin(&url))
}

/// The token that a request presents: `Authorization: Bearer TOKEN`, or the password of `Basic`
/// (RFC 6750 section 2.1, RFC 7617 section 2).
#[must_use]
pub fn presented(request: &Headers) -> Option<Vec<u8>> {
    let mut fields = request.all("authorization");
    let field = fields.next()?.trim_ascii();
    if fields.next().is_some() {
        return None;
    }
    let space = field.iter().position(|b| *b == b' ')?;
    let (scheme, rest) = (&field[..space], field[space..].trim_ascii_start());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(rest.to_vec());
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|b| *b == b':')?;
    Some(pair[colon + 1..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in fields {
            headers.push(name, *value);
        }
        headers
    }

    #[test]
    fn browsers() {
        let host = Host::new("cachy.internal", None, None, std::sync::Arc::default()).unwrap();
        for (fields, foreign) in [
            (&[][..], false),
            (&[("Origin", "http://cachy.internal")], false),
            (
                &[
                    ("Origin", "https://cachy.internal"),
                    ("Sec-Fetch-Site", "same-origin"),
                ],
                false,
            ),
            (&[("Sec-Fetch-Site", "none")], false),
            (&[("Referer", "http://cachy.internal/stats")], false),
            (&[("Origin", "null")], true),
            (&[("Origin", "")], true),
            (&[("Origin", "https://evil.example")], true),
            (&[("Origin", "http://cachy.internal:8080")], true),
            (&[("Origin", "http://cachy.internal.evil.example")], true),
            (&[("Sec-Fetch-Site", "cross-site")], true),
            (&[("Sec-Fetch-Site", "same-site")], true),
            (&[("Referer", "https://evil.example/cachy.internal")], true),
            (
                &[
                    ("Origin", "http://cachy.internal"),
                    ("Origin", "http://evil.example"),
                ],
                true,
            ),
        ] {
            assert_eq!(is_foreign(&host, &with(fields)), foreign, "{fields:?}");
        }
    }

    #[test]
    fn tokens() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (value, token) in [
            ("Bearer abc".to_owned(), Some("abc")),
            ("bearer  abc ".to_owned(), Some("abc")),
            (basic(":abc"), Some("abc")),
            (basic("me:a:c"), Some("a:c")),
            (basic("abc"), None),
            ("Basic !".to_owned(), None),
            ("Digest abc".to_owned(), None),
            ("abc".to_owned(), None),
            (String::new(), None),
        ] {
            let found = presented(&with(&[("Authorization", &value)]));
            assert_eq!(found.as_deref(), token.map(str::as_bytes), "{value}");
        }
        let twice = with(&[("Authorization", "Bearer a"), ("Authorization", "Bearer b")]);
        assert_eq!(presented(&twice), None);
        assert_eq!(presented(&Headers::default()), None);
    }

    proptest! {
        #[test]
        fn any_bytes(scheme in "(Basic|Bearer|)", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut headers = Headers::default();
            headers.push("Authorization", [scheme.as_bytes(), b" ", &bytes].concat());
            let _ = presented(&headers);
        }

        #[test]
        fn what_was_said(user in "[^:]{0,9}", password in prop::collection::vec(any::<u8>(), 0..40)) {
            let pair = STANDARD.encode([user.as_bytes(), b":", &password].concat());
            let mut headers = Headers::default();
            headers.push("Authorization", format!("basic {pair}"));
            prop_assert_eq!(presented(&headers), Some(password));
        }
    }
}
