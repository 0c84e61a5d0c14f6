//! For how long a stored response is fresh, or why it isn't: what [`crate::freshness::judge`] says
//! of a request that asks for nothing special, told ahead and for people.

use std::fmt;
use std::time::Duration;

use crate::freshness::{self, AGAIN, TEMPORARY, age, for_good};
use crate::key::Target;
use crate::meta::{Millis, Record, Stored};
use crate::options::Policy;
use crate::shape;

/// How fresh it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// Its URL names one version: the origin is never asked again.
    ForGood,
    /// `cachy_freshness=forever`
    Forever,
    /// That the origin adds a slash is not asked again.
    Slash,
    /// The origin states no lifetime for what isn't an index: kept until somebody removes it.
    Kept,
    /// It was checked, or fetched, within the last seconds; for so many milliseconds more.
    Just(Millis),
    /// For so many seconds more.
    Fresh(u64),
    /// Stale for so many seconds, and still served while it is checked.
    Behind(u64),
    /// Stale for so many seconds.
    Stale(u64),
    /// An index for which the origin states no lifetime: asked about each time.
    Index,
    /// The clock was set back: nothing is known of the age.
    Backwards,
}

impl Outlook {
    /// Of a stored response, now.
    #[must_use]
    pub fn of(record: &Record, target: &Target, policy: Policy, now: Millis) -> Self {
        if policy == Policy::Forever {
            return Self::Forever;
        }
        if matches!(record.stored, Stored::Slash { .. }) {
            return Self::Slash;
        }
        if for_good(record, target) {
            return Self::ForGood;
        }
        let left = |at: Millis| (at..at + AGAIN).contains(&now).then(|| at + AGAIN - now);
        if let Some(left) = record.checked_at.and_then(left) {
            return Self::Just(left);
        }
        let (age, backwards) = (age(record, now), now < record.stored_at);
        let until = |lifetime: u64| {
            let grace = freshness::grace(record);
            match age.checked_sub(lifetime) {
                None => Self::Fresh(lifetime - age),
                Some(since) if since < grace => Self::Behind(since),
                Some(since) => Self::Stale(since),
            }
        };
        match freshness::lifetime(record) {
            Some(_) if backwards => Self::Backwards,
            Some(lifetime) => until(lifetime),
            None if freshness::is_temporary(record.status) && backwards => Self::Backwards,
            None if freshness::is_temporary(record.status) => match age.checked_sub(TEMPORARY) {
                None => Self::Fresh(TEMPORARY - age),
                Some(since) => Self::Stale(since),
            },
            None if record.status == 200 && shape::is_index(target) => {
                left(record.stored_at).map_or(Self::Index, Self::Just)
            }
            None => Self::Kept,
        }
    }
}

impl fmt::Display for Outlook {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForGood => to.write_str("fresh for good: the URL names one version"),
            Self::Forever => to.write_str("fresh for good: cachy_freshness=forever"),
            Self::Slash => to.write_str("fresh as long as the folder's index is there"),
            Self::Kept => to.write_str("fresh until removed: the origin states no lifetime"),
            Self::Just(_) => to.write_str("fresh for some seconds: just fetched or checked"),
            Self::Fresh(left) => write!(to, "fresh for {} more", about(*left)),
            Self::Behind(since) => write!(
                to,
                "stale since {}, and served while it is checked (stale-while-revalidate)",
                about(*since)
            ),
            Self::Stale(0) => to.write_str("stale"),
            Self::Stale(since) => write!(to, "stale since {}", about(*since)),
            Self::Index => to.write_str("stale: an index without a stated lifetime"),
            Self::Backwards => to.write_str("stale: the clock was set back"),
        }
    }
}

/// Seconds, for people: the two largest units.
#[must_use]
pub fn about(seconds: u64) -> String {
    let whole = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    let parts: Vec<&str> = whole.split(' ').take(2).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::freshness::{Terms, Verdict, judge};
    use crate::headers::Headers;
    use crate::key::Scheme;
    use crate::meta::Seen;
    use proptest::prelude::*;

    const STORED: Millis = 1_700_000_000_000;

    proptest! {
        #[test]
        fn it_agrees_with_the_judge(
            url in prop::sample::select(vec![
                "https://h/a.zip", "https://h/simple/x/", "https://h/six-1.16.0-py2.py3-none-any.whl",
            ]),
            status in prop::sample::select(vec![200, 301, 302, 404]),
            control in prop::sample::select(vec![
                None, Some("max-age=60"), Some("no-cache"), Some("max-age=0"),
                Some("max-age=60, stale-while-revalidate=100"),
            ]),
            since in -10_i64..800,
            checked in prop::option::of(-10_i64..800),
            age in 0_u64..100,
        ) {
            let mut headers = Headers::default();
            if let Some(control) = control {
                headers.push("Cache-Control", control);
            }
            let record = Record {
                scheme: Scheme::Https,
                status,
                headers,
                selecting: Vec::new(),
                stored_at: STORED,
                initial_age: age,
                checked_at: checked.map(|at| STORED + at * 1000),
                close_delimited: false,
                decoded: false,
                label: false,
                unsettled: None,
                bond: None,
                stored: Stored::File { seen: Seen { size: 0, mtime_ns: 0 }, sha256: String::new() },
            };
            let target = Target::parse(url).unwrap();
            let now = STORED + since * 1000;
            let terms = Terms::of(&record, &target);
            let verdict = judge(&record, &terms, &Headers::default(), Policy::Auto, now);
            let outlook = Outlook::of(&record, &target, Policy::Auto, now);
            let told = match outlook {
                Outlook::Stale(_) | Outlook::Index | Outlook::Backwards => Verdict::Stale,
                Outlook::Behind(_) => Verdict::Behind,
                _ => Verdict::Fresh,
            };
            prop_assert_eq!(told, verdict, "{:?}", outlook);
            // And it is so until then, and not longer.
            if let Outlook::Fresh(left) = outlook {
                let at = |seconds: u64| {
                    let then = now + Millis::try_from(seconds).unwrap() * 1000;
                    Outlook::of(&record, &target, Policy::Auto, then)
                };
                prop_assert!(matches!(at(left - 1), Outlook::Fresh(1) | Outlook::Just(_)));
                prop_assert!(!matches!(at(left), Outlook::Fresh(_)));
            }
        }
    }

    #[test]
    fn two_units_are_enough() {
        assert_eq!(about(3 * 3600 + 25 * 60 + 7), "3h 25m");
        assert_eq!(about(0), "0s");
    }
}
