//! What the tree answers a request right now: the rules alone. Nothing is noted, begun or told
//! here, so that one may ask before deciding to answer; [`crate::lane`] does.

use crate::answer::{self, Answer};
use crate::cache_control::CacheControl;
use crate::cache_status::{CacheStatus, Forwarded};
use crate::entry::{self, Entry, Found};
use crate::exchange::Settings;
use crate::freshness::{Terms, Verdict, judge};
use crate::key::Target;
use crate::layout::RelPath;
use crate::meta::{Millis, Record};
use crate::options::{Mode, Policy};
use crate::request::Request;
use crate::store::Store;

/// What to do with a stored response.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Plan {
    /// Serve it, with this status.
    Serve(CacheStatus),
    /// Serve it, and check it in the background.
    Behind,
    /// It isn't for who asks: the request passes by, for this reason.
    Pass(&'static str),
    /// Ask upstream.
    Ask(Forwarded),
}

/// The rules for one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub store: &'a Store,
    pub settings: Settings,
    pub request: &'a Request,
    /// It has no client.
    pub detached: bool,
}

impl Rules<'_> {
    /// The target of a request that the tree may answer.
    ///
    /// # Errors
    /// Why the request passes by the tree, and the word for that.
    pub fn target(&self) -> Result<Target, (Forwarded, Option<&'static str>)> {
        if self.settings.mode == Mode::Off {
            return Err((Forwarded::Bypass, Some("off")));
        }
        if !matches!(self.request.method.as_str(), "GET" | "HEAD") {
            return Err((Forwarded::Method, None));
        }
        if self.request.special {
            return Err((Forwarded::Bypass, Some("request-body-or-upgrade")));
        }
        let target = self.request.target();
        target.map_err(|detail| (Forwarded::Bypass, Some(detail)))
    }

    /// What to do with a stored response. `meanwhile`: the status where another request fetched it
    /// while this one waited.
    pub fn plan(
        &self,
        record: &Record,
        terms: &Terms,
        target: &Target,
        meanwhile: Option<CacheStatus>,
        now: Millis,
    ) -> Plan {
        let hit = CacheStatus::hit();
        if self.settings.mode == Mode::Offline {
            return Plan::Serve(hit);
        }
        if let Some(who) = self.credential()
            && !terms.for_good
        {
            return Plan::Pass(who);
        }
        let set = terms.set && self.settings.policy == Policy::Auto;
        if let Some(status) = meanwhile
            && !(set && !record.leads() && self.store.is_behind(target, record))
        {
            return Plan::Serve(status);
        }
        let headers = &self.request.headers;
        let why = if self.settings.mode == Mode::Refresh {
            Forwarded::Request
        } else {
            match judge(record, terms, headers, self.settings.policy, now) {
                Verdict::Fresh if set && self.store.is_due(target, record) => Forwarded::Stale,
                Verdict::Fresh => return Plan::Serve(hit),
                Verdict::Behind if !self.detached && !set => return Plan::Behind,
                Verdict::Stale | Verdict::Behind => Forwarded::Stale,
                Verdict::Requested => match self.credential() {
                    // What it would be answered is nobody else's.
                    Some(who) => return Plan::Pass(who),
                    None => Forwarded::Request,
                },
            }
        };
        if CacheControl::of(headers).only_if_cached {
            return Plan::Serve(hit);
        }
        let held = || set && self.store.is_held(target, record, now);
        let fits = || !(set && self.is_outdated(record, target, now));
        if (self.is_left_alone(target, now) || held()) && fits() {
            return Plan::Serve(hit.detail("stale-if-error"));
        }
        Plan::Ask(why)
    }

    /// Whether what is stored is older than what it belongs to, so that it is no answer where upstream
    /// fails.
    pub fn is_outdated(&self, record: &Record, target: &Target, now: Millis) -> bool {
        let dead = self.store.is_dead(&self.request.origin(), now);
        self.settings.policy == Policy::Auto
            && self.settings.mode != Mode::Offline
            && self.store.is_outdated(target, record, dead)
    }

    /// Whether the origin could not be reached a moment ago, or failed for this very URL.
    pub fn is_left_alone(&self, target: &Target, now: Millis) -> bool {
        let store = self.store;
        store.is_dead(&self.request.origin(), now) || store.is_dead(&target.url(), now)
    }

    /// The field by which the client tells who it is, where that counts.
    pub fn credential(&self) -> Option<&'static str> {
        let open = self.settings.private;
        self.request.credential().filter(|_| !open)
    }

    /// The answer from what is stored.
    pub fn answer(&self, entry: Entry, status: CacheStatus, now: Millis) -> Answer {
        let head = self.request.is_head();
        answer::stored(entry, &self.request.headers, head, status, now)
    }

    /// The answer where the tree gives one without upstream, or anything, being asked or told; and
    /// the entry that is used by it.
    pub fn at_once(&self, target: &Target, now: Millis) -> Option<(Answer, Option<RelPath>)> {
        let (headers, head) = (&self.request.headers, self.request.is_head());
        let hit = CacheStatus::hit();
        match entry::find(self.store, target, headers, false).ok()? {
            Found::Placed(placed) => {
                Some((answer::placed(placed, target, headers, head, hit), None))
            }
            Found::PlacedStatus(link) => Some((answer::placed_status(link, head, hit), None)),
            Found::PlacedIndex => Some((answer::slash(target, head, hit), None)),
            Found::Stored(entry) => {
                if self.store.unstorable(target).is_some() {
                    return None;
                }
                let terms = Terms::of(&entry.record, target);
                let Plan::Serve(status) = self.plan(&entry.record, &terms, target, None, now)
                else {
                    return None;
                };
                let slot = entry.slot.clone();
                Some((self.answer(entry, status, now), Some(slot)))
            }
            Found::Nothing { .. } | Found::Undecided => None,
        }
    }
}
