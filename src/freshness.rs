//! Whether a stored response may be served without asking upstream: `cachy_freshness`, over the
//! age and lifetime of RFC 9111 section 4.2. Time is an argument everywhere.

mod terms;

pub use terms::Terms;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cache_control::CacheControl;
use crate::conditional::CONDITIONS;
use crate::headers::Headers;
use crate::key::Target;
use crate::meta::{Millis, Record};
use crate::options::Policy;
use crate::shape;

/// How long a 404, a 410 or a temporary redirect without stated freshness is served unasked.
pub(crate) const TEMPORARY: u64 = 600;
/// No check is repeated within this time.
pub(crate) const AGAIN: Millis = 5_000;

/// What to do with a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Serve it.
    Fresh,
    /// It is stale: ask upstream (`fwd=stale` in RFC 9211).
    Stale,
    /// It is stale, and may be served while it is being checked (RFC 5861 section 3).
    Behind,
    /// The client asks for a check (`fwd=request` in RFC 9211).
    Requested,
}

/// Judges a stored response for one request.
#[must_use]
pub fn judge(
    record: &Record,
    terms: &Terms,
    request: &Headers,
    policy: Policy,
    now: Millis,
) -> Verdict {
    if policy == Policy::Forever || terms.for_good {
        return Verdict::Fresh;
    }
    let checked = record
        .checked_at
        .is_some_and(|at| (at..at + AGAIN).contains(&now));
    if checked {
        return Verdict::Fresh;
    }
    let age = age(record, now);
    let control = CacheControl::of(request);
    let conditional = CONDITIONS.iter().any(|name| request.has(name));
    let backwards = now < record.stored_at;
    // An index that has just been fetched, or what is fresh, is not asked for once more: jobs that
    // start together are a moment apart.
    let just = (record.stored_at..record.stored_at + AGAIN).contains(&now);
    if control.max_age.is_some_and(|most| most > 0 && age >= most) {
        return Verdict::Requested;
    }
    if control.no_cache || conditional || control.max_age == Some(0) {
        let fresh = terms
            .lifetime
            .map_or(terms.index, |lifetime| age < lifetime);
        return if just && fresh {
            Verdict::Fresh
        } else {
            Verdict::Requested
        };
    }
    match terms.lifetime {
        // A clock that was set back says nothing of the age.
        Some(_) if backwards => Verdict::Stale,
        Some(lifetime) if age < lifetime => Verdict::Fresh,
        Some(lifetime) if age < lifetime.saturating_add(terms.grace) => Verdict::Behind,
        Some(_) => Verdict::Stale,
        None if is_temporary(record.status) && (age >= TEMPORARY || backwards) => Verdict::Stale,
        None if record.status == 200 && terms.index && !just => Verdict::Stale,
        None => Verdict::Fresh,
    }
}

/// Whether the origin will never be asked about this again.
#[must_use]
pub fn for_good(record: &Record, target: &Target) -> bool {
    record.status == 200 && !record.close_delimited && shape::names_for_good(target)
}

/// Current age in seconds (RFC 9111 section 4.2.3).
#[must_use]
pub fn age(record: &Record, now: Millis) -> u64 {
    let resident = now.saturating_sub(record.stored_at).max(0);
    record.initial_age + u64::try_from(resident / 1000).unwrap_or(0)
}

/// Freshness lifetime in seconds that the origin states (RFC 9111 section 4.2.1), 0 where it wants
/// to be asked each time; `None` where it says nothing.
pub(crate) fn lifetime(record: &Record) -> Option<u64> {
    let control = CacheControl::of(&record.headers);
    if control.no_cache {
        return Some(0);
    }
    if let Some(seconds) = control.s_maxage.or(control.max_age) {
        return Some(seconds);
    }
    let expires = record.headers.text("expires")?;
    // A date that can't be read means expired (RFC 9111 section 5.3).
    let Some(expires) = http_date(expires) else {
        return Some(0);
    };
    let date = record.headers.text("date").and_then(http_date);
    let date = date.unwrap_or(record.stored_at);
    Some(u64::try_from((expires - date) / 1000).unwrap_or(0))
}

/// Seconds behind its lifetime for which the origin lets it be served while it is checked.
pub(crate) fn grace(record: &Record) -> u64 {
    let control = CacheControl::of(&record.headers);
    let forbidden = control.no_cache || control.must_revalidate;
    let grace = control.stale_while_revalidate.filter(|_| !forbidden);
    grace.unwrap_or(0)
}

