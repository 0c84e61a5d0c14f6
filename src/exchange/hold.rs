//! A check that brings a new body is passed on when it flows: an origin that sends a head and then
//! stalls must not keep a client from what is stored. Nor must one that sends a page in the place of a
//! package; where nothing is stored, the head waits until the first bytes tell what it is to say.

use super::{Exchange, Fallback};
use crate::answer::Answer;
use crate::content::{DETAIL, Verdict};
use crate::error::Error;
use crate::flight::Flight;
use crate::flights::Outcome;
use crate::meta::Millis;

/// A body of which so many bytes have come flows.
const FLOWING: u64 = 64 << 10;
/// Seconds until the first look, and between the others.
pub(super) const FIRST: f64 = 1.0;
const NEXT: f64 = 0.5;
/// A body that went on through so many looks flows, however slowly.
const LOOKS: u32 = 3;

/// A head that is held back.
#[derive(Debug, Default)]
pub(super) struct Hold {
    received: u64,
    looks: u32,
    /// It goes when the first bytes have told what it is.
    first: bool,
}

impl Hold {
    /// Of a head that waits for the first bytes alone.
    pub(super) fn for_first_bytes() -> Self {
        Self {
            first: true,
            ..Self::default()
        }
    }
}

/// What to do with a head that was held back.
#[derive(Debug)]
pub enum Look {
    /// Send it: the body flows.
    Send,
    /// Look again after so many seconds.
    Wait(f64),
    /// The body stalls: this is the answer, and upstream is given up.
    Answer(Box<Answer>),
}

impl Exchange {
    /// Whether a head that was held back may go: enough of the body has come, or all of it.
    pub fn flows(&mut self) -> bool {
        let received = self.flight.as_ref().map_or(0, Flight::received);
        let first = self.hold.as_ref().is_some_and(|hold| hold.first);
        let known = first && !self.is_sniffing();
        let flows = self.hold.is_none() || received >= FLOWING || self.ended || known;
        if flows {
            self.let_go();
        }
        flows
    }

    /// What to do with a head that was held back, some time later.
    pub fn look(&mut self, now: Millis) -> Look {
        if self.flows() {
            return Look::Send;
        }
        let received = self.flight.as_ref().map_or(0, Flight::received);
        let Some(hold) = &mut self.hold else {
            return Look::Send;
        };
        if received > hold.received {
            hold.received = received;
            hold.looks += 1;
            if hold.looks < LOOKS {
                return Look::Wait(NEXT);
            }
            self.let_go();
            return Look::Send;
        }
        match self.give_back("the body stalls", now) {
            Some(answer) => Look::Answer(Box::new(answer)),
            None => Look::Wait(NEXT),
        }
    }

    fn let_go(&mut self) {
        self.hold = None;
        self.count_body();
        self.publish();
    }

    /// Whether the first bytes have still to tell whether the body is what its name says.
    pub(super) fn is_sniffing(&self) -> bool {
        self.flight.as_ref().is_some_and(Flight::is_sniffing)
    }

    /// Takes what the first bytes have just told. Returns whether what is stored is to be answered
    /// instead, see [`Exchange::refused`].
    pub(super) fn hear(&mut self) -> bool {
        match self.flight.as_mut().and_then(Flight::told) {
            Some(Verdict::Fits { coded }) => {
                if let Some(record) = &mut self.record
                    && coded
                {
                    record.label = false;
                }
                self.publish();
                false
            }
            Some(Verdict::Foreign(what)) => {
                if let Some(target) = &self.target {
                    let why = format!("{what} came, which is not what its name says");
                    let error = Error::not_it(&self.store.tree, target, why);
                    self.store.troubles.say(&error);
                }
                self.status.stored = false;
                self.status.detail = Some(DETAIL);
                self.foreign = true;
                self.hold.is_some() && !matches!(self.fallback, Fallback::None)
            }
            Some(Verdict::More) | None => false,
        }
    }

    /// What is stored, in the place of what has turned out to be something else, of which the client
    /// has seen nothing yet.
    pub fn refused(&mut self, now: Millis) -> Option<Answer> {
        if !self.foreign {
            return None;
        }
        let answer = self.give_back("what came is not what its name says", now)?;
        self.foreign = false;
        Some(answer)
    }

    /// `Cache-Status`, where it is another one than was said first.
    #[must_use]
    pub fn restated(&self) -> Option<String> {
        self.foreign.then(|| self.status.to_string())
    }

    /// What is stored, in the place of a new body of which the client has seen nothing yet.
    pub fn give_back(&mut self, reason: &str, now: Millis) -> Option<Answer> {
        if self.hold.is_none() || matches!(self.fallback, Fallback::None) {
            return None;
        }
        let mut answer = self.url_failed(now);
        if let Some(answer) = &mut answer {
            self.count_answer(answer);
        }
        self.finish(Outcome::Failed(reason.to_owned()));
        self.close(false);
        answer
    }
}
