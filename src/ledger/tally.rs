//! What one exchange, and one body on its way to a client, tell the ledger.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::unfinished::Fetch;
use super::{Account, Asked, Row, reason};
use crate::answer::Answer;
use crate::body::Body;
use crate::cache_status::CacheStatus;
use crate::freshness::clock;
use crate::meta::Millis;
use crate::request::Request;

/// Of the process and of the run, where there is one.
type Two<T> = [Option<Arc<T>>; 2];

/// What one exchange tells the ledger. The default tells nobody.
#[derive(Debug, Default)]
pub struct Tally {
    accounts: Two<Account>,
    rows: Two<Row>,
    /// It has no client: what it receives counts, and it is no request.
    detached: bool,
    told: bool,
    /// Bytes that came before it was known why.
    pending: u64,
    since: Millis,
    over: bool,
    /// What is told of a fetch without a client as long as it goes on.
    fetch: Option<Arc<Fetch>>,
}

impl Tally {
    pub(super) fn new(accounts: Two<Account>) -> Self {
        Self {
            accounts,
            ..Self::default()
        }
    }

    /// For what is fetched without a client on behalf of this one.
    #[must_use]
    pub fn without_client(&self, url: &dyn Fn() -> String) -> Self {
        let [_, run] = &self.accounts;
        Self {
            accounts: self.accounts.clone(),
            detached: true,
            fetch: run.as_ref().map(|run| run.underway.begin(url())),
            ..Self::default()
        }
    }

    /// So many bytes are announced of what is fetched without a client.
    pub fn announced(&self, length: Option<u64>) {
        if let Some(fetch) = &self.fetch {
            fetch.announced(length);
        }
    }

    /// Nothing more becomes of it.
    pub fn close(&mut self) {
        self.fetch = None;
    }

    /// The request came in.
    pub fn begin(&mut self, now: Millis) {
        if self.since == 0 {
            self.since = now;
        }
    }

    /// Whether it is told already what became of the request.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// The request is answered by this, without upstream's body.
    pub fn answered(&mut self, request: &Request, url: &dyn Fn() -> String, answer: &mut Answer) {
        if self.told || self.detached {
            return;
        }
        self.tell(request, url, answer.status, answer.cache_status);
        if matches!(answer.body, Body::Bytes(ref bytes) if bytes.is_empty()) {
            self.over(clock);
            return;
        }
        let growing = answer.body.is_growing();
        let stored = answer.cache_status.is_from_tree();
        if !growing {
            self.over(clock);
        }
        answer.meter = match (growing, stored) {
            (true, _) => Some(Meter::Shared {
                rows: self.rows.clone(),
                since: self.since,
            }),
            (false, true) => Some(Meter::Tree(self.accounts.clone())),
            (false, false) => None,
        };
    }

    /// The request is a hit, which has no row. Returns what counts the body.
    #[must_use]
    pub fn hit(self) -> Meter {
        for account in self.accounts.iter().flatten() {
            account.add_request(true);
        }
        Meter::Tree(self.accounts)
    }

    /// It is known what becomes of the request.
    pub fn tell(
        &mut self,
        request: &Request,
        url: &dyn Fn() -> String,
        status: u16,
        cache_status: CacheStatus,
    ) {
        self.tell_why(request, url, status, cache_status, reason(cache_status));
    }

    /// As [`Tally::tell`], for this reason; `None` for a hit.
    pub fn tell_why(
        &mut self,
        request: &Request,
        url: &dyn Fn() -> String,
        status: u16,
        cache_status: CacheStatus,
        why: Option<&'static str>,
    ) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        if !self.detached {
            for account in self.accounts.iter().flatten() {
                account.add_request(why.is_none());
            }
        }
        let Some(why) = why else { return };
        let asked = Asked {
            method: &request.method,
            url,
            status,
            cache_status,
        };
        for (account, row) in self.accounts.iter().zip(&mut self.rows) {
            let account = account.as_ref();
            *row = account.and_then(|a| a.row(&asked, why, !self.detached));
        }
        let pending = std::mem::take(&mut self.pending);
        self.add_to_rows(pending);
    }

    /// Bytes of a body came from upstream.
    pub fn received(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        for account in self.accounts.iter().flatten() {
            account.from_upstream.fetch_add(bytes, Relaxed);
        }
        if let Some(fetch) = &self.fetch {
            fetch.received(bytes);
        }
        if self.told {
            self.add_to_rows(bytes);
        } else {
            self.pending += bytes;
        }
    }

    fn add_to_rows(&self, bytes: u64) {
        for row in self.rows.iter().flatten() {
            row.bytes.fetch_add(bytes, Relaxed);
        }
    }

    /// Nothing more is waited for from upstream.
    pub fn over(&mut self, now: impl Fn() -> Millis) {
        if self.detached || !self.told || std::mem::replace(&mut self.over, true) {
            return;
        }
        if self.rows.iter().any(Option::is_some) {
            add_time(&self.rows, self.since, now());
        }
    }
}

fn add_time(rows: &Two<Row>, since: Millis, now: Millis) {
    let millis = u64::try_from(now - since).unwrap_or(0);
    for row in rows.iter().flatten() {
        row.millis.fetch_add(millis, Relaxed);
    }
}

/// Counts a body on its way to a client.
#[derive(Debug)]
pub enum Meter {
    /// It lies in the tree.
    Tree(Two<Account>),
    /// It is fetched for another request, so that this one waits for upstream too.
    Shared {
        /// The rows of this one.
        rows: Two<Row>,
        /// When it came in.
        since: Millis,
    },
}

impl Meter {
    /// Bytes of it were read, to be sent.
    pub fn read(&self, bytes: usize) {
        if let Self::Tree(accounts) = self {
            for account in accounts.iter().flatten() {
                account.from_tree.fetch_add(bytes as u64, Relaxed);
            }
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Self::Shared { rows, since } = self {
            add_time(rows, *since, clock());
        }
    }
}
