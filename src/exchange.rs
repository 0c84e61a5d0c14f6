//! One request and its response: every decision that cachy takes, in the order of the way.
//!
//! [`Exchange::decide`] says what to do with a request: answer it, or send it upstream.
//! [`Exchange::response`] says what to do with what upstream answers, [`Exchange::failed`] what to
//! do when it doesn't. [`Exchange::write`], [`Exchange::end`] and [`Exchange::commit`] take the body.

use std::io;
use std::sync::Arc;

use crate::answer::{self, Answer};
use crate::body::Body;
use crate::cache_control::CacheControl;
use crate::cache_status::{CacheStatus, Forwarded};
use crate::coding;
use crate::conditional::{PARTIAL, validators};
use crate::entry::{self, Entry, Found};
use crate::error::{Error, Result};
use crate::flight::{Flight, Storing};
use crate::freshness::{Verdict, for_good, initial_age, judge};
use crate::headers::Headers;
use crate::key::{Scheme, Target};
use crate::layout::{RelPath, path_of};
use crate::meta::{Millis, Record, Stored};
use crate::options::{Mode, Policy};
use crate::origins::Check;
use crate::request::Request;
use crate::select;
use crate::storable;
use crate::store::{Kept, Store, updated};

/// With something stored to fall back to, how long a connection may take, seconds.
const CONNECT: f64 = 2.0;
/// Likewise, the head of the response.
const HEAD: f64 = 5.0;

/// The options, for one request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// `cachy_mode`
    pub mode: Mode,
    /// `cachy_freshness`
    pub policy: Policy,
    /// `cachy_private`
    pub private: bool,
}

/// What to do with a request.
#[derive(Debug)]
pub enum Step {
    /// Answer it.
    Answer(Answer),
    /// Send it upstream.
    Forward(Forward),
    /// Decide again with `patient`, off the hot path: a large file has to be read.
    Read,
    /// Somebody checks this URL; decide again when that is done.
    Wait,
}

/// How a request goes upstream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forward {
    /// The fields to send, where they aren't the client's own.
    pub headers: Option<Headers>,
    /// Seconds for a connection, then for the head: something stored is the fallback.
    pub deadlines: Option<(f64, f64)>,
}

/// What to do with a response's head.
#[derive(Debug)]
pub enum Reply {
    /// Pass the body through [`Exchange::write`], to the client under this head.
    Body(Headers, Body),
    /// Answer this in its place.
    Answer(Answer),
}

/// What is there in case upstream has nothing better.
#[derive(Debug, Default)]
enum Fallback {
    #[default]
    None,
    Entry(Entry),
    Index,
}

/// One request.
#[derive(Debug)]
pub struct Exchange {
    store: Arc<Store>,
    settings: Settings,
    request: Request,
    target: Option<Target>,
    status: CacheStatus,
    fallback: Fallback,
    /// What upstream answers may be stored.
    storing: bool,
    /// We sent validators of our own.
    conditional: bool,
    /// What was sent as `Accept-Encoding`.
    coding: Option<&'static str>,
    sent_at: Millis,
    check: Option<Check>,
    flight: Option<Flight>,
    record: Option<Record>,
    /// The body is whole.
    ended: bool,
    confirm: Option<Confirm>,
}

/// A 304 to be written down.
#[derive(Debug)]
struct Confirm {
    slot: RelPath,
    record: Record,
    update: Headers,
    initial_age: u64,
    at: Millis,
}

impl Exchange {
    /// For a request that came in.
    #[must_use]
    pub fn new(store: Arc<Store>, settings: Settings, request: Request) -> Self {
        Self {
            store,
            settings,
            request,
            target: None,
            status: CacheStatus::default(),
            fallback: Fallback::None,
            storing: false,
            conditional: false,
            coding: None,
            sent_at: 0,
            check: None,
            flight: None,
            record: None,
            ended: false,
            confirm: None,
        }
    }

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

