//! What the tree says of itself, as frozen types.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pyo3::prelude::*;

use super::{Fields, pairs};
use crate::freshness::age;
use crate::meta::{Millis, Stored};
use crate::options::Policy;
use crate::outlook::Outlook;
use crate::survey::{Item, Kind, Whose};
use crate::{inspect, misses, prune, summary, verify};

/// One file or link of the tree.
#[pyclass(frozen, get_all, module = "cachy._core")]
pub(super) struct Entry {
    path: String,
    url: Option<String>,
    problem: Option<String>,
    status: Option<u16>,
    size: u64,
    meta_size: u64,
    whose: &'static str,
    variant: Option<String>,
    selecting: Vec<(String, String)>,
    fetched_at: Option<Millis>,
    checked_at: Option<Millis>,
    modified_at: Option<Millis>,
    used_at: Option<Millis>,
    age: Option<u64>,
    freshness: Option<String>,
    location: Option<String>,
    media_type: Option<String>,
    sha256: Option<String>,
    headers: Pairs,
}

/// Header fields, on their way to Python.
#[derive(Clone)]
struct Pairs(Fields);

impl<'py> IntoPyObject<'py> for Pairs {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        pairs(py, &self.0).into_pyobject(py)
    }
}

impl Entry {
    pub(super) fn of(item: Item, policy: Policy, now: Millis) -> Self {
        let (url, record) = (item.url(), item.record().cloned());
        let named = item.named.as_ref();
        let outlook = match (named, &record) {
            (Ok(named), Some(record)) => {
                Some(Outlook::of(record, &named.target, policy, now).to_string())
            }
            _ => None,
        };
        let modified = match &item.kind {
            Kind::File(stat) => Some(stat.mtime_ns.div_euclid(1_000_000)),
            Kind::Status { .. } | Kind::Link => None,
        };
        let (status, location) = match (&item.kind, &record) {
            (Kind::Status { link, .. }, _) => (Some(link.status), link.location.clone()),
            (_, Some(record)) => (Some(record.status), None),
            (Kind::File(_), None) => (Some(200), None),
            (Kind::Link, None) => (None, None),
        };
        let since = |at: Millis| u64::try_from((now - at) / 1000).unwrap_or(0);
        let age = match &record {
            Some(record) => Some(age(record, now)),
            None => modified.map(since),
        };
        let text = |name| {
            record
                .as_ref()
                .and_then(|r| r.headers.text(name))
                .map(str::to_owned)
        };
        Self {
            url,
            problem: named.err().map(ToString::to_string),
            variant: named.ok().and_then(|named| named.variant.clone()),
            status,
            size: item.size(),
            meta_size: item.meta_size,
            whose: match item.whose {
                Whose::Cachy(_) => "cachy",
                Whose::Person => "person",
                Whose::Undecided => "undecided",
            },
            location: location.or_else(|| text("location")),
            media_type: text("content-type"),
            sha256: record.as_ref().and_then(|record| match &record.stored {
                Stored::File { sha256, .. } => Some(sha256.clone()),
                Stored::Link { .. } | Stored::Slash { .. } => None,
            }),
            fetched_at: record.as_ref().map(|record| record.stored_at),
            checked_at: record.as_ref().and_then(|record| record.checked_at),
            modified_at: modified,
            used_at: record.as_ref().and(item.used),
            age,
            freshness: outlook,
            selecting: record
                .as_ref()
                .map_or_else(Vec::new, |r| r.selecting.clone()),
            headers: Pairs(record.map_or_else(Vec::new, |record| record.headers.0)),
            path: item.path.as_str().to_owned(),
        }
    }
}

/// What a request would get.
#[pyclass(frozen, get_all, module = "cachy._core")]
pub(super) struct Forecast {
    hit: bool,
    status: Option<u16>,
    cache_status: String,
    words: String,
}

