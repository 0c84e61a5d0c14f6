//! For how long a stored response is fresh and by which rule, or why it isn't: what
//! [`crate::freshness::judge`] says of a request that asks for nothing special, told ahead and for people.

use std::fmt;
use std::time::Duration;

use crate::freshness::{self, AGAIN, Rule, Terms, age, format_date, http_date};
use crate::key::Target;
use crate::meta::{Millis, Record};
use crate::options::Policy;

/// How fresh it is, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// How fresh it is.
    pub state: State,
    /// Which rule says so. `None`: `cachy_freshness=forever`.
    pub rule: Option<Rule>,
    /// Freshness lifetime by that rule, seconds.
    pub lifetime: u64,
    /// When it was last changed, where the origin says that.
    pub modified: Option<Millis>,
}

/// How fresh it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Never asked about again.
    Always,
    /// It was checked, or fetched, within the last seconds; for so many milliseconds more.
    Just(Millis),
    /// For so many seconds more.
    Fresh(u64),
    /// Stale for so many seconds, and still served while it is checked.
    Behind(u64),
    /// Stale for so many seconds.
    Stale(u64),
    /// Checked each time.
    Each,
    /// The clock was set back: nothing is known of the age.
    Backwards,
}

impl Outlook {
    /// Of a stored response, now.
    #[must_use]
    pub fn of(record: &Record, target: &Target, policy: Policy, now: Millis) -> Self {
        let terms = Terms::of(record, target);
        let forever = policy == Policy::Forever;
        Self {
            state: if forever || terms.for_good {
                State::Always
            } else {
                state(record, &terms, now)
            },
            rule: (!forever).then_some(terms.rule),
            lifetime: terms.lifetime,
            modified: record.headers.text("last-modified").and_then(http_date),
        }
    }

    /// Whether it is served unasked.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        matches!(self.state, State::Always | State::Just(_) | State::Fresh(_))
    }
}

fn state(record: &Record, terms: &Terms, now: Millis) -> State {
    let age = age(record, now);
    if now >= record.stored_at && age < terms.lifetime {
        return State::Fresh(terms.lifetime - age);
    }
    if freshness::is_recent(record, terms, now) {
        let times = [Some(record.stored_at), record.checked_at];
        let left = |at: Millis| freshness::is_moment_ago(at, now).then(|| at + AGAIN - now);
        let left = times.into_iter().flatten().filter_map(left).max();
        return State::Just(left.unwrap_or(0));
    }
    if now < record.stored_at {
        return State::Backwards;
    }
    let since = age - terms.lifetime;
    if since < terms.grace {
        State::Behind(since)
    } else if terms.lifetime == 0 {
        State::Each
    } else {
        State::Stale(since)
    }
}

impl fmt::Display for Outlook {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            State::Always => {}
            State::Just(left) => write!(
                to,
                "fresh for {} more, since it was just fetched or checked: ",
                about(u64::try_from(left.max(0)).unwrap_or(0).div_ceil(1000))
            )?,
            State::Fresh(left) => write!(to, "fresh for {} more: ", about(left))?,
            State::Behind(since) => write!(
                to,
                "stale since {}, and served while it is checked (stale-while-revalidate): ",
                about(since)
            )?,
            State::Stale(0) => to.write_str("stale: ")?,
            State::Stale(since) => write!(to, "stale since {}: ", about(since))?,
            State::Each => to.write_str("checked at each request: ")?,
            State::Backwards => to.write_str("stale, since the clock was set back: ")?,
        }
        self.why(to)
    }
}

