//! One request, and its answer where the tree has one.

use super::parse::{Method, Read};
use super::{Lane, SMALL, head};
use crate::body::{Body, Chunk};
use crate::exchange::Rules;
use crate::ledger::{Meter, RunId};
use crate::meta::Millis;
use crate::way::Way;

/// What becomes of a request.
#[derive(Debug)]
pub enum Served {
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
        match self.reader.read(bytes, &mut self.request) {
            Some(read) => self.answer(&read, out, now),
            None => Served::Slow,
        }
    }

    /// As [`Lane::take`] does with one request, of what did not come as a head: a GET or HEAD without
    /// a body, whose fields have its authority as `Host`. Its head, and a small body, are added to `out`.
    pub fn ask<'a>(
        &mut self,
        method: Method,
        path: &[u8],
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        out: &mut Vec<u8>,
        now: Millis,
    ) -> Served {
        if self.start.closed {
            return Served::Slow;
        }
        match self.reader.fill(method, path, fields, &mut self.request) {
            Some(read) => self.answer(&read, out, now),
            None => Served::Slow,
        }
    }

    /// Answers the request that was read.
    fn answer(&mut self, read: &Read<'_>, out: &mut Vec<u8>, now: Millis) -> Served {
        self.note_run(read);
        if !self.aim(read.method) || self.request.way == Way::Circular {
            return Served::Slow;
        }
        if read.method == Method::Connect {
            return if self.place.host.is_meant(&self.request) {
                Served::Slow
            } else {
                let agent = self.request.headers.text("user-agent");
                self.brief = agent.is_some_and(|agent| agent.starts_with("curl/"));
                Served::Connect
            };
        }
        let begun = out.len();
        if let Some(served) = self.recalled(read, out, now) {
            return served;
        }
        out.truncate(begun);
        if let Some(served) = self.look_up(read, out, now) {
            return served;
        }
        out.truncate(begun);
        Served::Slow
    }

    /// The first request of a connection that names a run, names it for all.
    fn note_run(&mut self, read: &Read<'_>) {
        if let (Some(run), None) = (read.run, &self.ran) {
            let run = String::from_utf8_lossy(run).into_owned();
            self.run = RunId::parse(&run);
            self.ran = Some(run);
        }
    }

    pub(super) fn rules(&self) -> Rules<'_> {
        Rules {
            store: &self.place.store,
            settings: self.place.settings,
            request: &self.request,
            detached: false,
        }
    }

    /// Answers from the tree as it is.
    fn look_up(&mut self, read: &Read<'_>, out: &mut Vec<u8>, now: Millis) -> Option<Served> {
        if self.place.host.is_meant(&self.request) {
            return None;
        }
        let target = self.rules().target().ok()?;
        self.request.connect_by_name(&target);
        let (answer, slot) = self.rules().at_once(&target, now)?;
        head::write(out, &answer, &self.place.reasons, None);
        let served = self.send(answer.body, out, read.last)?;
        let store = &self.place.store;
        if let Some(slot) = slot {
            store.used(&slot, now);
        }
        self.remember(&target, now);
        Some(served)
    }

    /// Sends a small body behind its head, and counts the answer. `None`: it was cut short in this
    /// moment, and nothing is sent or counted.
    pub(super) fn send(&mut self, mut body: Body, out: &mut Vec<u8>, last: bool) -> Option<Served> {
        if body.remaining()? > SMALL {
            self.closing = last;
            return Some(Served::Large(body, Some(self.count())));
        }
        let begun = out.len();
        while let Chunk::Bytes(bytes) = body.read(usize::MAX >> 1).ok()? {
            out.extend_from_slice(&bytes);
        }
        self.count().read(out.len() - begun);
        Some(if last { Served::Last } else { Served::Small })
    }

    /// Counts a hit, as an [`crate::exchange::Exchange`] does. Returns what counts its body.
    pub(super) fn count(&self) -> Meter {
        self.place.ledger.tally(self.run).hit()
    }
}
