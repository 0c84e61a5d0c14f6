//! What the proxy says at its own address, as in a browser: nothing that is anybody's secret, since
//! any name may lead there.

use super::text;
use crate::answer::Answer;
use crate::request::Request;

/// The page.
const PAGE: &str = include_str!("front.html");
/// What the page may do: show itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The answer to a request for the proxy itself. `host`: `cachy_host`.
#[must_use]
pub fn answer(request: &Request, host: &str) -> Answer {
    let path = request.path.split(|b| *b == b'?').next();
    if !matches!(path, Some(b"/" | b"")) {
        return nothing(host);
    }
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return text::not_allowed("GET, HEAD");
    }
    let page = PAGE.replace("@HOST@", host);
    let page = page.replace("@VERSION@", text::VERSION);
    let mut answer = text::of_type("text/html; charset=utf-8", &page);
    for (name, value) in [
        ("Content-Security-Policy", POLICY),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    ] {
        answer.headers.push(name, value);
    }
    answer
}

/// There is nothing else.
fn nothing(host: &str) -> Answer {
    let text = format!(
        "This is cachy, a caching proxy, not a website. There is nothing at this address.\n\
         To use the proxy, name it in http_proxy and https_proxy, or run: cachy env --proxy PROXY\n\
         To see what the proxy says of itself, open http://{host}/ through it.\n"
    );
    text::plain(404, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Chunk;
    use crate::headers::Headers;
    use crate::key::Target;

    fn asked(method: &str, path: &str) -> Answer {
        let target = Target::parse("http://192.0.2.1:8080/").unwrap();
        let mut request = Request::get(&target, Headers::default());
        method.clone_into(&mut request.method);
        request.path = path.into();
        answer(&request, "cachy.internal")
    }

    fn said(mut answer: Answer) -> String {
        match answer.body.read(usize::MAX >> 1).unwrap() {
            Chunk::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
            _ => String::new(),
        }
    }

    #[test]
    fn what_there_is() {
        for (method, path, status) in [
            ("GET", "/", 200),
            ("HEAD", "/?x", 200),
            ("GET", "", 200),
            ("POST", "/", 405),
            ("GET", "/stats", 404),
            ("PUT", "/cache/https://h/a", 404),
            ("GET", "//", 404),
            ("OPTIONS", "*", 404),
        ] {
            assert_eq!(asked(method, path).status, status, "{method} {path}");
        }
    }

    #[test]
    fn the_page_is_filled_in() {
        let page = said(asked("GET", "/"));
        assert!(page.starts_with("<!doctype html>"), "{page}");
        assert!(page.contains(text::VERSION) && page.contains("http://cachy.internal/ca.pem"));
        assert!(!page.contains("@HOST@") && !page.contains("@VERSION@"));
    }
}
