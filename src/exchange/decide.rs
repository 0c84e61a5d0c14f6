//! What to do with a request.

use super::rules::Plan;
use super::{Exchange, Fallback, Forward, Step};
use crate::answer;
use crate::asking;
use crate::cache_control::CacheControl;
use crate::cache_status::{CacheStatus, Forwarded};
use crate::coding;
use crate::conditional::PARTIAL;
use crate::entry::{self, Entry, Found};
use crate::error::Error;
use crate::freshness::Terms;
use crate::headers::Headers;
use crate::key::{Scheme, Target};
use crate::layout::path_of;
use crate::meta::Millis;
use crate::options::Mode;
use crate::redirect;
use crate::shell::quoted;
use crate::way::Way;

/// With something stored to fall back to, how long a connection may take, seconds.
const CONNECT: f64 = 2.0;
/// With nothing stored: the system's own time is minutes, and TLS has none.
const PATIENT: f64 = 30.0;
/// With something stored, the head of the response.
const HEAD: f64 = 5.0;

impl Exchange {
    /// What to do with the request. `patient` allows to read large files.
    pub fn decide(&mut self, patient: bool, now: Millis) -> Step {
        if let Some(step) = self.receive_visit(patient, now) {
            return step;
        }
        if self.sharing.since == 0 {
            self.sharing.since = now;
        }
        self.tally.begin(now);
        let step = self.decide_alone(patient, now);
        let mut step = self.redirected(step);
        if let Step::Answer(answer) = &mut step {
            // Nobody needs what there was in case of failure, which may be an open file.
            self.fallback = Fallback::None;
            self.count_answer(answer);
        }
        step
    }

    fn decide_alone(&mut self, patient: bool, now: Millis) -> Step {
        if self.request.way == Way::Circular {
            return self.circle();
        }
        if let Some(step) = self.ask_hop(now).or_else(|| self.seated(now)) {
            return step;
        }
        self.sent_at = now;
        self.coding = None;
        let target = match self.rules().target() {
            Ok(target) => target,
            Err((why, detail)) => return self.pass(why, detail),
        };
        self.request.connect_by_name(&target);
        self.target = Some(target.clone());
        if self.is_kept_in_step() {
            self.store.lead(&target);
        }
        self.sharing.ended = self.store.flights.ended();
        match entry::find(&self.store, &target, &self.request.headers, patient) {
            Ok(found) => {
                let step = self.found(found, &target, now);
                self.looked_again(step, &target, patient, now)
            }
            Err(error) => {
                self.store.troubles.say(&error);
                let detail = match error {
                    Error::Barred { .. } => "barred-path",
                    _ => "store-error",
                };
                self.pass(Forwarded::Bypass, Some(detail))
            }
        }
    }

    pub(super) fn found(&mut self, found: Found, target: &Target, now: Millis) -> Step {
        let head = self.request.is_head();
        let hit = CacheStatus::hit();
        match found {
            Found::Undecided => Step::Read,
            Found::Placed(placed) => {
                let request = &self.request.headers;
                Step::Answer(answer::placed(placed, target, request, head, hit))
            }
            Found::PlacedStatus(link) => Step::Answer(answer::placed_status(link, head, hit)),
            Found::PlacedIndex => Step::Answer(answer::slash(target, head, hit)),
            Found::Stored(entry) => self.stored(entry, target, now),
            Found::Nothing { other, index, vary } => {
                self.status = CacheStatus::forwarded(if vary.is_some() {
                    Forwarded::VaryMiss
                } else {
                    Forwarded::UriMiss
                });
                self.fallback = match other {
                    Some(entry) => Fallback::Entry(*entry),
                    None if index => Fallback::Index,
                    None => Fallback::None,
                };
                self.missing(target, &vary.unwrap_or_default(), now)
            }
        }
    }

    fn stored(&mut self, entry: Entry, target: &Target, now: Millis) -> Step {
        if self.store.unstorable(target).is_some() {
            // It was stored when the host was another machine, or by an older cachy.
            return self.missing(target, &[], now);
        }
        let meanwhile = self.fetched_meanwhile(&entry.record);
        let terms = Terms::of(&entry.record, target);
        let why = match self
            .rules()
            .plan(&entry.record, &terms, target, meanwhile, now)
        {
            Plan::Serve(status) => return Step::Answer(self.answer(entry, status, now)),
            Plan::Behind => {
                self.check_behind(&entry.record, target, now);
                return Step::Answer(self.answer(entry, CacheStatus::hit(), now));
            }
            Plan::Pass(who) => return self.pass(Forwarded::Bypass, Some(who)),
            Plan::Ask(why) => why,
        };
        self.check(entry, why, target, now)
    }

    /// Asks upstream about what is stored.
    fn check(&mut self, entry: Entry, why: Forwarded, target: &Target, now: Millis) -> Step {
        self.status = CacheStatus::forwarded(why);
        // What https stored is neither confirmed nor replaced by what http says.
        let weaker = entry.record.scheme == Scheme::Https && target.scheme() == Scheme::Http;
        if self.request.is_head() || weaker {
            self.fallback = Fallback::Entry(entry);
            return self.forward(None);
        }
        let names = entry.record.selecting.iter().map(|(name, _)| name.clone());
        let names: Vec<String> = names.collect();
        self.fallback = Fallback::Entry(entry);
        if let Some(step) = self.join(target, &names, now) {
            return step;
        }
        let headers = self.plain(target);
        let headers = self.with_conditions(headers);
        self.storing = true;
        self.checking = true;
        self.forward(Some(headers))
    }

