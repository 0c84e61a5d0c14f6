//! What a client asks of freshness (RFC 9111 section 5.2.1) and by its conditions (RFC 9110 section 13).

use crate::cache_control::CacheControl;
use crate::conditional;
use crate::headers::Headers;

/// What a request asks. Most ask nothing, which is told without reading a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asks {
    /// `no-cache`, or `Pragma` for it.
    pub no_cache: bool,
    /// `max-age`
    pub max_age: Option<u64>,
    /// It says so with every request, as a habit: no person means it.
    pub habit: bool,
    /// It is only for something else than what is stored: `If-Match` and `If-Unmodified-Since`.
    pub wants_other: bool,
    /// It has a condition, and whether the validator in that is ours.
    pub condition: Option<bool>,
}

impl Asks {
    /// Of a request about a stored response. `None`: it asks nothing.
    pub fn of(request: &Headers, stored: &Headers) -> Option<Self> {
        let (mut control, mut condition, mut wants) = (false, false, false);
        for (name, _) in &request.0 {
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            match name.len() {
                6 if is("pragma") => control = true,
                13 if is("cache-control") => control = true,
                13 if is("if-none-match") => condition = true,
                8 if is("if-match") => wants = true,
                17 if is("if-modified-since") => condition = true,
                19 if is("if-unmodified-since") => wants = true,
                _ => {}
            }
        }
        condition |= wants;
        if !control && !condition {
            return None;
        }
        let said = CacheControl::of(request);
        let ours = condition.then(|| conditional::is_ours(request, stored));
        Some(Self {
            no_cache: said.no_cache,
            max_age: said.max_age,
            // Maven's `no-cache, no-store` (of its older transports one says `no-cache` alone, the other
            // has a field of its own for the second), and the parts of a wheel that pip and uv read.
            habit: said.no_store
                || request.has("cache-store")
                || request.has("range")
                || is_maven(request),
            wants_other: wants && ours == Some(false),
            condition: ours,
        })
    }
}

/// Whether it is Maven that asks, by its User-Agent: `Apache-Maven/3.8.7 (...)`.
fn is_maven(request: &Headers) -> bool {
    request
        .get("user-agent")
        .is_some_and(|agent| agent.starts_with(b"Apache-Maven/"))
}
