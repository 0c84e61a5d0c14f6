//! Redirects to the thing itself, followed inside the proxy: what they lead to is fetched without a
//! client and stored under the URL that was asked. Whoever asked waits for that.

use super::check::Conditions;
use super::share::without_client;
use super::{Detached, Exchange, Fallback, Forward, Reply, Step};
use crate::answer::{self, Answer};
use crate::cache_status::CacheStatus;
use crate::entry::Entry;
use crate::flights::Outcome;
use crate::headers::Headers;
use crate::meta::Millis;
use crate::redirect::{self, Hop};
use crate::request::Request;

impl Exchange {
    /// Follows a redirect where that is for the proxy to do. `None`: it is an answer like others.
    pub(super) fn follow(&mut self, status: u16, headers: &Headers) -> Option<Reply> {
        let target = self.target.clone().filter(|_| self.storing)?;
        let hop = redirect::hop(&target, self.hop.as_ref(), status, headers)?;
        let Some(lead) = self.sharing.lead.take() else {
            // It led to nothing that could be stored, a moment ago.
            self.not_the_thing();
            return None;
        };
        let seat = lead.seat();
        let detached = self.sharing.detached;
        let request = request_of(&self.request, &hop);
        let mut work = self.without_client(request, lead, detached.unwrap_or(Detached::Hop));
        // The shortest of all on the way.
        let leads_for = [self.leads_for, redirect::leads_for(&target, headers)];
        work.leads_for = leads_for.into_iter().flatten().min();
        work.target = Some(target);
        work.status = self.status;
        work.storing = true;
        work.checking = self.checking;
        if self.conditions == Conditions::Spent {
            work.conditions = Conditions::Spent;
        }
        if let Fallback::Entry(entry) = &self.fallback {
            work.fallback = Fallback::Entry(Entry {
                record: entry.record.clone(),
                // Nobody reads it there.
                file: None,
                slot: entry.slot.clone(),
            });
        }
        work.hop = Some(hop);
        work.led.clone_from(&self.led);
        redirect::add_own(&mut work.led, headers);
        self.sharing.work = Some(Box::new(work));
        if detached.is_some() {
            drop(seat);
            let text = answer::text(502, "followed\n", false, self.status);
            return Some(Reply::Answer(text));
        }
        let (_, ticket) = seat.progress();
        self.sharing.seat = Some(seat);
        self.sharing.caused = true;
        self.redirect = Some((status, headers.clone()));
        Some(Reply::Wait(ticket))
    }

    /// Sends the request for what a redirect leads to. `None`: it is another request.
    pub(super) fn ask_hop(&mut self, now: Millis) -> Option<Step> {
        self.hop.as_ref()?;
        let target = self.target.clone()?;
        let (stored, store) = (!matches!(self.fallback, Fallback::None), &self.store);
        if stored && store.is_dead(&self.request.origin(), now) {
            store.failed(&target.url(), now);
            let reason = "it could not be reached a moment ago";
            self.finish(Outcome::Failed(reason.to_owned()));
            return Some(Step::Answer(self.answer_failure(reason, now)));
        }
        self.sent_at = now;
        let headers = self.plain(&target);
        // What is there may be another variant, which a 304 would not be about.
        let headers = if self.checking {
            self.with_conditions(headers)
        } else {
            headers
        };
        Some(self.forward(Some(headers)))
    }

    /// What a redirect led to is stored only where it is the thing itself.
    pub(super) fn look_at_thing(&mut self, status: u16, headers: &Headers) {
        let (Some(_), Some(target)) = (&self.hop, &self.target) else {
            return;
        };
        let media_type = headers.text("content-type");
        let confirmed = status == 304 && self.conditions == Conditions::Sent;
        if !confirmed && (status != 200 || !redirect::is_the_file(target, media_type)) {
            self.not_the_thing();
        }
    }

    fn not_the_thing(&mut self) {
        self.storing = false;
        self.status.detail = Some("not-followed");
    }

    /// A redirect that is being followed has an answer in any case: the redirect itself.
    pub(super) fn redirected(&mut self, step: Step) -> Step {
        match step {
            Step::Forward(Forward { .. }) if self.redirect.is_some() => {
                self.sharing.lead = None;
                self.redirect_itself().map_or(step, Step::Answer)
            }
            step => step,
        }
    }

    /// The redirect that led to nothing, for the client to follow.
    pub(super) fn redirect_itself(&mut self) -> Option<Answer> {
        let (code, headers) = self.redirect.take()?;
        let status = CacheStatus {
            stored: false,
            detail: Some("not-followed"),
            ..self.status
        };
        Some(answer::redirect(code, &headers, status))
    }
}

/// The request for what a redirect leads to: credentials stay with the host that they were for (RFC
/// 9110 section 15.4).
fn request_of(asked: &Request, hop: &Hop) -> Request {
    let mut request = without_client(asked, Some(&hop.target));
    request.scheme = hop.target.scheme();
    let host = hop.target.host().trim_matches(['[', ']']);
    host.clone_into(&mut request.host);
    request.port = hop.target.port();
    request.path = hop.path.clone().into_bytes();
    if hop.other_host {
        for name in ["authorization", "cookie"] {
            request.headers.remove(name);
        }
    }
    request
}
