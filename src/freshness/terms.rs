//! What the freshness of a stored response depends on, whoever asks and whenever.

use super::{for_good, grace, lifetime};
use crate::key::Target;
use crate::meta::Record;
use crate::shape;

/// Told once, to be used as long as the record stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The origin will never be asked about it again.
    pub for_good: bool,
    /// Freshness lifetime that the origin states, seconds.
    pub lifetime: Option<u64>,
    /// For how long after that it may be served while it is checked, seconds.
    pub grace: u64,
    /// Its URL is that of an index.
    pub index: bool,
}

impl Terms {
    /// Of a stored response.
    #[must_use]
    pub fn of(record: &Record, target: &Target) -> Self {
        Self {
            for_good: for_good(record, target),
            lifetime: lifetime(record),
            grace: grace(record),
            index: shape::is_index(target),
        }
    }
}
