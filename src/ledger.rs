//! The ledger: what became of the requests of this process and of each run, for reports and
//! statistics. An [`crate::exchange::Exchange`] tells it by a [`Tally`], a body on its way to a client by a
//! [`Meter`]. A hit adds to a few atomic numbers; one of a run looks that run up under a lock.
//!
//! Every request is counted once: it is a hit, or it has a reason. `requests` is the sum of `hits`
//! and of the `count` of all reasons, `omitted` included.

mod report;
mod save;
mod siblings;
mod tally;
mod unfinished;

pub use report::{Bytes, Miss, Reason, Report, Totals};
pub use tally::{Meter, Tally};
pub use unfinished::Unfinished;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use self::siblings::Siblings;
use self::unfinished::Underway;
use crate::cache_status::CacheStatus;
use crate::freshness::clock;
use crate::meta::Millis;

/// More runs than this push out the oldest.
const RUNS: usize = 100;
/// Rows of one run; what comes then is `omitted`.
const ROWS: usize = 10_000;
/// Bytes of all URLs of one run, so that nobody fills the memory with long ones.
const TEXT: usize = 4 << 20;

/// One run of one command: 32 hex digits, known to nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunId(u128);

impl RunId {
    /// `None` where the text isn't one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok();
        number.filter(|_| hex).map(Self)
    }

    /// As it is written.
    #[must_use]
    pub fn text(self) -> String {
        format!("{:032x}", self.0)
    }
}

/// Of one process.
#[derive(Debug)]
pub struct Ledger {
    process: Arc<Account>,
    /// Oldest first.
    runs: Mutex<VecDeque<(RunId, Arc<Account>)>>,
    since: Millis,
    saved: Mutex<Totals>,
    siblings: OnceLock<Siblings>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            process: Arc::default(),
            runs: Mutex::default(),
            since: clock(),
            saved: Mutex::default(),
            siblings: OnceLock::new(),
        }
    }
}

impl Ledger {
    /// For a new request, of a run where it belongs to one.
    #[must_use]
    pub fn tally(&self, run: Option<RunId>) -> Tally {
        Tally::new([
            Some(Arc::clone(&self.process)),
            run.map(|run| self.run(run)),
        ])
    }

    fn run(&self, id: RunId) -> Arc<Account> {
        let mut runs = self.runs.lock();
        if let Some((_, found)) = runs.iter().rev().find(|(known, _)| *known == id) {
            return Arc::clone(found);
        }
        let made = Arc::new(Account {
            by_url: true,
            ..Account::default()
        });
        if runs.len() == RUNS {
            runs.pop_front();
        }
        runs.push_back((id, Arc::clone(&made)));
        made
    }

    /// From now on this process, of this number, is one of `all` that count together, see [`siblings`].
    ///
    /// # Errors
    /// Where nobody can reach it in that folder.
    pub fn join(self: &Arc<Self>, folder: &Path, number: u32, all: u32) -> std::io::Result<()> {
        let siblings = Siblings::join(folder, number, all, self)?;
        let _ = self.siblings.set(siblings);
        Ok(())
    }

    /// Whether several processes count together: what they all know takes a moment.
    #[must_use]
    pub fn has_siblings(&self) -> bool {
        self.siblings.get().is_some()
    }

    /// How many count together.
    #[must_use]
    pub fn processes(&self) -> u32 {
        self.siblings.get().map_or(1, Siblings::all)
    }

    /// What all that count together know of a run.
    #[must_use]
    pub fn report_of_all(&self, id: RunId) -> Report {
        let mut report = self.report(id);
        if let Some(siblings) = self.siblings.get() {
            report.add(siblings.reports(id));
        }
        report
    }

    /// What all that count together know.
    #[must_use]
    pub fn totals_of_all(&self) -> Totals {
        let mut totals = self.totals();
        for other in self
            .siblings
            .get()
            .map(Siblings::totals)
            .unwrap_or_default()
        {
            totals.since = totals.since.min(other.since);
            totals.add(&other, &Totals::default());
        }
        totals
    }

    /// What is known of a run; a run of which nothing is known asked for nothing.
    #[must_use]
    pub fn report(&self, id: RunId) -> Report {
        let runs = self.runs.lock();
        let found = runs.iter().find(|(known, _)| *known == id);
        let found = found.map(|(_, account)| Arc::clone(account));
        drop(runs);
        found.map_or_else(Report::default, |account| Report::of(&account))
    }

    /// What is known of the process.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals::of(&self.process, self.since)
    }
}

/// The counters of the process, or of one run.
#[derive(Debug, Default)]
pub struct Account {
    requests: AtomicU64,
    hits: AtomicU64,
    from_tree: AtomicU64,
    from_upstream: AtomicU64,
    rows: Mutex<Rows>,
    /// Rows are kept for each URL and method, not for the reason alone.
    by_url: bool,
    /// What is being fetched without a client.
    underway: Underway,
}

/// URL, method and reason.
type Key = (String, String, &'static str);

#[derive(Debug, Default)]
struct Rows {
    by: HashMap<Key, Arc<Row>>,
    text: usize,
    omitted: u64,
}

/// Requests that were not served from the tree alone: of one URL, by one method, for one reason.
#[derive(Debug, Default)]
pub struct Row {
    /// Of the first of them.
    status: u16,
    cache_status: String,
    count: AtomicU64,
    bytes: AtomicU64,
    millis: AtomicU64,
}

/// One request that wasn't served from the tree alone.
pub(crate) struct Asked<'a> {
    method: &'a str,
    url: &'a dyn Fn() -> String,
    status: u16,
    cache_status: CacheStatus,
}

impl Account {
    fn add_request(&self, hit: bool) {
        self.requests.fetch_add(1, Relaxed);
        if hit {
            self.hits.fetch_add(1, Relaxed);
        }
    }

    /// The row of a request. `None`: there are too many. `counts`: it is a client's.
    fn row(&self, asked: &Asked<'_>, reason: &'static str, counts: bool) -> Option<Arc<Row>> {
        let (url, method) = if self.by_url {
            ((asked.url)(), asked.method.to_owned())
        } else {
            Default::default()
        };
        let mut rows = self.rows.lock();
        let key = (url, method, reason);
        let text = key.0.len() + key.1.len();
        if let Some(found) = rows.by.get(&key) {
            found.count.fetch_add(u64::from(counts), Relaxed);
            return Some(Arc::clone(found));
        }
        if rows.by.len() >= ROWS || rows.text + text > TEXT {
            rows.omitted += u64::from(counts);
            return None;
        }
        let made = Arc::new(Row {
            status: asked.status,
            cache_status: asked.cache_status.to_string(),
            count: AtomicU64::new(u64::from(counts)),
            ..Row::default()
        });
        rows.text += text;
        rows.by.insert(key, Arc::clone(&made));
        Some(made)
    }
}

/// Why a request wasn't served from the tree alone, in one word; `None` where it was.
#[must_use]
pub fn reason(status: CacheStatus) -> Option<&'static str> {
    if status.hit {
        return None;
    }
    // What was asked for others counts once, as theirs.
    if status.collapsed {
        return Some("collapsed");
    }
    if status.forwarded_status == Some(304) {
        return Some("revalidated");
    }
    let detail = status.detail.filter(|word| *word != "slash");
    let why = status.forwarded.map(crate::cache_status::Forwarded::word);
    detail.or(why).or(Some("other"))
}

#[cfg(test)]
mod tests;