/// Corrected initial age in seconds of a response that arrives now (RFC 9111 section 4.2.3).
/// `delay` is the time between request and response in milliseconds.
#[must_use]
pub fn initial_age(headers: &Headers, delay: Millis, now: Millis) -> u64 {
    let date = headers.text("date").and_then(http_date).unwrap_or(now);
    let apparent = (now - date).max(0) / 1000;
    let stated: Millis = headers
        .text("age")
        .and_then(|text| text.parse::<u32>().ok())
        .map_or(0, Millis::from);
    u64::try_from(apparent.max(stated + delay.max(0) / 1000)).unwrap_or(0)
}

/// Whether a status without stated freshness is kept for a while only.
pub(crate) fn is_temporary(status: u16) -> bool {
    matches!(status, 302 | 303 | 307 | 404 | 410)
}

/// A date of RFC 9110 section 5.6.7 in milliseconds since 1970.
#[must_use]
pub fn http_date(text: &str) -> Option<Millis> {
    let time = httpdate::parse_http_date(text).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Millis::try_from(since.as_millis()).ok()
}

/// Milliseconds since 1970 as a date of RFC 9110 section 5.6.7.
#[must_use]
pub fn format_date(time: Millis) -> String {
    let since = Duration::from_millis(u64::try_from(time).unwrap_or(0));
    // httpdate knows the years to 9999.
    httpdate::fmt_http_date(
        (UNIX_EPOCH + since).min(UNIX_EPOCH + Duration::from_secs(253_402_300_799)),
    )
}

