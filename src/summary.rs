//! The tree in numbers.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::meta::Millis;
use crate::store::Store;
use crate::survey::{self, Item, Kind, Whose};

/// Counts of one host, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bodies and statuses of cachy's, variants included.
    pub entries: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Bytes of their metadata.
    pub meta_bytes: u64,
    /// Those among them that are statuses: 404s and redirects.
    pub statuses: u64,
    /// Those among them that are further variants of a URL.
    pub variants: u64,
    /// People's files.
    pub people: u64,
    /// Their bytes.
    pub people_bytes: u64,
    /// Files of which only the digest would tell whose they are.
    pub undecided: u64,
    /// When the first of cachy's entries was fetched or confirmed.
    pub oldest: Option<Millis>,
    /// When the least recently used one was used.
    pub least_used: Option<Millis>,
    /// When the most recently used one was used.
    pub last_used: Option<Millis>,
}

/// All that is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Of everything.
    pub all: Counts,
    /// By host, with its port where it isn't the scheme's own.
    pub hosts: BTreeMap<String, Counts>,
}

/// Counts what lies in the tree.
///
/// # Errors
/// `Io` where it can't be read.
pub fn summary(store: &Store) -> Result<Summary> {
    let mut summary = Summary::default();
    survey::walk(store, false, |item| {
        let path = item.path.as_str();
        let host = path.split_once('/').map_or(path, |(host, _)| host);
        summary.all.add(&item);
        summary.hosts.entry(host.to_owned()).or_default().add(&item);
        ControlFlow::Continue(())
    })?;
    Ok(summary)
}

impl Counts {
    fn add(&mut self, item: &Item) {
        let record = match &item.whose {
            Whose::Person => {
                self.people += 1;
                self.people_bytes += item.size();
                return;
            }
            Whose::Undecided => {
                self.undecided += 1;
                return;
            }
            Whose::Cachy(record) => record,
        };
        self.entries += 1;
        self.bytes += item.size();
        self.meta_bytes += item.meta_size;
        self.statuses += u64::from(matches!(item.kind, Kind::Status { .. }));
        let variant = item.named.as_ref().is_ok_and(|n| n.variant.is_some());
        self.variants += u64::from(variant);
        let least = |a: Option<Millis>, b| Some(a.map_or(b, |a| a.min(b)));
        self.oldest = least(self.oldest, record.stored_at);
        if let Some(used) = item.used {
            self.least_used = least(self.least_used, used);
            self.last_used = self.last_used.max(Some(used));
        }
    }
}
