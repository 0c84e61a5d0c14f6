//! What to do with upstream's answer, or without one.

use super::check::Conditions;
use super::hold::{self, Hold};
use super::{Exchange, Fallback, Reply};
use crate::answer::{self, Answer};
use crate::body::Body;
use crate::cache_status::{CacheStatus, Forwarded};
use crate::coding::{self, Decoder, Treatment};
use crate::content::Sniff;
use crate::digest::named;
use crate::flight::{Flight, Storing, Taking};
use crate::flights::Outcome;
use crate::freshness::initial_age;
use crate::headers::Headers;
use crate::layout::path_of;
use crate::meta::{Millis, Record, Stored};
use crate::redirect;
use crate::select;
use crate::storable;

impl Exchange {
    /// What to do with the head of upstream's response.
    /// `multiplexed`: it came by HTTP/2 or later, which tells the end of every body.
    pub fn response(
        &mut self,
        status: u16,
        headers: &Headers,
        multiplexed: bool,
        now: Millis,
    ) -> Reply {
        self.code = status;
        let mut reply = self.respond(status, headers, multiplexed, now);
        match &mut reply {
            Reply::Answer(answer) => self.count_answer(answer),
            Reply::Body {
                instead: Some(answer),
                ..
            } => self.count_answer(answer),
            Reply::Body { hold: None, .. } => self.count_body(),
            // What becomes of it isn't known yet.
            Reply::Body { .. } | Reply::Again(_) | Reply::Wait(_) => {}
        }
        reply
    }

    fn respond(&mut self, status: u16, headers: &Headers, multiplexed: bool, now: Millis) -> Reply {
        if let Some(again) = self.ask_plainly(status, headers, now) {
            return again;
        }
        let failing = status >= 500 || status == 429 || self.is_no_answer(status);
        if !failing {
            self.store.answered(&self.request.origin());
        }
        if failing
            && !matches!(self.fallback, Fallback::None)
            && let Some(answer) = self.url_failed(now)
        {
            self.finish(Outcome::Again);
            return Reply::Answer(answer);
        }
        if let Some(waiting) = self.follow(status, headers) {
            return waiting;
        }
        self.look_at_thing(status, headers);
        // Of the conditions only ours went upstream.
        if status == 304
            && self.conditions == Conditions::Sent
            && let Some(answer) = self.confirmed(headers, now)
        {
            return Reply::Answer(answer);
        }
        let bodiless = self.request.is_bodiless(status);
        let told = headers.has("content-length") || headers.has("transfer-encoding");
        self.by_closing = !(told || bodiless || multiplexed);
        self.note_arrival(now);
        let begun = self.begin(status, headers, now);
        let storing = begun.is_storing();
        if !storing {
            self.say_kept(status, headers);
        }
        // With a detail, what is stored isn't this answer.
        self.status.stored = storing && self.status.detail.is_none();
        if self.record.is_some() && !storing {
            self.status.detail = Some("store-error");
        }
        let mut out = self.fields(headers);
        let mut instead = self.settled(status, &out);
        self.sharing.answered = instead.is_some();
        let body = if self.is_detached() || instead.is_some() {
            Body::bytes(Vec::new())
        } else {
            begun.body()
        };
        self.flight = Some(begun);
        let hold = self.share(storing);
        if let Some(answer) = instead.take_if(|_| !storing) {
            // Nobody else wants the rest of it.
            self.flight = None;
            return Reply::Answer(*answer);
        }
        out.push("Cache-Status", self.status.to_string());
        self.request.frame(status, &mut out);
        if self.request.multiplexed {
            out.lowercase();
        }
        Reply::Body {
            headers: out,
            body,
            hold,
            instead,
        }
    }

    /// The fields for the client, of a whole answer.
    fn fields(&self, headers: &Headers) -> Headers {
        let mut out = headers.clone();
        if self.undone {
            coding::decoded(&mut out);
            answer::weaken(&mut out);
        }
        if let Some(record) = &self.record {
            out = record.headers.clone();
            if record.decoded {
                answer::weaken(&mut out);
            }
            for cookie in headers.all("set-cookie") {
                // Not stored, but this client's own.
                out.push("Set-Cookie", cookie.to_vec());
            }
            if let Some(age) = headers.get("age") {
                out.push("Age", age.to_vec());
            }
            if let Some(length) = headers.get("content-length").filter(|_| !record.decoded) {
                out.push("Content-Length", length.to_vec());
            }
        }
        out
    }

    /// Decides what is stored, and begins to.
    fn begin(&mut self, status: u16, headers: &Headers, now: Millis) -> Flight {
        let announced = headers.text("content-length").and_then(|n| n.parse().ok());
        self.tally.announced(announced);
        let chosen = match (&self.target, self.storing) {
            (Some(target), true) => {
                let request = &self.request.headers;
                storable::storing(target, request, status, headers, self.settings.policy)
                    .map(|storing| (storing, target))
            }
            _ => return self.unstored(status, headers),
        };
        let (storing, target) = match chosen {
            Ok(chosen) => chosen,
            Err(detail) => {
                self.status.detail = Some(detail);
                return self.unstored(status, headers);
            }
        };
        if storing == Storing::Slash {
            self.status.detail = Some("slash");
        }
        let request = &self.request.headers;
        let treatment = coding::treatment(target, self.coding, request, headers);
        let mut stored = headers.storable();
        stored.remove("age");
        redirect::add_own(&mut stored, &self.led);
        let limited = self.keep_to_redirects(&mut stored);
        let (decoder, label) = match treatment {
            Treatment::Decode(coding) => {
                coding::decoded(&mut stored);
                (Some(Decoder::new(coding)), false)
            }
            Treatment::AsSent { label } => (None, label),
        };
        let selecting = select::selecting(target, &self.request.headers, status, headers);
        self.record = Some(Record {
            scheme: target.scheme(),
            status,
            headers: stored,
            // `Vary: *` is stored only where everything is served for ever.
            selecting: selecting.unwrap_or_default(),
            stored_at: now,
            initial_age: if limited {
                0
            } else {
                initial_age(headers, now - self.sent_at, now)
            },
            checked_at: self.checking.then_some(now),
            close_delimited: self.by_closing,
            decoded: decoder.is_some(),
            unsettled: None,
            bond: self.bond(target, status, now),
            label,
            stored: Stored::Slash { body: Vec::new() },
        });
        let named = named(target).filter(|_| storing == Storing::File);
        let sniff = self
            .record
            .as_ref()
            .filter(|_| storing == Storing::File && named.is_none());
        let taking = Taking {
            sniff: sniff.and_then(|record| Sniff::of(target, &record.headers)),
            named,
            decoder,
            storing,
            announced,
        };
        Flight::begin(&self.store, self.demand(), taking)
    }