/// The time in milliseconds since 1970.
#[must_use]
pub fn clock() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |t| {
        Millis::try_from(t.as_millis()).unwrap_or(Millis::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Scheme;
    use crate::meta::{Seen, Stored};

    const NOW: Millis = 1_700_000_000_000;

    fn record(status: u16, headers: &[(&str, &str)]) -> Record {
        Record {
            scheme: Scheme::Https,
            status,
            headers: fields(headers),
            selecting: Vec::new(),
            stored_at: NOW,
            initial_age: 0,
            checked_at: None,
            close_delimited: false,
            decoded: false,
            label: false,
            unsettled: None,
            bond: None,
            stored: Stored::File {
                seen: Seen {
                    size: 0,
                    mtime_ns: 0,
                },
                sha256: String::new(),
            },
        }
    }

    fn fields(pairs: &[(&str, &str)]) -> Headers {
        let pairs = pairs.iter();
        Headers(pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect())
    }

    fn later(record: &Record, url: &str, request: &[(&str, &str)], seconds: Millis) -> Verdict {
        let target = Target::parse(url).unwrap();
        judge(
            record,
            &Terms::of(record, &target),
            &fields(request),
            Policy::Auto,
            NOW + seconds * 1000,
        )
    }

    const YEARS: Millis = 100_000_000;

    #[test]
    fn what_names_a_version_is_never_asked_for() {
        let wheel = "https://h/six-1.16.0-py2.py3-none-any.whl";
        let stored = record(200, &[("Cache-Control", "max-age=1")]);
        let reload = [("Cache-Control", "no-cache")];
        assert_eq!(later(&stored, wheel, &reload, YEARS), Verdict::Fresh);
        let mut cut = stored.clone();
        cut.close_delimited = true;
        assert_eq!(later(&cut, wheel, &[], YEARS), Verdict::Stale);
        assert_eq!(later(&record(404, &[]), wheel, &[], 601), Verdict::Stale);
    }

    #[test]
    fn the_origin_says() {
        let stored = record(200, &[("Cache-Control", "max-age=60")]);
        assert_eq!(
            later(&stored, "https://h/simple/x/", &[], 59),
            Verdict::Fresh
        );
        assert_eq!(later(&stored, "https://h/a.zip", &[], 60), Verdict::Stale);
        let shared = record(200, &[("Cache-Control", "s-maxage=10, max-age=60")]);
        assert_eq!(later(&shared, "https://h/a.zip", &[], 10), Verdict::Stale);
        let asked = record(200, &[("Cache-Control", "no-cache, max-age=60")]);
        assert_eq!(later(&asked, "https://h/a.zip", &[], 0), Verdict::Stale);
        let expired = record(200, &[("Expires", "0")]);
        assert_eq!(later(&expired, "https://h/a.zip", &[], 0), Verdict::Stale);
        let date = "Tue, 14 Nov 2023 22:13:20 GMT";
        let soon = "Tue, 14 Nov 2023 22:14:20 GMT";
        let minute = record(200, &[("Date", date), ("Expires", soon)]);
        assert_eq!(later(&minute, "https://h/a.zip", &[], 59), Verdict::Fresh);
        assert_eq!(later(&minute, "https://h/a.zip", &[], 60), Verdict::Stale);
    }

    #[test]
    fn served_while_it_is_checked() {
        let swr = "max-age=60, stale-while-revalidate=30";
        let stored = record(200, &[("Cache-Control", swr)]);
        let at = |seconds| later(&stored, "https://h/a.zip", &[], seconds);
        assert_eq!(at(59), Verdict::Fresh);
        assert_eq!(at(60), Verdict::Behind);
        assert_eq!(at(89), Verdict::Behind);
        assert_eq!(at(90), Verdict::Stale);
        for strict in ["must-revalidate", "proxy-revalidate"] {
            let strict = format!("{swr}, {strict}");
            let stored = record(200, &[("Cache-Control", &strict)]);
            assert_eq!(later(&stored, "https://h/a.zip", &[], 70), Verdict::Stale);
        }
    }

    #[test]
    fn the_origin_says_nothing() {
        let stored = record(200, &[]);
        assert_eq!(
            later(&stored, "https://h/a.zip", &[], YEARS),
            Verdict::Fresh
        );
        assert_eq!(
            later(&stored, "https://h/simple/x/", &[], 5),
            Verdict::Stale
        );
        for status in [302, 303, 307, 404, 410] {
            assert_eq!(
                later(&record(status, &[]), "https://h/a", &[], 599),
                Verdict::Fresh
            );
            assert_eq!(
                later(&record(status, &[]), "https://h/a", &[], 600),
                Verdict::Stale
            );
        }
        assert_eq!(
            later(&record(301, &[]), "https://h/a", &[], YEARS),
            Verdict::Fresh
        );
    }

    #[test]
    fn the_client_asks() {
        let stored = record(200, &[("Cache-Control", "max-age=1000")]);
        let ask = |pairs: &[(&str, &str)]| later(&stored, "https://h/a.zip", pairs, 30);
        assert_eq!(ask(&[("Cache-Control", "max-age=0")]), Verdict::Requested);
        assert_eq!(ask(&[("Cache-Control", "max-age=31")]), Verdict::Fresh);
        assert_eq!(ask(&[("Cache-Control", "no-cache")]), Verdict::Requested);
        assert_eq!(ask(&[("Pragma", "no-cache")]), Verdict::Requested);
        assert_eq!(ask(&[("If-None-Match", "\"x\"")]), Verdict::Requested);
    }

    #[test]
    fn what_was_just_fetched_is_not_asked_for_again() {
        let reload = [("Cache-Control", "max-age=0")];
        let fresh = record(200, &[("Cache-Control", "max-age=1000")]);
        let stale = record(200, &[("Cache-Control", "max-age=0")]);
        let at = |stored, seconds| later(stored, "https://h/simple/x/", &reload, seconds);
        assert_eq!(at(&fresh, 4), Verdict::Fresh);
        assert_eq!(at(&fresh, 5), Verdict::Requested);
        assert_eq!(at(&fresh, -1), Verdict::Requested);
        assert_eq!(at(&stale, 4), Verdict::Requested);
        let silent = record(200, &[]);
        assert_eq!(at(&silent, 4), Verdict::Fresh);
        assert_eq!(at(&silent, 5), Verdict::Requested);
        let index = |seconds| later(&silent, "https://h/simple/x/", &[], seconds);
        assert_eq!((index(4), index(5)), (Verdict::Fresh, Verdict::Stale));
    }

    #[test]
    fn no_check_is_repeated_at_once() {
        let mut stored = record(200, &[]);
        stored.checked_at = Some(NOW);
        let reload = [("Cache-Control", "max-age=0")];
        assert_eq!(
            later(&stored, "https://h/simple/x/", &reload, 4),
            Verdict::Fresh
        );
        assert_eq!(
            later(&stored, "https://h/simple/x/", &reload, 5),
            Verdict::Requested
        );
        // A check that lies in the future says nothing.
        assert_eq!(
            later(&stored, "https://h/simple/x/", &[], -60),
            Verdict::Stale
        );
    }

    #[test]
    fn a_clock_set_back_makes_a_stated_lifetime_void() {
        let stored = record(200, &[("Cache-Control", "max-age=60")]);
        assert_eq!(
            later(&stored, "https://h/a.zip", &[], -3600),
            Verdict::Stale
        );
    }

    #[test]
    fn age_at_arrival() {
        let date = format_date(NOW - 20_000);
        assert_eq!(initial_age(&fields(&[("Date", &date)]), 0, NOW), 20);
        assert_eq!(initial_age(&fields(&[("Age", "700")]), 2_000, NOW), 702);
        assert_eq!(initial_age(&fields(&[("Age", "x")]), 0, NOW), 0);
    }

    #[test]
    fn forever_is_forever() {
        let target = Target::parse("https://h/simple/x/").unwrap();
        let stored = record(404, &[("Cache-Control", "max-age=1")]);
        let reload = fields(&[("Cache-Control", "no-cache")]);
        let verdict = judge(
            &stored,
            &Terms::of(&stored, &target),
            &reload,
            Policy::Forever,
            NOW + YEARS,
        );
        assert_eq!(verdict, Verdict::Fresh);
    }
}