impl Outlook {
    /// The rule, in words.
    fn why(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(rule) = self.rule else {
            return to.write_str("fresh for good: cachy_freshness=forever");
        };
        match rule {
            Rule::Digest => to.write_str("a name for good (a digest): never asked again"),
            Rule::Version => to.write_str("a name for good (one version): never asked again"),
            Rule::Stated if self.lifetime == 0 => {
                to.write_str("the origin says no-cache, max-age=0 or the like")
            }
            Rule::Stated => write!(to, "the origin states {}", about(self.lifetime)),
            Rule::Moving => to.write_str(
                "a moving name (an index, a tag, a branch, the newest) without a stated lifetime",
            ),
            Rule::Nearby => to.write_str("a host of a private network that states no lifetime"),
            Rule::Tenth => write!(
                to,
                "no lifetime is stated, so a tenth of its age, a day at most (Last-Modified {})",
                format_date(self.modified.unwrap_or(0))
            ),
            Rule::Silent => to.write_str("neither a lifetime nor a Last-Modified is stated"),
            Rule::Whole => write!(
                to,
                "no lifetime is stated, and without a validator all of it is fetched again, {} after the last time",
                about(60)
            ),
            Rule::Status => write!(
                to,
                "a redirect, 404 or 410 without a stated lifetime is kept for {}",
                about(self.lifetime)
            ),
            Rule::Publishing => write!(
                to,
                "a 404 or 410 for a name for good is kept for {}, as it may just be being published",
                about(self.lifetime)
            ),
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
    use crate::freshness::{Verdict, judge};
    use crate::headers::Headers;
    use crate::key::Scheme;
    use crate::meta::{Seen, Stored};
    use proptest::prelude::*;

    const STORED: Millis = 1_700_000_000_000;

    fn record(status: u16, pairs: &[(&str, &str)]) -> Record {
        let pairs = pairs.iter();
        let headers = pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect();
        Record {
            scheme: Scheme::Https,
            status,
            headers: Headers(headers),
            selecting: Vec::new(),
            stored_at: STORED,
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

    proptest! {
        #[test]
        fn it_agrees_with_the_judge(
            url in prop::sample::select(vec![
                "https://h.example/a.zip", "https://h.example/simple/x/", "http://lan/a.zip",
                "https://h.example/six-1.16.0-py2.py3-none-any.whl",
            ]),
            status in prop::sample::select(vec![200, 301, 302, 404]),
            control in prop::sample::select(vec![
                None, Some("max-age=60"), Some("no-cache"), Some("max-age=0"), Some("must-revalidate"),
                Some("max-age=60, stale-while-revalidate=100"),
            ]),
            modified in prop::option::of(0_i64..8000),
            since in -10_i64..800,
            checked in prop::option::of(-10_i64..800),
            age in 0_u64..100,
        ) {
            let mut record = record(status, &[]);
            if let Some(control) = control {
                record.headers.push("Cache-Control", control);
            }
            if let Some(ago) = modified {
                record.headers.push("Last-Modified", format_date(STORED - ago * 1000));
            }
            record.initial_age = age;
            record.checked_at = checked.map(|at| STORED + at * 1000);
            let target = Target::parse(url).unwrap();
            let now = STORED + since * 1000;
            let terms = Terms::of(&record, &target);
            let verdict = judge(&record, &terms, &Headers::default(), Policy::Auto, now);
            let outlook = Outlook::of(&record, &target, Policy::Auto, now);
            let told = match outlook.state {
                State::Behind(_) => Verdict::Behind,
                _ if outlook.is_fresh() => Verdict::Fresh,
                _ => Verdict::Stale,
            };
            prop_assert_eq!(told, verdict, "{:?}", outlook);
            prop_assert!(!outlook.to_string().is_empty());
            // And it is so until then, and not longer.
            if let State::Fresh(left) = outlook.state {
                let at = |seconds: u64| {
                    let then = now + Millis::try_from(seconds).unwrap() * 1000;
                    Outlook::of(&record, &target, Policy::Auto, then).state
                };
                prop_assert_eq!(at(left - 1), State::Fresh(1));
                prop_assert!(!matches!(at(left), State::Fresh(_)));
            }
        }
    }

    #[test]
    fn in_words() {
        let modified = ("Last-Modified", "Tue, 14 Nov 2023 01:43:20 GMT");
        let date = ("Date", "Tue, 14 Nov 2023 22:13:20 GMT");
        let words = |path: &str, status, fields: &[(&str, &str)], seconds: Millis| {
            let target = Target::parse(&format!("https://h.example{path}")).unwrap();
            let now = STORED + seconds * 1000;
            Outlook::of(&record(status, fields), &target, Policy::Auto, now).to_string()
        };
        assert_eq!(
            words("/a.zip", 200, &[modified, date], 60),
            "fresh for 2h 2m more: no lifetime is stated, so a tenth of its age, a day at most \
             (Last-Modified Tue, 14 Nov 2023 01:43:20 GMT)"
        );
        assert_eq!(
            words("/six-1.16.0-py2.py3-none-any.whl", 200, &[], 60),
            "a name for good (one version): never asked again"
        );
        assert_eq!(
            words("/simple/six/", 200, &[], 60),
            "checked at each request: a moving name (an index, a tag, a branch, the newest) without \
             a stated lifetime"
        );
        assert_eq!(
            words("/a.zip", 200, &[("Cache-Control", "max-age=60")], 90),
            "stale since 30s: the origin states 1m"
        );
        assert_eq!(
            words("/serde/serde-1.0.0.crate", 404, &[], 10),
            "fresh for 20s more: a 404 or 410 for a name for good is kept for 30s, as it may just \
             be being published"
        );
    }

    #[test]
    fn two_units_are_enough() {
        assert_eq!(about(3 * 3600 + 25 * 60 + 7), "3h 25m");
        assert_eq!(about(0), "0s");
    }
}
