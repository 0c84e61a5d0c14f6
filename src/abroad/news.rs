//! What a claim says: lines of JSON, in this order.

use serde::{Deserialize, Serialize};

use crate::cache_status::Forwarded;
use crate::flights::Outcome;
use crate::meta::Record;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum News {
    /// The body is arriving.
    Arriving {
        /// What will be stored of it.
        record: Box<Record>,
        /// Why it is fetched.
        why: Forwarded,
        /// The name of the growing file, under `.cachy/tmp`.
        file: String,
        /// The length of the body in bytes, where it is known.
        length: Option<u64>,
    },
    /// It is over.
    Over {
        /// How it ended.
        outcome: Outcome,
        /// All of the body was there, and is in the growing file.
        whole: bool,
    },
}

impl News {
    /// As it is written.
    pub(super) fn line(&self) -> Option<Vec<u8>> {
        let mut line = serde_json::to_vec(self).ok()?;
        line.push(b'\n');
        Some(line)
    }
}
