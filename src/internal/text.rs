//! What the proxy says for itself.

use crate::answer::{self, Answer};
use crate::body::Body;
use crate::cache_status::CacheStatus;
use crate::key::Target;
use crate::options::Mode;
use crate::shell::quoted;
use crate::store::Store;
use crate::upload::Put;

pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A text for people.
#[must_use]
pub fn plain(code: u16, text: &str) -> Answer {
    answer::text(code, text, false, CacheStatus::default())
}

/// A text of this media type.
#[must_use]
pub fn of_type(media_type: &str, text: &str) -> Answer {
    let mut answer = plain(200, text);
    answer.headers.set("Content-Type", media_type);
    answer
}

/// Without content.
#[must_use]
pub fn empty() -> Answer {
    let mut answer = plain(204, "");
    answer.headers.remove("content-type");
    // RFC 9110 section 8.6.
    answer.headers.remove("content-length");
    answer
}

/// The answer to HEAD: as to GET, without the content (RFC 9110 section 9.3.2).
#[must_use]
pub fn head(mut answer: Answer) -> Answer {
    answer.body = Body::bytes(Vec::new());
    answer
}

/// What is here.
#[must_use]
pub fn welcome(host: &str, mode: Mode) -> Answer {
    let text = format!(
        "This is cachy {VERSION}, a caching proxy; cachy_mode={}.\n\
         \n\
         Set up a client: http_proxy and https_proxy name this proxy, and the client trusts its CA.\n\
         \x20 curl -x PROXY http://{host}/setup.sh | sh    installs the CA; PROXY is this proxy's address\n\
         \n\
         {}",
        mode.as_str(),
        list(host),
    );
    plain(200, &text)
}

/// There is no such thing.
#[must_use]
pub fn nothing(host: &str) -> Answer {
    plain(
        404,
        &format!("There is no such thing here.\n\n{}", list(host)),
    )
}

fn list(host: &str) -> String {
    format!(
        "http://{host}/           this text\n\
         http://{host}/status     is the proxy up, and can it write; JSON\n\
         http://{host}/ca.pem     the certificate that clients have to trust\n\
         http://{host}/setup.sh   a script that installs it\n\
         http://{host}/stats      what became of the requests of this process; JSON\n\
         http://{host}/runs/ID    the same of one run of `cachy run`; JSON\n\
         http://{host}/cache/URL  what the cache has for a URL: GET, HEAD, PUT, DELETE, with the token:\n\
         \x20                       curl -x PROXY -u :TOKEN -T FILE http://{host}/cache/https://HOST/PATH\n"
    )
}

/// That method isn't taken.
#[must_use]
pub fn not_allowed(allow: &'static str) -> Answer {
    let mut answer = plain(405, &format!("Only {allow} here.\n"));
    answer.headers.push("Allow", allow);
    answer
}

/// The token is missing, or wrong (RFC 9110 section 15.5.2).
#[must_use]
pub fn unauthorized(store: &Store, given: bool) -> Answer {
    let what = if given {
        "That is not the token."
    } else {
        "This takes the token."
    };
    let path = store.tree.path(super::token::TOKEN);
    let mut answer = plain(
        401,
        &format!(
            "{what} It lies at\n  {}\non the machine of the proxy; send it as \"Authorization: Bearer TOKEN\" or as the password:\n  curl -u \":$(cat {})\" ...\n",
            path.display(),
            quoted(&path.display().to_string())
        ),
    );
    for scheme in ["Bearer", "Basic"] {
        let challenge = format!("{scheme} realm=\"cachy\"");
        answer.headers.push("WWW-Authenticate", challenge);
    }
    answer
}

/// A file was placed. `see`: where it can be read.
#[must_use]
pub fn placed(store: &Store, target: &Target, put: &Put, see: &str) -> Answer {
    let mut answer = if put.replaced {
        empty()
    } else {
        let path = store.tree.path(put.at.as_str());
        plain(
            201,
            &format!("{} is answered from\n  {}\n", target.url(), path.display()),
        )
    };
    answer.headers.push("Location", see);
    answer
}

/// Is the proxy up, and can it write.
#[must_use]
pub fn status(store: &Store, host: &str, mode: Mode) -> Answer {
    let root = store.tree.root();
    json(&serde_json::json!({
        "name": "cachy",
        "version": VERSION,
        "mode": mode.as_str(),
        "host": host,
        "directory": root.display().to_string(),
        "exists": root.is_dir(),
        // Nothing else tells for sure.
        "writable": store.tree.temp_file().is_ok(),
    }))
}

/// Something as JSON.
#[must_use]
pub fn json(value: &impl serde::Serialize) -> Answer {
    match serde_json::to_string_pretty(value) {
        Ok(text) => of_type("application/json", &(text + "\n")),
        Err(error) => plain(500, &format!("{error}\n")),
    }
}

/// The script that installs the CA, of its template.
#[must_use]
pub fn setup(template: &str, host: &str, certificate: &str) -> Answer {
    let mut text = String::with_capacity(template.len() + certificate.len());
    for line in template.split_inclusive('\n') {
        if line.trim() == "@CA@" {
            text.push_str(certificate);
        } else {
            text.push_str(&line.replace("@HOST@", host).replace("@VERSION@", VERSION));
        }
    }
    of_type("text/x-shellscript; charset=utf-8", &text)
}

/// The certificates in a PEM file and nothing else of it, least of all a key.
#[must_use]
pub fn certificates(pem: &str) -> Option<String> {
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let mut found = String::new();
    let mut rest = pem;
    while let Some(at) = rest.find(begin) {
        let length = rest[at..].find(end)? + end.len();
        found.push_str(&rest[at..at + length]);
        found.push('\n');
        rest = &rest[at + length..];
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n";
        let both = format!("{key}{certificate}{key}");
        assert_eq!(certificates(&both).as_deref(), Some(certificate));
        assert_eq!(certificates(key), None);
        assert_eq!(certificates("-----BEGIN CERTIFICATE-----\nAAAA\n"), None);
    }
}
