//! What the freshness of a stored response depends on, whoever asks and whenever.

use super::{grace, http_date, stated};
use crate::key::Target;
use crate::link::is_redirect;
use crate::local;
use crate::meta::{Record, Stored};
use crate::sets;
use crate::shape::{self, Naming};

/// How long a 404, a 410 or a redirect without a stated lifetime is served unasked, seconds.
const STATUS: u64 = 600;
/// A 404 or 410 for a name for good: what it names may just be being published.
const PUBLISHING: u64 = 30;
/// What has no validator is fetched again as a whole, so not more often than that, seconds.
const WHOLE: u64 = 60;
/// The most that is guessed from `Last-Modified`, seconds.
const GUESS: u64 = 86_400;

/// Which rule decides for how long a stored response is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Its URL names bytes by their digest.
    Digest,
    /// Its URL names one version of one thing.
    Version,
    /// The origin states a lifetime.
    Stated,
    /// A moving name without a stated lifetime.
    Moving,
    /// Nothing is stated by an origin in a private network.
    Nearby,
    /// A tenth of its age by `Last-Modified` (RFC 9111 section 4.2.2).
    Tenth,
    /// Nothing is stated, and nothing tells its age.
    Silent,
    /// As `Silent`, without any validator.
    Whole,
    /// A redirect, or a 404 or 410.
    Status,
    /// A 404 or 410 for a name for good.
    Publishing,
}

/// Told once, to be used as long as the record stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Which rule the others follow from.
    pub rule: Rule,
    /// The origin is never asked about it again of ourselves.
    pub for_good: bool,
    /// Freshness lifetime, seconds.
    pub lifetime: u64,
    /// For how long after that it may be served while it is checked, seconds.
    pub grace: u64,
    /// The origin wants to be asked each time: also where that was done a moment ago.
    pub each: bool,
    /// It is one of a set, whose others count, too: see [`crate::in_step`].
    pub set: bool,
}

impl Terms {
    /// Of a stored response.
    #[must_use]
    pub fn of(record: &Record, target: &Target) -> Self {
        let stated = stated(record);
        let naming = Naming::of(target);
        let rule = rule(record, target, naming, stated);
        let lifetime = match rule {
            Rule::Digest | Rule::Version | Rule::Stated => stated.unwrap_or(0),
            Rule::Moving | Rule::Nearby | Rule::Silent => 0,
            Rule::Tenth => tenth(record).unwrap_or(0).min(GUESS),
            // Since it was fetched, however old it was then.
            Rule::Whole => WHOLE.saturating_add(record.initial_age),
            Rule::Status => STATUS,
            Rule::Publishing => PUBLISHING,
        };
        Self {
            rule,
            for_good: matches!(rule, Rule::Digest | Rule::Version),
            lifetime,
            grace: if rule == Rule::Stated {
                grace(record)
            } else {
                0
            },
            // What somebody works on in this room changes between two requests of a test.
            each: stated == Some(0) || rule == Rule::Nearby,
            set: !naming.is_for_good() && (record.leads() || sets::is_part(target)),
        }
    }
}

fn rule(record: &Record, target: &Target, naming: Naming, stated: Option<u64>) -> Rule {
    // Where the closing of the connection alone told the end, nobody knows that it is all.
    match naming {
        Naming::Digest if record.status == 200 && !record.close_delimited => return Rule::Digest,
        Naming::Version if record.status == 200 && !record.close_delimited => return Rule::Version,
        _ => {}
    }
    if stated.is_some() {
        return Rule::Stated;
    }
    let nearby = !naming.is_for_good() && local::is_private(target.host());
    let slash = matches!(record.stored, Stored::Slash { .. });
    match record.status {
        404 | 410 if naming.is_for_good() => Rule::Publishing,
        _ if nearby => Rule::Nearby,
        // Where "the newest" leads is what it says.
        status if is_redirect(status) && !slash && shape::says_newest(target) => Rule::Moving,
        200 if naming == Naming::Moving => Rule::Moving,
        200 if tenth(record).is_some() => Rule::Tenth,
        200 if record.headers.has("etag") || record.headers.has("last-modified") => Rule::Silent,
        200 => Rule::Whole,
        _ => Rule::Status,
    }
}

/// A tenth of the time for which it had not changed when it was generated (RFC 9111 section 4.2.2),
/// seconds. `None`: that isn't known.
fn tenth(record: &Record) -> Option<u64> {
    let modified = record.headers.text("last-modified").and_then(http_date)?;
    let date = record.headers.text("date").and_then(http_date);
    let date = date.unwrap_or(record.stored_at);
    Some(u64::try_from((date - modified) / 10_000).unwrap_or(0))
}
