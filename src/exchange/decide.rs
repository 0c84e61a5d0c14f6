//! What to do with a request.

use super::{Exchange, Fallback, Forward, Step};
use crate::answer;
use crate::cache_control::CacheControl;
use crate::cache_status::{CacheStatus, Forwarded};
use crate::coding;
use crate::conditional::{PARTIAL, validators};
use crate::entry::{self, Entry, Found};
use crate::error::Error;
use crate::freshness::{Verdict, for_good, judge};
use crate::headers::Headers;
use crate::key::{Scheme, Target};
use crate::layout::path_of;
use crate::meta::{Millis, Record, Stored};
use crate::options::Mode;

/// With something stored to fall back to, how long a connection may take, seconds.
const CONNECT: f64 = 2.0;
/// Likewise, the head of the response.
const HEAD: f64 = 5.0;

impl Exchange {
    /// What to do with the request. `patient` allows to read large files.
    pub fn decide(&mut self, patient: bool, now: Millis) -> Step {
        self.sent_at = now;
        if self.settings.mode == Mode::Off {
            return self.pass(Forwarded::Bypass, Some("off"));
        }
        if !matches!(self.request.method.as_str(), "GET" | "HEAD") {
            return self.pass(Forwarded::Method, None);
        }
        if self.request.special {
            return self.pass(Forwarded::Bypass, Some("request-body-or-upgrade"));
        }
        let target = match self.request.target() {
            Ok(target) => target,
            Err(detail) => return self.pass(Forwarded::Bypass, Some(detail)),
        };
        self.target = Some(target.clone());
        match entry::find(&self.store, &target, &self.request.headers, patient) {
            Ok(found) => self.found(found, &target, now),
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

    fn found(&mut self, found: Found, target: &Target, now: Millis) -> Step {
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
            Found::Nothing { vary, index } => self.missing(vary, index, target),
        }
    }

    fn stored(&mut self, entry: Entry, target: &Target, now: Millis) -> Step {
        if self.settings.mode == Mode::Offline {
            return Step::Answer(self.answer(entry, CacheStatus::hit(), now));
        }
        let good = for_good(&entry.record, target);
        if let Some(who) = self.credential().filter(|_| !good) {
            return self.pass(Forwarded::Bypass, Some(who));
        }
        let slash = matches!(entry.record.stored, Stored::Slash { .. });
        let why = match self.verdict(&entry.record, target, now) {
            _ if self.settings.mode == Mode::Refresh => Forwarded::Request,
            _ if slash => return Step::Answer(self.answer(entry, CacheStatus::hit(), now)),
            Verdict::Fresh => return Step::Answer(self.answer(entry, CacheStatus::hit(), now)),
            Verdict::Stale => Forwarded::Stale,
            Verdict::Requested => Forwarded::Request,
        };
        if CacheControl::of(&self.request.headers).only_if_cached {
            return Step::Answer(self.answer(entry, CacheStatus::hit(), now));
        }
        if self.store.origins.is_dead(&self.request.origin(), now) {
            let status = CacheStatus::hit().detail("stale-if-error");
            return Step::Answer(self.answer(entry, status, now));
        }
        self.check(entry, why, target)
    }

    /// Asks upstream about what is stored.
    fn check(&mut self, entry: Entry, why: Forwarded, target: &Target) -> Step {
        self.status = CacheStatus::forwarded(why);
        // What https stored is neither confirmed nor replaced by what http says.
        let weaker = entry.record.scheme == Scheme::Https && target.scheme() == Scheme::Http;
        if self.request.is_head() || weaker {
            self.fallback = Fallback::Entry(entry);
            return self.forward(None);
        }
        self.check = self.store.checks.begin(&target.url());
        if self.check.is_none() {
            return Step::Wait;
        }
        let mut headers = self.whole(target);
        for (name, value) in validators(&entry.record.headers) {
            self.conditional = true;
            headers.push(name, value);
        }
        self.storing = true;
        self.fallback = Fallback::Entry(entry);
        self.forward(Some(headers))
    }

    fn missing(&mut self, vary: bool, index: bool, target: &Target) -> Step {
        let head = self.request.is_head();
        if self.settings.mode == Mode::Offline {
            if index {
                return Step::Answer(answer::slash(target, head, CacheStatus::hit()));
            }
            return self.offline_miss(vary);
        }
        if CacheControl::of(&self.request.headers).only_if_cached {
            let status = CacheStatus::default().detail("only-if-cached");
            return Step::Answer(answer::text(504, "not in the cache\n", head, status));
        }
        if index {
            self.fallback = Fallback::Index;
        }
        if let Some(who) = self.credential() {
            return self.pass(Forwarded::Bypass, Some(who));
        }
        self.status = CacheStatus::forwarded(if vary {
            Forwarded::VaryMiss
        } else {
            Forwarded::UriMiss
        });
        if head {
            return self.forward(None);
        }
        self.storing = true;
        let headers = self.whole(target);
        self.forward(Some(headers))
    }

    /// Sends the request on as it is; nothing will be stored.
    fn pass(&mut self, why: Forwarded, detail: Option<&'static str>) -> Step {
        if self.settings.mode == Mode::Offline {
            return self.offline_miss(false);
        }
        self.status = CacheStatus {
            detail,
            ..CacheStatus::forwarded(why)
        };
        self.forward(None)
    }

    fn forward(&self, headers: Option<Headers>) -> Step {
        let stored = !matches!(self.fallback, Fallback::None);
        Step::Forward(Forward {
            headers,
            deadlines: stored.then_some((CONNECT, HEAD)),
        })
    }

    /// The request's fields, asking for the whole in a coding that we can store.
    fn whole(&mut self, target: &Target) -> Headers {
        let mut headers = self.request.headers.clone();
        // An offer to change to h2c would be taken up by an origin, and not by us.
        for name in PARTIAL.into_iter().chain(["upgrade", "http2-settings"]) {
            headers.remove(name);
        }
        self.coding = coding::asked_upstream(&self.request.headers, target);
        if let Some(coding) = self.coding {
            headers.set("Accept-Encoding", coding);
        }
        headers
    }

    fn verdict(&self, record: &Record, target: &Target, now: Millis) -> Verdict {
        judge(
            record,
            target,
            &self.request.headers,
            self.settings.policy,
            now,
        )
    }

    fn offline_miss(&self, vary: bool) -> Step {
        let head = self.request.is_head();
        let status = CacheStatus::default().detail("offline-miss");
        let text = self.offline_text(vary);
        log::warn!("{}", text.trim_end().replace('\n', " "));
        Step::Answer(answer::text(403, &text, head, status))
    }

    fn offline_text(&self, vary: bool) -> String {
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
        let why = if vary {
            "is in the cache only for other request headers"
        } else {
            "is not in the cache"
        };
        format!(
            "cachy is offline (cachy_mode=offline), and {url} {why}.\nPut the file at\n  {}\nfor example where there is a line:\n  mkdir -p {} && curl -fL -o {} {}\n",
            path.display(),
            quoted(&folder.display().to_string()),
            quoted(&path.display().to_string()),
            quoted(&url)
        )
    }
}

/// For a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
