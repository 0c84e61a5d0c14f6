//! The head of an answer, but for the one value that changes with time.

use std::ops::Range;

use crate::answer::Answer;
use crate::lane::head::{self, Reasons};

/// A head with a gap.
#[derive(Debug)]
pub struct Template {
    head: Box<[u8]>,
    gap: Range<usize>,
}

impl Template {
    /// Of an answer; `field` is the one whose value changes.
    #[must_use]
    pub fn of(answer: &Answer, reasons: &Reasons, field: Option<&str>) -> Self {
        let mut bytes = Vec::new();
        let gap = head::write(&mut bytes, answer, reasons, field);
        Self {
            head: bytes.into(),
            gap: gap.unwrap_or(0..0),
        }
    }

    /// Writes it with this value.
    pub fn write(&self, out: &mut Vec<u8>, value: &str) {
        out.extend_from_slice(&self.head[..self.gap.start]);
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(&self.head[self.gap.end..]);
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.head.len()
    }
}
