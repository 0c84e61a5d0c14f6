//! What a run of the client has to tell.

use std::time::Duration;

use serde::Serialize;

use crate::wire::WireError;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the path's first segment is not a length, such as 10k")]
    NoBody,
}

/// What was measured, of one connection or of all.
#[derive(Debug, Default)]
pub struct Measured {
    /// Nanoseconds until the body was whole, of each request.
    whole: Vec<u64>,
    /// And until its first byte was there.
    first: Vec<u64>,
    /// When the first byte of the last was there, by the machine's monotonic clock.
    first_at: u64,
    bytes: u64,
    /// From when all connections were there.
    pub took: Duration,
    pub failures: Vec<String>,
}

impl Measured {
    /// A request that ended well; times in nanoseconds of the machine's monotonic clock.
    pub fn note(&mut self, start: u64, first: u64, end: u64, length: u64) {
        self.whole.push(end - start);
        self.first.push(first - start);
        self.first_at = first;
        self.bytes += length;
    }

    /// Takes what another has measured.
    pub fn add(&mut self, other: Self) {
        self.whole.extend(other.whole);
        self.first.extend(other.first);
        self.first_at = self.first_at.max(other.first_at);
        self.bytes += other.bytes;
        self.failures.extend(other.failures);
    }

    /// The numbers.
    pub fn report(mut self) -> Report {
        let seconds = self.took.as_secs_f64();
        self.whole.sort_unstable();
        self.first.sort_unstable();
        #[allow(clippy::cast_precision_loss)] // No run gets that far.
        Report {
            requests: self.whole.len(),
            seconds,
            per_second: self.whole.len() as f64 / seconds,
            bytes: self.bytes,
            megabytes_per_second: self.bytes as f64 / 1e6 / seconds,
            p50_ms: at(&self.whole, 50),
            p99_ms: at(&self.whole, 99),
            max_ms: at(&self.whole, 100),
            first_p50_ms: at(&self.first, 50),
            first_at_ns: self.first_at,
            failures: self.failures,
        }
    }
}

/// A percentile of sorted nanoseconds, in milliseconds.
#[allow(clippy::cast_precision_loss)]
fn at(sorted: &[u64], percent: usize) -> f64 {
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted
        .get(place)
        .map_or(0.0, |nanoseconds| *nanoseconds as f64 / 1e6)
}

/// What is printed, as JSON.
#[derive(Debug, Serialize)]
pub struct Report {
    pub requests: usize,
    pub seconds: f64,
    pub per_second: f64,
    pub bytes: u64,
    pub megabytes_per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    pub first_p50_ms: f64,
    /// When the first byte of the last body was there, in nanoseconds of `CLOCK_MONOTONIC`.
    pub first_at_ns: u64,
    /// What went wrong; then all other numbers are worth nothing.
    pub failures: Vec<String>,
}
