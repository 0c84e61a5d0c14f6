//! Whether a stored response may be served without asking upstream: `cachy_freshness`, over the
//! age and lifetime of RFC 9111 section 4.2. Time is an argument everywhere.

mod asks;
mod terms;
#[cfg(test)]
mod tests;

pub(crate) use asks::Asks;
pub use terms::{Rule, Terms};

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cache_control::CacheControl;
use crate::headers::Headers;
use crate::meta::{Millis, Record};
use crate::options::Policy;

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
    if policy == Policy::Forever {
        return Verdict::Fresh;
    }
    let asks = Asks::of(request, &record.headers);
    if terms.for_good {
        let heard = asks.is_some_and(|asks| is_heard(asks, terms));
        return if heard && !is_settled(record, terms, now) {
            Verdict::Requested
        } else {
            Verdict::Fresh
        };
    }
    match asks {
        Some(asks) => asked(record, terms, asks, now),
        None => unasked(record, terms, now),
    }
}

/// Whether a check of a name for good is asked for by a person (curl, a browser's reload), and not by
/// the habit of a program.
fn is_heard(asks: Asks, terms: &Terms) -> bool {
    // apt says `max-age=0` of all its indexes, also of those that it names by their digest.
    let zero = asks.max_age == Some(0) && terms.rule != Rule::Digest;
    (asks.no_cache || zero) && !asks.habit
}

fn asked(record: &Record, terms: &Terms, asks: Asks, now: Millis) -> Verdict {
    let too_old = |most| most > 0 && age(record, now) >= most;
    if asks.max_age.is_some_and(too_old) && !is_checked(record, terms, now) {
        return Verdict::Requested;
    }
    // A condition with our validator is answered from what the origin calls fresh; what only we take
    // for fresh is a guess, and who asks gets better than that.
    let guessed = matches!(terms.rule, Rule::Tenth | Rule::Whole);
    let asks_for_change = asks.condition.is_some_and(|ours| !ours || guessed);
    if asks.no_cache || asks.max_age == Some(0) || asks_for_change {
        let settled = if asks.wants_other {
            is_checked(record, terms, now)
        } else {
            is_settled(record, terms, now)
        };
        return if settled {
            Verdict::Fresh
        } else {
            Verdict::Requested
        };
    }
    unasked(record, terms, now)
}

/// Whether it needs no check, though a client asks for one: there was one a moment ago, or it is an
/// index that was fetched a moment ago, or what the origin calls fresh.
fn is_settled(record: &Record, terms: &Terms, now: Millis) -> bool {
    is_checked(record, terms, now)
        || (matches!(terms.rule, Rule::Stated | Rule::Moving) && is_recent(record, terms, now))
}

/// Whether it was checked a moment ago, which is as good as now.
fn is_checked(record: &Record, terms: &Terms, now: Millis) -> bool {
    !terms.each && record.checked_at.is_some_and(|at| is_moment_ago(at, now))
}

fn unasked(record: &Record, terms: &Terms, now: Millis) -> Verdict {
    if is_recent(record, terms, now) {
        return Verdict::Fresh;
    }
    // A clock that was set back says nothing of the age.
    if now < record.stored_at {
        return Verdict::Stale;
    }
    let age = age(record, now);
    if age < terms.lifetime {
        Verdict::Fresh
    } else if age < terms.lifetime.saturating_add(terms.grace) {
        Verdict::Behind
    } else {
        Verdict::Stale
    }
}

/// Whether it was fetched or checked a moment ago: jobs that start together are a moment apart.
pub(crate) fn is_recent(record: &Record, terms: &Terms, now: Millis) -> bool {
    if terms.each {
        return false;
    }
    let limited = matches!(terms.rule, Rule::Stated | Rule::Status | Rule::Publishing);
    let over = limited && age(record, now) >= terms.lifetime;
    is_checked(record, terms, now) || (is_moment_ago(record.stored_at, now) && !over)
}

pub(crate) fn is_moment_ago(at: Millis, now: Millis) -> bool {
    (at..at + AGAIN).contains(&now)
}

/// Current age in seconds (RFC 9111 section 4.2.3).
#[must_use]
pub fn age(record: &Record, now: Millis) -> u64 {
    let resident = now.saturating_sub(record.stored_at).max(0);
    record.initial_age + u64::try_from(resident / 1000).unwrap_or(0)
}

/// Freshness lifetime in seconds that the origin states (RFC 9111 section 4.2.1), 0 where it wants
/// to be asked each time; `None` where it says nothing.
pub(crate) fn stated(record: &Record) -> Option<u64> {
    stated_in(&record.headers, Some(record.stored_at))
}

/// As [`stated`], of fields that came at this time, if that is known.
pub(crate) fn stated_in(headers: &Headers, received: Option<Millis>) -> Option<u64> {
    let control = CacheControl::of(headers);
    if control.no_cache {
        return Some(0);
    }
    if let Some(seconds) = control.s_maxage.or(control.max_age) {
        return Some(seconds);
    }
    let expires = headers.text("expires")?;
    // A date that can't be read means expired (RFC 9111 section 5.3).
    let Some(expires) = http_date(expires) else {
        return Some(0);
    };
    let date = headers.text("date").and_then(http_date).or(received)?;
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
