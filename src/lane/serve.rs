//! One request, and its answer where the tree has one.

use std::io;

use super::parse::{Method, Read};
use super::{Lane, SMALL, head};
use crate::answer::Answer;
use crate::body::{Body, Chunk};
use crate::exchange::Rules;
use crate::layout::RelPath;
use crate::ledger::{Meter, RunId};
use crate::meta::Millis;
use crate::way::Way;

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Served {
    /// It is answered.
    Small,
    /// It is answered, and was the last.
    Last,
    /// Its answer has begun, and this is the body.
    Large(Body, Option<Meter>),
    /// It isn't for the lane; nothing has happened.
    Slow,
    /// It is a CONNECT.
    Connect,
}

impl Lane {
    /// Answers a request behind `out`, or leaves it alone.
    pub(super) fn serve(&mut self, bytes: &[u8], out: &mut Vec<u8>, now: Millis) -> Served {
        let Some(read) = self.reader.read(bytes, &mut self.request) else {
            return Served::Slow;
        };
        self.note_run(&read);
        if !self.aim(read.method)
            || self.request.way == Way::Circular
            || self.place.host.is_meant(&self.request)
        {
            return Served::Slow;
        }
        if read.method == Method::Connect {
            return Served::Connect;
        }
        let begun = out.len();
        let served = self.answer(out, now, read.last);
        if served.is_none() {
            out.truncate(begun);
        }
        served.unwrap_or(Served::Slow)
    }

    /// The first request of a connection that names a run, names it for all.
    fn note_run(&mut self, read: &Read<'_>) {
        if let (Some(run), None) = (read.run, &self.ran) {
            let run = String::from_utf8_lossy(run).into_owned();
            self.run = RunId::parse(&run);
            self.ran = Some(run);
        }
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            store: &self.place.store,
            settings: self.place.settings,
            request: &self.request,
            detached: false,
        }
    }

    fn answer(&mut self, out: &mut Vec<u8>, now: Millis, last: bool) -> Option<Served> {
        let target = self.rules().target().ok()?;
        self.request.connect_by_name(&target);
        let (mut answer, slot) = self.rules().at_once(&target, now)?;
        head::write(out, &answer, &self.place.reasons);
        let size = answer.body.remaining()?;
        if size > SMALL {
            self.count(&mut answer, slot.as_ref(), now);
            self.closing = last;
            return Some(Served::Large(answer.body, answer.meter));
        }
        // It may have been cut short in this moment; then nothing was sent, or counted.
        let read = read_all(&mut answer.body, out).ok()?;
        self.count(&mut answer, slot.as_ref(), now);
        if let Some(meter) = &answer.meter {
            meter.read(read);
        }
        Some(if last { Served::Last } else { Served::Small })
    }

    /// As an [`crate::exchange::Exchange`] counts what it answers.
    fn count(&self, answer: &mut Answer, slot: Option<&RelPath>, now: Millis) {
        if let Some(slot) = slot {
            self.place.store.used(slot, now);
        }
        let mut tally = self.place.ledger.tally(self.run);
        tally.begin(now);
        // A hit has no row with its URL.
        tally.answered(&self.request, &String::new, answer);
    }
}

/// Reads all of a small body. Returns how many bytes that were.
fn read_all(body: &mut Body, out: &mut Vec<u8>) -> io::Result<usize> {
    let begun = out.len();
    while let Chunk::Bytes(bytes) = body.read(usize::MAX >> 1)? {
        out.extend_from_slice(&bytes);
    }
    Ok(out.len() - begun)
}
