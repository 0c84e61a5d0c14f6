//! A flight of another process, as those see it who wait for it in this one.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use rustix::fs::{FlockOperation, fcntl_lock};

use super::Held;
use super::news::News;
use crate::flights::{Arrival, Lead, Outcome, Seat};
use crate::meta::Millis;
use crate::pipe::Pipe;
use crate::place::TMP;
use crate::tree::Tree;
use crate::wake::Signal;

/// Leads a flight by what another process tells of it.
#[derive(Debug)]
pub(super) struct Watch {
    claim: File,
    /// What was read of a line whose end is still to come.
    line: Vec<u8>,
    lead: Option<Lead>,
    body: Option<Body>,
    _held: Held,
}

/// The growing file.
#[derive(Debug)]
struct Body {
    file: File,
    pipe: Arc<Pipe>,
    size: u64,
}

/// What was seen.
pub(super) enum Seen {
    /// There may be more to come.
    Underway,
    /// Nothing more will come, or nobody cares.
    Over(Option<Ending>),
}

/// The end of a flight, to be told when its watch is gone: who hears of it may claim the same at once.
pub(super) struct Ending {
    lead: Lead,
    outcome: Outcome,
    whole: bool,
}

impl Ending {
    /// Tells all who wait.
    pub(super) fn tell(self) {
        self.lead.over(self.outcome, self.whole);
    }
}

impl Watch {
    /// Begins, unless nothing has come of it for long: then who asks leads a flight of its own.
    pub(super) fn begin(
        claim: File,
        held: Held,
        lead: Lead,
        now: Millis,
    ) -> Result<(Self, Seat), Lead> {
        // As long as this lock is there, the other one goes on without clients of its own.
        if fcntl_lock(&claim, FlockOperation::NonBlockingLockShared).is_err() {
            return Err(lead);
        }
        let begun = claim.metadata().map_or(now, |found| millis(&found));
        let before = Self {
            claim,
            line: Vec::new(),
            lead: None,
            body: None,
            _held: held,
        };
        lead.moved(begun.min(now));
        let seat = lead.seat();
        let watch = Self {
            lead: Some(lead),
            ..before
        };
        Ok((watch, seat))
    }

    /// Looks how far it has come.
    pub(super) fn look(&mut self, tree: &Tree, now: Millis) -> Seen {
        // Before the rest is read: what a leader says, it says before it lets go.
        let left = self.claim.try_lock_shared().is_ok();
        self.grow(now);
        for line in self.lines() {
            match serde_json::from_slice(&line) {
                Ok(News::Arriving {
                    record,
                    why,
                    file,
                    length,
                }) => {
                    let Some(body) = Self::open(tree, &file, length) else {
                        continue; // It is in its place already, so the end is near.
                    };
                    if let Some(lead) = &self.lead {
                        lead.moved(now);
                        lead.arriving(Arrival {
                            record: Arc::from(record),
                            pipe: Arc::clone(&body.pipe),
                            why,
                        });
                    }
                    self.body = Some(body);
                }
                Ok(News::Over { outcome, whole }) => {
                    return self.end(outcome, whole);
                }
                Err(error) => log::debug!("a claim can't be read: {error}"),
            }
        }
        if left {
            // It died.
            return self.end(Outcome::Again, false);
        }
        let wanted = self.lead.as_ref().is_some_and(|lead| lead.seats() > 0)
            || self
                .body
                .as_ref()
                .is_some_and(|body| body.pipe.readers() > 0);
        if wanted {
            Seen::Underway
        } else {
            self.end(Outcome::Again, false)
        }
    }

    fn open(tree: &Tree, name: &str, length: Option<u64>) -> Option<Body> {
        let dir = tree.dir().ok()?.open_dir(TMP).ok()?;
        let file = dir.open(name).ok()?.into_std();
        let size = file.metadata().ok()?.len();
        let pipe = Arc::new(Pipe::new(Signal::default(), file.try_clone().ok(), length));
        pipe.wrote(size);
        Some(Body { file, pipe, size })
    }

    /// Takes note of what has come into the growing file.
    fn grow(&mut self, now: Millis) {
        let (Some(body), Some(lead)) = (&mut self.body, &self.lead) else {
            return;
        };
        let size = body.file.metadata().map_or(body.size, |found| found.len());
        if size <= body.size {
            return;
        }
        body.pipe.wrote(size - body.size);
        body.size = size;
        lead.moved(now);
    }

    fn end(&mut self, outcome: Outcome, whole: bool) -> Seen {
        // The last bytes came before the last word.
        self.grow(0);
        if let Some(body) = &self.body {
            body.pipe.close(whole);
        }
        Seen::Over(self.lead.take().map(|lead| Ending {
            lead,
            outcome,
            whole,
        }))
    }

    fn lines(&mut self) -> Vec<Vec<u8>> {
        let _ = self.claim.read_to_end(&mut self.line);
        let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let rest = self.line.split_off(end + 1);
        let whole = std::mem::replace(&mut self.line, rest);
        let lines = whole.split(|byte| *byte == b'\n');
        lines
            .filter(|l| !l.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    }
}

fn millis(found: &std::fs::Metadata) -> Millis {
    found.mtime() * 1000 + found.mtime_nsec() / 1_000_000
}