    /// What to do with the head of upstream's response.
    pub fn response(&mut self, status: u16, headers: &Headers, now: Millis) -> Reply {
        let failing = status >= 500 || status == 429;
        if !failing {
            self.store.origins.answered(&self.request.origin());
        }
        if failing && !matches!(self.fallback, Fallback::None) {
            let stale = CacheStatus::hit().detail("stale-if-error");
            if let Some(answer) = self.fall_back(stale, now) {
                return Reply::Answer(answer);
            }
        }
        if status == 304
            && self.conditional
            && let Fallback::Entry(entry) = std::mem::take(&mut self.fallback)
        {
            return Reply::Answer(self.confirmed(entry, headers, now));
        }
        let begun = self.begin(status, headers, now);
        let flight = self.flight.insert(begun);
        let storing = flight.is_storing();
        let body = flight.body();
        self.status.stored = storing;
        let mut out = headers.clone();
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
        out.push("Cache-Status", self.status.to_string());
        self.frame(status, &mut out);
        Reply::Body(out, body)
    }

    /// The 304 to our own check.
    fn confirmed(&mut self, mut entry: Entry, headers: &Headers, now: Millis) -> Answer {
        self.status.forwarded_status = Some(304);
        let age = initial_age(headers, now - self.sent_at, now);
        self.confirm = Some(Confirm {
            slot: entry.slot.clone(),
            record: entry.record.clone(),
            update: headers.clone(),
            initial_age: age,
            at: now,
        });
        entry.record.headers = updated(&entry.record.headers, headers);
        entry.record.stored_at = now;
        entry.record.initial_age = age;
        let status = self.status;
        self.answer(entry, status, now)
    }

    /// Decides what is stored, and begins to.
    fn begin(&mut self, status: u16, headers: &Headers, now: Millis) -> Flight {
        let announced = headers.text("content-length").and_then(|n| n.parse().ok());
        let chosen = match (&self.target, self.storing) {
            (Some(target), true) => {
                let request = &self.request.headers;
                storable::storing(target, request, status, headers, self.settings.policy)
                    .map(|storing| (storing, target))
            }
            _ => return Flight::begin(&self.store, Storing::Nothing, false, None),
        };
        let (storing, target) = match chosen {
            Ok(chosen) => chosen,
            Err(detail) => {
                self.status.detail = Some(detail);
                // The client asked for the whole to be stored in one coding; nothing is decoded now.
                return Flight::begin(&self.store, Storing::Nothing, false, None);
            }
        };
        let decode = storing == Storing::File && coding::is_decodable(self.coding, headers);
        let mut stored = headers.storable();
        stored.remove("age");
        if decode {
            stored.remove("content-encoding");
        }
        let codings = stored.list("content-encoding");
        let selecting = select::selecting(target, &self.request.headers, headers);
        let mut asked = Headers::default();
        if let Some(coding) = self.coding {
            asked.push("Accept-Encoding", coding);
        }
        self.record = Some(Record {
            scheme: target.scheme(),
            status,
            headers: stored,
            // `Vary: *` is stored only where everything is served for ever.
            selecting: selecting.unwrap_or_default(),
            stored_at: now,
            initial_age: initial_age(headers, now - self.sent_at, now),
            checked_at: self.check.as_ref().map(|_| now),
            close_delimited: announced.is_none() && !headers.has("transfer-encoding"),
            decoded: decode,
            label: !codings.is_empty() && !select::accepts_coding(&asked, &codings),
            stored: Stored::Slash { body: Vec::new() },
        });
        Flight::begin(&self.store, storing, decode, announced)
    }

    /// A body of unknown length needs chunks towards HTTP/1.1 (RFC 9112 section 6.1).
    fn frame(&self, status: u16, headers: &mut Headers) {
        let bodiless = self.request.is_head() || status < 200 || matches!(status, 204 | 304);
        let told = headers.has("content-length") || headers.has("transfer-encoding");
        if self.request.old {
            // Knows no chunks: the closing of the connection is the end.
            headers.remove("transfer-encoding");
        }
        if !bodiless && !told && !self.request.multiplexed && !self.request.old {
            headers.push("Transfer-Encoding", "chunked");
        }
    }

