//! One fetch for many: leading a flight, waiting for one, and reading along while a body grows.

use super::{Detached, Exchange, Fallback, Forward, Sharing, Step};
use crate::asking;
use crate::cache_status::{CacheStatus, Forwarded};
use crate::conditional::PARTIAL;
use crate::flight::Flight;
use crate::flights::{Arrival, Joined, Lead, Outcome, Progress, Underway};
use crate::growing::{Growing, growing};
use crate::key::Target;
use crate::meta::{Millis, Record};
use crate::range;
use crate::request::Request;
use crate::select;
use crate::wake::{Signal, Ticket};
use crate::way::Way;

/// A range that begins more bytes than this behind what has arrived is asked for upstream.
const FAR: u64 = 8 << 20;
/// For how long after its own beginning a request that waited for one that got no answer asks itself.
const NEXT: Millis = 5_000;
/// A fetch that nobody waits for is finished if no more than so many bytes are missing.
const LITTLE: u64 = 1 << 20;

impl Exchange {
    /// Whether it fetches for everybody.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        self.sharing.lead.is_some()
    }

    /// Whether it has no client.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        self.sharing.detached.is_some()
    }

    /// What is to be fetched without a client, where this exchange has just found that out.
    pub fn work(&mut self) -> Option<Exchange> {
        self.sharing.work.take().map(|work| *work)
    }

    /// Rung when less may be wanted of what this exchange fetches.
    pub(super) fn demand(&self) -> Signal {
        match (&self.sharing.lead, &self.flight) {
            (Some(lead), _) => lead.demand().clone(),
            (None, Some(flight)) => flight.demand().clone(),
            (None, None) => Signal::default(),
        }
    }

    /// Whether anybody wants what is being fetched, its own client apart. The ticket rings when that
    /// may have changed in this process; other processes, and the clock, ring none: ask again now and then.
    #[must_use]
    pub fn wanted(&self, now: Millis) -> Option<Ticket> {
        let ticket = self.demand().ticket();
        self.is_wanted(now).then_some(ticket)
    }

    /// Whether anybody wants what is being fetched, its own client apart: somebody waits or reads,
    /// or little is missing and still comes.
    #[must_use]
    pub fn is_wanted(&self, now: Millis) -> bool {
        let (lead, flight) = (self.sharing.lead.as_ref(), self.flight.as_ref());
        if lead.is_some_and(Lead::is_awaited) || flight.map_or(0, Flight::readers) > 0 {
            return true;
        }
        if lead.is_some_and(|lead| lead.is_stuck(now)) {
            return false;
        }
        if self.sharing.answered || self.sharing.detached == Some(Detached::Wanted) {
            return flight.is_none_or(Flight::is_storing);
        }
        let little = |f: &Flight| f.is_storing() && f.missing().is_some_and(|n| n <= LITTLE);
        flight.is_some_and(little)
    }

    /// What has become of the flight that this exchange waits for. `None`: nothing is waited for.
    pub(super) fn seated(&mut self, now: Millis) -> Option<Step> {
        let seat = self.sharing.seat.as_ref()?;
        let (progress, ticket) = seat.progress();
        // Who joined an attempt that hung for long before has not had one of its own.
        let late = seat.silence(now) >= NEXT;
        match progress {
            Progress::Asked => return Some(Step::Wait(ticket)),
            Progress::Arriving(arrival) => {
                if let Some(step) = self.read_along(&arrival, ticket, now) {
                    return Some(step);
                }
            }
            Progress::Over(Outcome::Again) => {
                self.sharing.joined = true;
                // What it had fetched once and isn't there is not fetched like that again.
                self.sharing.alone |= self.sharing.caused;
            }
            Progress::Over(Outcome::Apart) => {
                self.sharing.alone = true;
                if let Some(answer) = self.redirect_itself() {
                    return Some(Step::Answer(answer));
                }
            }
            Progress::Over(Outcome::Unanswered(_)) if self.may_ask_next(now) => {
                self.sharing.joined = true;
            }
            Progress::Over(Outcome::Failed(_)) if late && self.may_ask_next(now) => {
                self.sharing.joined = true;
            }
            Progress::Over(Outcome::Failed(reason) | Outcome::Unanswered(reason)) => {
                self.sharing.seat = None;
                let nothing = matches!(self.fallback, Fallback::None);
                let redirect = nothing.then(|| self.redirect_itself()).flatten();
                let answer = redirect.unwrap_or_else(|| self.answer_failure(&reason, now));
                return Some(Step::Answer(answer));
            }
        }
        self.sharing.seat = None;
        None
    }

    /// Whether one of those who waited asks in the place of one that got no answer: in good time, so
    /// that nobody waits for the patience of each.
    fn may_ask_next(&self, now: Millis) -> bool {
        !self.sharing.caused && now - self.sharing.since < NEXT
    }

    /// Waits for whoever fetches this already. `None`: this exchange is to fetch it, for everybody
    /// where it can.
    pub(super) fn join(&mut self, target: &Target, names: &[String], now: Millis) -> Option<Step> {
        if self.sharing.alone || self.sharing.lead.is_some() {
            return None;
        }
        let request = &self.request.headers;
        let known = select::known(target, request, names);
        let moved = self.moved_at(target);
        let suits = |underway: &Underway| match underway.progress() {
            Progress::Asked => {
                underway.begun() >= moved && select::has(underway.selecting(), target, request)
            }
            Progress::Arriving(arrival) => {
                arrival.record.asked_at() >= moved
                    && select::matches(&arrival.record, target, request)
            }
            Progress::Over(_) => false,
        };
        let joined = self.store.flights.join(&target.url(), &known, now, suits);
        match self.join_abroad(joined, now) {
            Joined::Seat(seat) => {
                self.sharing.seat = Some(seat);
                // Over meanwhile: the tree is to be looked at again, at once.
                self.seated(now)
                    .or_else(|| Some(Step::Wait(Ticket::rung())))
            }
            Joined::Lead(lead) => {
                if self.asks_part() && !matches!(self.fallback, Fallback::Entry(_)) {
                    // The whole is fetched behind the range, without a client.
                    let seat = lead.seat();
                    let (_, ticket) = seat.progress();
                    self.sharing.seat = Some(seat);
                    self.sharing.caused = true;
                    self.detach_whole(lead);
                    return Some(Step::Wait(ticket));
                }
                self.sharing.lead = Some(lead);
                None
            }
        }
    }

    /// Has what is stored checked in the background (RFC 5861), unless somebody does already.
    pub(super) fn check_behind(&mut self, record: &Record, target: &Target, now: Millis) {
        let flights = &self.store.flights;
        let joined = flights.join(&target.url(), &record.selecting, now, |_| true);
        if let Joined::Lead(lead) = self.join_abroad(joined, now) {
            self.detach_whole(lead);
        }
    }

    /// Has the whole of what is asked for fetched without a client.
    fn detach_whole(&mut self, lead: Lead) {
        let request = without_client(&self.request, self.target.as_ref());
        let work = self.without_client(request, lead, Detached::Wanted);
        self.sharing.work = Some(Box::new(work));
    }

    /// An exchange that leads in the place of this one, without a client.
    pub(super) fn without_client(&self, request: Request, lead: Lead, why: Detached) -> Self {
        let url = || self.url();
        let mut work = Self::new(self.store.clone(), self.settings, request)
            .counted(self.tally.without_client(&url));
        work.sharing = Sharing {
            lead: Some(lead),
            detached: Some(why),
            ..Sharing::default()
        };
        work
    }

    /// Whether the client asks for a part of the body.
    pub(super) fn asks_part(&self) -> bool {
        let field = self.request.headers.text("range");
        !self.is_detached() && range::is_wanted(field)
    }

    /// Lets others read what this exchange is fetching.
    pub(super) fn publish(&mut self) {
        let (Some(lead), Some(flight), Some(record)) =
            (&mut self.sharing.lead, &self.flight, &self.record)
        else {
            return;
        };
        let waits = self.hold.is_some() || flight.is_sniffing();
        if let Some(file) = flight.file().filter(|_| !waits) {
            let arrival = Arrival {
                record: record.clone().into(),
                pipe: flight.pipe(),
                why: self.status.forwarded.unwrap_or(Forwarded::UriMiss),
            };
            if lead.is_claimed() {
                lead.arriving_in(&arrival, file);
            } else if !self.settings.chained {
                self.sharing.late = Some(arrival.clone());
            }
            lead.arriving(arrival);
        }
    }

    /// Lets other processes read what this exchange is fetching, where it is large.
    pub(super) fn publish_late(&mut self) {
        let (Some(arrival), Some(lead), Some(flight)) = (
            self.sharing.late.take(),
            &mut self.sharing.lead,
            &self.flight,
        ) else {
            return;
        };
        if let Some(file) = flight.file() {
            let length = flight.missing().map(|missing| flight.received() + missing);
            let abroad = &self.store.abroad;
            abroad.claim_late(&self.store.tree, lead, self.settings, length);
            lead.arriving_in(&arrival, file);
        }
    }

    /// Ends the flight that this exchange leads, if it does.
    pub(super) fn finish(&mut self, outcome: Outcome) {
        if let Some(lead) = self.sharing.lead.take() {
            lead.over(outcome, self.ended);
        }
    }

    /// The status of an answer from what another request fetched while this one waited; such an
    /// answer is not checked again.
    pub(super) fn fetched_meanwhile(&self, record: &Record) -> Option<CacheStatus> {
        let since = self.sharing.since;
        let fetched = record.stored_at >= since || record.checked_at.is_some_and(|at| at >= since);
        if !(self.sharing.joined && fetched) {
            return None;
        }
        let why = self.status.forwarded.unwrap_or(Forwarded::UriMiss);
        let mut status = self.shared_status(why);
        let confirmed =
            matches!(&self.fallback, Fallback::Entry(was) if was.record.stored == record.stored);
        if status.stored && confirmed {
            status.stored = false;
            status.forwarded_status = Some(304);
        }
        Some(status)
    }

    /// The status of an answer that was fetched for this exchange by another.
    pub(super) fn shared_status(&self, why: Forwarded) -> CacheStatus {
        CacheStatus {
            stored: self.sharing.caused,
            collapsed: !self.sharing.caused,
            ..CacheStatus::forwarded(why)
        }
    }

    /// Reads a body that is growing. `None`: it isn't one that answers this request.
    fn read_along(&mut self, arrival: &Arrival, ticket: Ticket, now: Millis) -> Option<Step> {
        let target = self.target.clone()?;
        if !select::matches(&arrival.record, &target, &self.request.headers) {
            return None;
        }
        if arrival.record.asked_at() < self.moved_at(&target) {
            // Asked for, by another process, before what it belongs to became what it is.
            self.sharing.alone = true;
            return None;
        }
        let status = self.shared_status(arrival.why);
        let written = arrival.pipe.written();
        match growing(arrival, &self.request, status, now, written + FAR) {
            Growing::Answer(answer) => {
                self.sharing.seat = None;
                Some(Step::Answer(answer))
            }
            Growing::Later => Some(Step::Wait(ticket)),
            Growing::Far => {
                self.sharing.seat = None;
                self.fallback = Fallback::None;
                self.status = CacheStatus::forwarded(arrival.why).detail("range");
                Some(Step::Forward(Forward::default()))
            }
        }
    }
}

/// The request as cachy itself makes it: for all of it, on a connection of its own.
pub(super) fn without_client(request: &Request, target: Option<&Target>) -> Request {
    let mut request = request.clone();
    "GET".clone_into(&mut request.method);
    asking::strip(&mut request.headers);
    request.headers.remove("connection");
    for name in PARTIAL {
        request.headers.remove(name);
    }
    if let Some(target) = target {
        request.headers.remove("host");
        let host = (b"Host".to_vec(), target.authority().as_bytes().to_vec());
        request.headers.0.insert(0, host);
    }
    request.authority = None;
    request.sni = None;
    request.way = Way::Named;
    request.special = false;
    request.multiplexed = false;
    request.old = false;
    request
}
