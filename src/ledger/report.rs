//! What the ledger says, as JSON.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};

use super::{Account, Unfinished};
use crate::meta::Millis;

/// Bytes of bodies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Sent from the tree.
    pub tree: u64,
    /// Received from upstream.
    pub upstream: u64,
}

impl Bytes {
    fn of(account: &Account) -> Self {
        Self {
            tree: account.from_tree.load(Relaxed),
            upstream: account.from_upstream.load(Relaxed),
        }
    }
}

/// Of one run.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// All that it asked for.
    pub requests: u64,
    /// Served from the tree alone.
    pub hits: u64,
    /// Bytes of bodies.
    pub bytes: Bytes,
    /// Everything else, worst first: by seconds, then by bytes.
    pub misses: Vec<Miss>,
    /// Requests that are missing in `misses`, since there were too many.
    pub omitted: u64,
    /// What is still being fetched without a client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfinished: Vec<Unfinished>,
}

/// Requests of one run for one URL, by one method, that were not served from the tree alone, for one reason.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Miss {
    /// As it is stored; as it was asked where it has no key.
    pub url: String,
    /// Their method.
    pub method: String,
    /// The status code of the first of them; 0 where its client left before there was one.
    pub status: u16,
    /// `Cache-Status` (RFC 9211) of the first of them.
    pub cache_status: String,
    /// Why, see [`super::reason`].
    pub reason: Cow<'static, str>,
    /// Bytes of bodies that came from upstream.
    pub bytes: u64,
    /// Time spent on upstream, from the request to the end of the body.
    pub seconds: f64,
    /// How many; 0 for what was fetched without a client.
    pub count: u64,
}

impl Report {
    pub(super) fn of(account: &Account) -> Self {
        let rows = account.rows.lock();
        let misses: Vec<Miss> = rows
            .by
            .iter()
            .map(|((url, method, reason), row)| Miss {
                url: url.clone(),
                method: method.clone(),
                status: row.status,
                cache_status: row.cache_status.clone(),
                reason: Cow::Borrowed(reason),
                bytes: row.bytes.load(Relaxed),
                seconds: seconds(row.millis.load(Relaxed)),
                count: row.count.load(Relaxed),
            })
            .collect();
        let omitted = rows.omitted;
        drop(rows);
        let mut report = Self {
            requests: account.requests.load(Relaxed),
            hits: account.hits.load(Relaxed),
            bytes: Bytes::of(account),
            misses,
            omitted,
            unfinished: account.underway.list(),
        };
        report.sort();
        report
    }

    fn sort(&mut self) {
        self.misses.sort_by(|a, b| {
            let worse = b.seconds.total_cmp(&a.seconds).then(b.bytes.cmp(&a.bytes));
            worse.then_with(|| (&a.url, &a.method).cmp(&(&b.url, &b.method)))
        });
    }

    /// Adds what others know of the same run.
    pub(super) fn add(&mut self, others: Vec<Self>) {
        let key = |miss: &Miss| (miss.url.clone(), miss.method.clone(), miss.reason.clone());
        let misses = std::mem::take(&mut self.misses);
        let mut by: HashMap<_, _> = misses.into_iter().map(|miss| (key(&miss), miss)).collect();
        for other in others {
            self.requests += other.requests;
            self.hits += other.hits;
            self.bytes.tree += other.bytes.tree;
            self.bytes.upstream += other.bytes.upstream;
            self.omitted += other.omitted;
            self.unfinished.extend(other.unfinished);
            for miss in other.misses {
                match by.entry(key(&miss)) {
                    Entry::Vacant(place) => {
                        place.insert(miss);
                    }
                    Entry::Occupied(mut place) => {
                        let sum = place.get_mut();
                        sum.bytes += miss.bytes;
                        sum.seconds += miss.seconds;
                        sum.count += miss.count;
                    }
                }
            }
        }
        self.misses = by.into_values().collect();
        self.sort();
    }
}

/// Of one process, and of all that used a tree (`.cachy/stats.json`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// When the counting began.
    pub since: Millis,
    /// All that was asked for.
    pub requests: u64,
    /// Served from the tree alone.
    pub hits: u64,
    /// Bytes of bodies.
    pub bytes: Bytes,
    /// Everything else, by the reason.
    pub by_reason: BTreeMap<String, Reason>,
}

/// Requests that were not served from the tree alone, for one reason.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// How many.
    pub count: u64,
    /// Bytes of bodies that came from upstream.
    pub bytes: u64,
    /// Time spent on upstream.
    pub seconds: f64,
}

impl Totals {
    pub(super) fn of(account: &Account, since: Millis) -> Self {
        let rows = account.rows.lock();
        let by_reason = rows.by.iter().map(|((_, _, reason), row)| {
            let sums = Reason {
                count: row.count.load(Relaxed),
                bytes: row.bytes.load(Relaxed),
                seconds: seconds(row.millis.load(Relaxed)),
            };
            ((*reason).to_owned(), sums)
        });
        Self {
            since,
            requests: account.requests.load(Relaxed),
            hits: account.hits.load(Relaxed),
            bytes: Bytes::of(account),
            by_reason: by_reason.collect(),
        }
    }

    /// Adds what has come since `before`.
    pub(super) fn add(&mut self, now: &Self, before: &Self) {
        if self.since == 0 {
            self.since = now.since;
        }
        self.requests += now.requests - before.requests;
        self.hits += now.hits - before.hits;
        self.bytes.tree += now.bytes.tree - before.bytes.tree;
        self.bytes.upstream += now.bytes.upstream - before.bytes.upstream;
        for (reason, sums) in &now.by_reason {
            let was = before.by_reason.get(reason).cloned().unwrap_or_default();
            let into = self.by_reason.entry(reason.clone()).or_default();
            into.count += sums.count - was.count;
            into.bytes += sums.bytes - was.bytes;
            into.seconds += sums.seconds - was.seconds;
        }
    }
}

/// To the millisecond.
#[allow(clippy::cast_precision_loss)]
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}