    fn missing(&mut self, target: &Target, names: &[String], now: Millis) -> Step {
        let head = self.request.is_head();
        let unstorable = self.store.unstorable(target);
        let theirs = unstorable.is_some() || self.credential().is_some();
        if theirs && matches!(self.fallback, Fallback::Entry(_)) {
            self.fallback = Fallback::None;
        }
        if self.settings.mode == Mode::Offline {
            let answer = self.fall_back(CacheStatus::hit(), now);
            return answer.map_or_else(|| self.offline_miss(), Step::Answer);
        }
        if self.rules().is_left_alone(target, now)
            && let Some(answer) = self.stale_if_error(now)
        {
            return Step::Answer(answer);
        }
        if CacheControl::of(&self.request.headers).only_if_cached {
            let status = CacheStatus::default().detail("only-if-cached");
            return Step::Answer(answer::text(504, "not in the cache\n", head, status));
        }
        if let Some(why) = unstorable.or_else(|| self.credential()) {
            return self.pass(Forwarded::Bypass, Some(why));
        }
        if redirect::names_signature(target) {
            // It is good for one client and for minutes, and as a key for nobody.
            return self.pass(Forwarded::Bypass, Some("signed-url"));
        }
        if head {
            return self.forward(None);
        }
        if let Some(step) = self.join(target, names, now) {
            return step;
        }
        if self.asks_part() {
            // Nobody else can use what is fetched: as asked, and unstored.
            return self.forward(None);
        }
        self.storing = true;
        let headers = self.whole(target);
        self.forward(Some(headers))
    }

    /// Sends the request on as it is; nothing will be stored.
    fn pass(&mut self, why: Forwarded, detail: Option<&'static str>) -> Step {
        if self.settings.mode == Mode::Offline {
            return self.offline_miss();
        }
        self.status = CacheStatus {
            detail,
            ..CacheStatus::forwarded(why)
        };
        self.forward(None)
    }

    pub(super) fn forward(&self, headers: Option<Headers>) -> Step {
        let deadlines = if matches!(self.fallback, Fallback::None) || self.is_outdated(self.sent_at)
        {
            (PATIENT, None)
        } else {
            (CONNECT, Some(HEAD))
        };
        let target = self.target.as_ref();
        // What a redirect leads to is asked for as the origin spelt it: a signature may depend on it.
        let keyed = headers.is_some() && self.hop.is_none();
        let spelling = target.filter(|_| keyed).map(|target| {
            let authority = target.authority().to_owned();
            (authority, target.origin_form())
        });
        Step::Forward(Forward {
            headers,
            spelling,
            deadlines: self.target.is_some().then_some(deadlines),
        })
    }

    /// The request's fields, asking for the whole in a coding that we can store.
    pub(super) fn whole(&mut self, target: &Target) -> Headers {
        // Not in the copy alone: what is stored was selected by what was sent.
        asking::strip(&mut self.request.headers);
        let mut headers = self.request.headers.clone();
        for name in PARTIAL {
            headers.remove(name);
        }
        headers.remove("host");
        if self.request.authority.is_none() || !self.request.multiplexed {
            let host = target.authority().as_bytes().to_vec();
            let name = if self.request.multiplexed {
                "host"
            } else {
                "Host"
            };
            headers.0.insert(0, (name.into(), host));
        }
        let sound = !self.store.unsound.has(|| target.url());
        self.coding = coding::asked_upstream(&self.request.headers, target, sound);
        if let Some(coding) = self.coding {
            headers.set("accept-encoding", coding);
        }
        headers
    }

    /// The answer to ourselves (RFC 5842 section 7.2).
    fn circle(&self) -> Step {
        let status = CacheStatus::default().detail("loop");
        let text = format!(
            "{} leads back to this proxy, which would ask itself for ever.\n",
            self.request.origin()
        );
        Step::Answer(answer::text(508, &text, self.request.is_head(), status))
    }

    fn offline_miss(&self) -> Step {
        let head = self.request.is_head();
        let status = CacheStatus::default().detail("offline-miss");
        let text = self.offline_text();
        if !self.store.is_passive() {
            log::warn!("{}", text.trim_end().replace('\n', " "));
            self.note_miss(self.sent_at);
        }
        Step::Answer(answer::text(403, &text, head, status))
    }

    fn offline_text(&self) -> String {
        let method = &self.request.method;
        let Some(target) = &self.target else {
            let origin = self.request.origin();
            let path = String::from_utf8_lossy(&self.request.path);
            return format!(
                "cachy is offline (cachy_mode=offline), and no {method} of {origin}{path} is answered from the cache.\n"
            );
        };
        let url = target.url();
        let path = self.store.tree.path(path_of(target).as_str());
        let folder = path.parent().unwrap_or(self.store.tree.root());
        if self.status.forwarded == Some(Forwarded::VaryMiss) {
            return format!(
                "cachy is offline (cachy_mode=offline), and {url} is in the cache only for requests with other fields (Accept and the like), at\n  {}\nLeave that file, and fetch the URL once with this client where there is a line.\n",
                path.display()
            );
        }
        format!(
            "cachy is offline (cachy_mode=offline), and {url} is not in the cache.\nPut the file at\n  {}\nfor example where there is a line:\n  mkdir -p {} && curl -fL -o {} {}\nor all that was asked for in vain: cachy fetch --misses\n",
            path.display(),
            quoted(&folder.display().to_string()),
            quoted(&path.display().to_string()),
            quoted(&url)
        )
    }
}