impl From<inspect::Forecast> for Forecast {
    fn from(forecast: inspect::Forecast) -> Self {
        Self {
            hit: forecast.hit,
            status: forecast.status,
            cache_status: forecast.cache_status,
            words: forecast.words,
        }
    }
}

/// All that is known of a URL.
#[pyclass(frozen, get_all, module = "cachy._core")]
pub(super) struct Shown {
    pub(super) url: String,
    pub(super) path: PathBuf,
    pub(super) entry: Option<Py<Entry>>,
    pub(super) variants: Vec<Py<Entry>>,
    pub(super) forecast: Py<Forecast>,
}

/// What was removed.
#[pyclass(frozen, get_all, module = "cachy._core")]
pub(super) struct Removed {
    pub(super) gone: Vec<Py<Entry>>,
    pub(super) kept: Vec<Py<Entry>>,
    pub(super) forgotten: bool,
}

/// What a comparison with the record came to.
#[pyclass(frozen, get_all, module = "cachy._core")]
pub(super) struct Verified {
    result: &'static str,
    found: Option<String>,
    recorded: Option<String>,
    dropped: bool,
}

impl From<verify::Verdict> for Verified {
    fn from(verdict: verify::Verdict) -> Self {
        let plain = |result| Self {
            result,
            found: None,
            recorded: None,
            dropped: false,
        };
        match verdict {
            verify::Verdict::Whole => plain("whole"),
            verify::Verdict::Status => plain("status"),
            verify::Verdict::Person => plain("person"),
            verify::Verdict::Gone => plain("gone"),
            verify::Verdict::Broken {
                found,
                recorded,
                dropped,
            } => Self {
                result: "broken",
                found: Some(found),
                recorded: Some(recorded),
                dropped,
            },
        }
    }
}

/// Counts of one host, or of all.
#[pyclass(frozen, get_all, module = "cachy._core")]
pub(super) struct Counts {
    entries: u64,
    bytes: u64,
    meta_bytes: u64,
    statuses: u64,
    variants: u64,
    people: u64,
    people_bytes: u64,
    undecided: u64,
    oldest: Option<Millis>,
    least_used: Option<Millis>,
    last_used: Option<Millis>,
}

impl From<summary::Counts> for Counts {
    fn from(counts: summary::Counts) -> Self {
        Self {
            entries: counts.entries,
            bytes: counts.bytes,
            meta_bytes: counts.meta_bytes,
            statuses: counts.statuses,
            variants: counts.variants,
            people: counts.people,
            people_bytes: counts.people_bytes,
            undecided: counts.undecided,
            oldest: counts.oldest,
            least_used: counts.least_used,
            last_used: counts.last_used,
        }
    }
}

/// The tree in numbers.
#[pyclass(frozen, get_all, module = "cachy._core")]
pub(super) struct Stats {
    pub(super) all: Py<Counts>,
    pub(super) hosts: BTreeMap<String, Py<Counts>>,
}

/// What an eviction did.
#[pyclass(frozen, get_all, module = "cachy._core")]
pub(super) struct Pruned {
    entries: u64,
    bytes: u64,
    urls: Vec<String>,
    busy: u64,
    orphans: u64,
    left_entries: u64,
    left_bytes: u64,
    elsewhere: bool,
}

impl From<prune::Pruned> for Pruned {
    fn from(pruned: prune::Pruned) -> Self {
        Self {
            entries: pruned.entries,
            bytes: pruned.bytes,
            urls: pruned.urls,
            busy: pruned.busy,
            orphans: pruned.orphans,
            left_entries: pruned.left_entries,
            left_bytes: pruned.left_bytes,
            elsewhere: pruned.elsewhere,
        }
    }
}

/// One line of the journal of misses.
#[pyclass(frozen, get_all, module = "cachy._core")]
pub(super) struct Miss {
    url: String,
    when: Millis,
    accept: Option<String>,
}

impl From<misses::Miss> for Miss {
    fn from(miss: misses::Miss) -> Self {
        Self {
            url: miss.url,
            when: miss.when,
            accept: miss.accept,
        }
    }
}