    /// Upstream could not be reached, or broke off before its head, or took too long.
    pub fn failed(&mut self, reason: &str, now: Millis) -> Answer {
        self.check = None;
        self.store.origins.failed(&self.request.origin(), now);
        let stale = CacheStatus::hit().detail("stale-if-error");
        if let Some(answer) = self.fall_back(stale, now) {
            return answer;
        }
        let origin = self.request.origin();
        let stored = self.target.as_ref().map_or_else(String::new, |target| {
            let path = self.store.tree.path(path_of(target).as_str());
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

    fn fall_back(&mut self, status: CacheStatus, now: Millis) -> Option<Answer> {
        match std::mem::take(&mut self.fallback) {
            Fallback::None => None,
            Fallback::Entry(entry) => Some(self.answer(entry, status, now)),
            Fallback::Index => {
                let target = self.target.as_ref()?;
                Some(answer::slash(target, self.request.is_head(), status))
            }
        }
    }

    /// Body bytes from upstream. Returns how many bytes wait in memory for the client.
    ///
    /// # Errors
    /// Where they can't be decoded: the client's download has to break off.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.flight {
            Some(flight) => {
                flight.write(&self.store, bytes)?;
                Ok(flight.backlog())
            }
            None => Ok(0),
        }
    }

    /// Bytes that wait in memory for the client.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.flight.as_ref().map_or(0, Flight::backlog)
    }

    /// Upstream is done with the body. `clean`: a connection that closed did so in good order.
    /// Returns whether the body is whole, that is, whether the client may be told so.
    pub fn end(&mut self, clean: bool) -> bool {
        let Some(flight) = &mut self.flight else {
            return true;
        };
        let whole = flight.end(&self.store);
        let by_closing = self.record.as_ref().is_some_and(|r| r.close_delimited);
        if !whole || (by_closing && !clean) {
            self.record = None;
        }
        self.ended = whole;
        whole
    }

    /// Whether [`Exchange::commit`] has something to write.
    #[must_use]
    pub fn has_news(&self) -> bool {
        let storing = self.flight.as_ref().is_some_and(Flight::is_storing);
        self.confirm.is_some() || (storing && self.ended && self.record.is_some())
    }

    /// Stores what is whole, and what was confirmed. Waits for the disk.
    pub fn commit(&mut self) {
        let done = self.try_commit();
        self.check = None;
        match done {
            Ok(Some(Kept::Busy)) => log::warn!(
                "{} changes all the time and is not stored",
                self.target.as_ref().map_or_else(String::new, Target::url)
            ),
            Ok(_) => {}
            Err(error) => self.store.troubles.say(&error),
        }
    }

    fn try_commit(&mut self) -> Result<Option<Kept>> {
        if let Some(c) = self.confirm.take() {
            let store = &self.store;
            store.confirm(&c.slot, &c.record, &c.update, c.initial_age, c.at)?;
        }
        match (&mut self.flight, &self.target, self.record.take()) {
            (Some(flight), Some(target), Some(record)) if self.ended => {
                flight.commit(&self.store, target, &self.request.headers, record)
            }
            _ => Ok(None),
        }
    }

    /// Lets the client see the end of the body: whole, or cut.
    pub fn close(&mut self, whole: bool) {
        // What wasn't committed is dropped here; the client reads on through the pipe.
        if let Some(mut flight) = self.flight.take() {
            flight.close(whole);
        }
        self.record = None;
        self.fallback = Fallback::None;
        self.check = None;
    }

    fn credential(&self) -> Option<&'static str> {
        let open = self.settings.private;
        self.request.credential().filter(|_| !open)
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

    fn answer(&self, entry: Entry, status: CacheStatus, now: Millis) -> Answer {
        let head = self.request.is_head();
        answer::stored(entry, &self.request.headers, head, status, now)
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
