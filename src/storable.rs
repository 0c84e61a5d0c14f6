//! Whether a response may be stored, and as what (RFC 9111 section 3, and what DESIGN adds).

use crate::cache_control::CacheControl;
use crate::flight::Storing;
use crate::headers::Headers;
use crate::key::Target;
use crate::link::{StatusLink, is_redirect};
use crate::meta::Record;
use crate::options::Policy;
use crate::redirect::{location, looks_signed};

/// What to store of a response to an anonymous GET.
///
/// # Errors
/// The word for `Cache-Status` that tells why it isn't stored.
pub fn storing(
    target: &Target,
    request: &Headers,
    status: u16,
    response: &Headers,
    policy: Policy,
) -> Result<Storing, &'static str> {
    let storing = match status {
        200 => Storing::File,
        404 | 410 => Storing::Link(StatusLink {
            status,
            location: None,
        }),
        _ if is_redirect(status) => redirect(target, status, response)?,
        206 => return Err("partial"),
        _ => return Err("status"),
    };
    if policy != Policy::Forever {
        if CacheControl::of(response).no_store {
            return Err("no-store");
        }
        // With `no-cache` it is what Maven says with every request, and means: no old answer.
        let asked = CacheControl::of(request);
        if asked.no_store && !asked.no_cache {
            return Err("request-no-store");
        }
        if response.list("vary").split(',').any(|v| v.trim() == "*") {
            return Err("vary");
        }
    }
    Ok(storing)
}

fn redirect(target: &Target, status: u16, response: &Headers) -> Result<Storing, &'static str> {
    let place = location(target, response)?;
    if looks_signed(&place) {
        return Err("signed-location");
    }
    let resolved = Target::parse(place.as_str());
    // A page that redirects to itself sets a cookie first; stored, it would go round for ever.
    if resolved.as_ref().is_ok_and(|to| to == target) {
        return Err("loop");
    }
    let adds_slash =
        status != 303 && resolved.ok() == target.with_slash() && place.fragment().is_none();
    if adds_slash && target.with_slash().is_some() {
        return Ok(Storing::Slash);
    }
    Ok(Storing::Link(StatusLink {
        status,
        location: Some(place.into()),
    }))
}

/// Whether a stored redirect leads to the very URL that is asked for: an https entry answers http
/// too, but must not send http to itself.
#[must_use]
pub fn leads_back(record: &Record, target: &Target) -> bool {
    is_redirect(record.status)
        && target
            .with_scheme(record.scheme)
            .and_then(|own| location(&own, &record.headers).ok())
            .and_then(|place| Target::parse(place.as_str()).ok())
            .is_some_and(|place| place == *target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, pairs: &[(&str, &str)]) -> Result<Storing, &'static str> {
        let target = Target::parse("https://h/a").unwrap();
        let pairs = pairs.iter();
        let response = Headers(pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect());
        storing(
            &target,
            &Headers::default(),
            status,
            &response,
            Policy::Auto,
        )
    }

    fn link(status: u16, location: &str) -> Storing {
        Storing::Link(StatusLink {
            status,
            location: Some(location.into()),
        })
    }

    #[test]
    fn statuses() {
        assert_eq!(of(200, &[]), Ok(Storing::File));
        assert!(matches!(of(404, &[]), Ok(Storing::Link(_))));
        for status in [206, 304, 401, 403, 429, 500, 503] {
            assert!(of(status, &[]).is_err(), "{status}");
        }
        assert_eq!(of(200, &[("Cache-Control", "no-store")]), Err("no-store"));
        assert_eq!(of(200, &[("Cache-Control", "private")]), Ok(Storing::File));
        assert_eq!(of(200, &[("Vary", "Accept, *")]), Err("vary"));
    }

    #[test]
    fn redirects() {
        let to = |location| of(302, &[("Location", location)]);
        assert_eq!(to("/a/"), Ok(Storing::Slash));
        assert_eq!(to("https://H:443/a/"), Ok(Storing::Slash));
        assert_eq!(to("b"), Ok(link(302, "https://h/b")));
        assert_eq!(to("http://h/a/"), Ok(link(302, "http://h/a/")));
        assert_eq!(to("/a/?x"), Ok(link(302, "https://h/a/?x")));
        assert_eq!(to("https://h/a"), Err("loop"));
        assert_eq!(to("https://s/a?X-Amz-Signature=1"), Err("signed-location"));
        assert_eq!(of(302, &[]), Err("no-location"));
    }
}