    /// Has what redirects led to fresh for no longer than they are. Returns whether that is shorter.
    pub(super) fn keep_to_redirects(&self, fields: &mut Headers) -> bool {
        self.leads_for
            .is_some_and(|most| redirect::keep_to(fields, most))
    }

    /// Passes on what isn't stored; decoded where the client didn't ask for the coding, but we did.
    fn unstored(&mut self, status: u16, headers: &Headers) -> Flight {
        let undone = self
            .target
            .as_ref()
            .filter(|_| !self.request.is_bodiless(status));
        let undone = undone
            .and_then(|target| coding::undone(target, self.coding, &self.request.headers, headers));
        self.undone = undone.is_some();
        let taking = Taking {
            decoder: undone.map(Decoder::new),
            ..Taking::default()
        };
        Flight::begin(&self.store, self.demand(), taking)
    }

    /// Lets others have what arrives, or tells them to ask for themselves. Returns for how long the
    /// client's head is held back, seconds.
    fn share(&mut self, storing: bool) -> Option<f64> {
        if !storing {
            self.finish(Outcome::Apart);
        }
        // Whatever it is: a body that stalls is no answer while there is another one.
        let other = !matches!(self.fallback, Fallback::None) && !self.is_outdated(self.sent_at);
        if other && !self.sharing.answered {
            self.hold = Some(Hold::default());
            return Some(hold::FIRST);
        }
        if self.is_sniffing() {
            // The head tells whether it is stored.
            self.hold = Some(Hold::for_first_bytes());
            return Some(f64::INFINITY);
        }
        self.publish();
        None
    }

    /// Upstream could not be reached, or broke off before its head, or took too long. `connected`: there
    /// was a connection, so that nothing is said of the origin as a whole.
    pub fn failed(&mut self, reason: &str, connected: bool, now: Millis) -> Answer {
        let store = &self.store;
        if !connected {
            store.failed(&self.request.origin(), now);
        }
        if let (true, Some(target)) = (connected || self.hop.is_some(), &self.target) {
            // Nor does anybody ask for a redirect again to come to the same end.
            store.failed(&target.url(), now);
        }
        let reason_owned = reason.to_owned();
        self.finish(if connected {
            Outcome::Unanswered(reason_owned)
        } else {
            Outcome::Failed(reason_owned)
        });
        let mut answer = self.answer_failure(reason, now);
        self.count_answer(&mut answer);
        answer
    }

    /// What is stored, or a 502 with the reason.
    pub(super) fn answer_failure(&mut self, reason: &str, now: Millis) -> Answer {
        let outdated = self.is_outdated(now);
        if let Some(answer) = self.stale_if_error(now) {
            return answer;
        }
        self.note_miss(now);
        let origin = self.request.origin();
        let vary = self.status.forwarded == Some(Forwarded::VaryMiss);
        let stored = self.target.as_ref().filter(|_| !vary).map_or_else(String::new, |target| {
            let path = self.store.tree.path(path_of(target).as_str());
            if outdated {
                return format!(
                    "What is stored for {} is older than what it belongs to, and would not fit.\n",
                    target.url()
                );
            }
            format!(
                "Nothing is stored for {} either.\nTo have it answered from the cache, put the file at\n  {}\n",
                target.url(),
                path.display()
            )
        });
        let text = format!("cachy: {origin} can't be reached: {reason}\n{stored}");
        let status = CacheStatus {
            stored: false,
            detail: Some("upstream-failed"),
            ..self.status
        };
        answer::text(502, &text, self.request.is_head(), status)
    }

    /// What is stored, since this URL failed; the origin lives, so it alone is left alone for a while.
    pub(super) fn url_failed(&mut self, now: Millis) -> Option<Answer> {
        // What a client's own fields provoked says nothing about it.
        if let Some(target) = self.target.as_ref().filter(|_| self.storing) {
            self.store.failed(&target.url(), now);
        }
        self.stale_if_error(now)
    }

    /// What is stored, since upstream failed.
    pub(super) fn stale_if_error(&mut self, now: Millis) -> Option<Answer> {
        if self.is_outdated(now) {
            self.fallback = Fallback::None;
        }
        self.fall_back(CacheStatus::hit().detail("stale-if-error"), now)
    }

    pub(super) fn fall_back(&mut self, status: CacheStatus, now: Millis) -> Option<Answer> {
        match std::mem::take(&mut self.fallback) {
            Fallback::None => None,
            Fallback::Entry(entry) => Some(self.answer(entry, status, now)),
            Fallback::Index => {
                let target = self.target.as_ref()?;
                Some(answer::slash(target, self.request.is_head(), status))
            }
        }
    }
}
