//! A check that brings a new body is passed on when it flows: an origin that sends a head and then
//! stalls must not keep a client from what is stored.

use super::{Exchange, Fallback};
use crate::answer::Answer;
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
        let flows = self.hold.is_none() || received >= FLOWING || self.ended;
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
