//! Checks of what is stored: with which conditions upstream is asked, and what its 304 comes to.

use super::{Confirm, Exchange, Fallback, Reply, Step};
use crate::answer::{self, Answer};
use crate::cache_status::CacheStatus;
use crate::conditional::validators;
use crate::confirm::{confirmed, is_about, updated};
use crate::entry::{self, Entry, Found};
use crate::flights::Outcome;
use crate::freshness::initial_age;
use crate::headers::Headers;
use crate::key::Target;
use crate::meta::{Millis, Record};
use crate::redirect;
use crate::renewed;

/// Conditions of ours on the request that went upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Conditions {
    /// There are none.
    #[default]
    None,
    /// Those of what is stored.
    Sent,
    /// They led to nothing: none are sent any more.
    Spent,
}

impl Exchange {
    /// The fields that ask for the whole, of the origin or of what a redirect leads to.
    pub(super) fn plain(&mut self, target: &Target) -> Headers {
        let mut headers = self.whole(target);
        if let Some(hop) = &self.hop {
            headers.set("Host", hop.target.authority());
        }
        headers
    }

    /// The fields that ask for the whole, unless it is what is stored.
    pub(super) fn with_conditions(&mut self, mut headers: Headers) -> Headers {
        let Fallback::Entry(entry) = &self.fallback else {
            return headers;
        };
        // The conditions of a request are for a 200 (RFC 9110 section 13.2.1): the date of an error
        // page says nothing of what was published since.
        if self.conditions == Conditions::Spent || entry.record.status != 200 {
            return headers;
        }
        for (name, value) in validators(&entry.record.headers) {
            headers.push(name, value);
            self.conditions = Conditions::Sent;
        }
        headers
    }

    /// Asks for the whole, once, where the answer to our conditions says nothing of what is stored: a 304
    /// for something else (RFC 9111 section 4.3.3), or what only our own conditions can have led to.
    pub(super) fn ask_plainly(
        &mut self,
        status: u16,
        headers: &Headers,
        now: Millis,
    ) -> Option<Reply> {
        let Fallback::Entry(entry) = &self.fallback else {
            return None;
        };
        let useless = match status {
            304 => !is_about(&entry.record.headers, headers),
            206 | 412 | 416 => true,
            _ => false,
        };
        if self.conditions != Conditions::Sent || !useless {
            return None;
        }
        self.conditions = Conditions::Spent;
        self.sent_at = now;
        let target = self.target.clone()?;
        let headers = self.plain(&target);
        match self.forward(Some(headers)) {
            Step::Forward(forward) => Some(Reply::Again(forward)),
            _ => None,
        }
    }

    /// Says so where upstream's answer, which isn't stored, is of other bytes than those that stay.
    pub(super) fn say_kept(&self, status: u16, headers: &Headers) {
        if let (200, Fallback::Entry(entry), Some(target)) = (status, &self.fallback, &self.target)
        {
            renewed::say_kept(target, headers, &entry.record);
        }
    }

    /// The answer to the client's own conditions, which weren't sent upstream, where it has what came, or
    /// wants something else (RFC 9110 section 13.2.2).
    pub(super) fn settled(&self, status: u16, fields: &Headers) -> Option<Box<Answer>> {
        if status != 200 || !self.storing || self.is_detached() {
            return None;
        }
        let mut cache_status = self.status;
        cache_status.forwarded_status = Some(status);
        answer::settled(fields, &self.request.headers, cache_status).map(Box::new)
    }

    /// Whether upstream's answer is none to a request for the whole without any condition.
    pub(super) fn is_no_answer(&self, status: u16) -> bool {
        self.checking
            && match status {
                304 => self.conditions != Conditions::Sent,
                status => matches!(status, 206 | 412 | 416),
            }
    }

    /// The 304 to our own check.
    pub(super) fn confirmed(&mut self, headers: &Headers, now: Millis) -> Option<Answer> {
        let Fallback::Entry(mut entry) = std::mem::take(&mut self.fallback) else {
            return None;
        };
        let target = self.target.clone()?;
        self.status.forwarded_status = Some(304);
        let mut age = initial_age(headers, now - self.sent_at, now);
        let mut headers = headers.clone();
        redirect::add_own(&mut headers, &self.led);
        if self.keep_to_redirects(&mut headers) {
            age = 0;
        }
        let headers = &headers;
        let was = entry.record.clone();
        let kept = confirmed(&was, &target, &self.request.headers, headers, age, now);
        if let Some(record) = kept.map(|record| self.asked(record)) {
            entry.record = record.clone();
            self.confirm = Some(Confirm {
                slot: entry.slot.clone(),
                was,
                confirmed: record,
            });
        } else {
            // It is for who asked: whoever waits asks as well.
            self.finish(Outcome::Apart);
            entry.record = Record {
                headers: updated(&was.headers, headers, now),
                stored_at: now,
                initial_age: age,
                ..was
            };
        }
        Some(self.unless_placed(entry, now))
    }

    /// What was stored when upstream was asked, unless a person has put something in its place since.
    fn unless_placed(&self, entry: Entry, now: Millis) -> Answer {
        let (headers, head) = (&self.request.headers, self.request.is_head());
        let hit = CacheStatus::hit();
        let target = self.target.as_ref();
        let found =
            target.and_then(|t| Some((t, entry::find(&self.store, t, headers, true).ok()?)));
        match found {
            Some((target, Found::Placed(placed))) => {
                answer::placed(placed, target, headers, head, hit)
            }
            Some((_, Found::PlacedStatus(link))) => answer::placed_status(link, head, hit),
            _ => self.answer(entry, self.status, now),
        }
    }
}
