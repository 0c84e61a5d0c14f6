//! One request and its response: every decision that cachy takes, in the order of the way.
//!
//! [`Exchange::decide`] says what to do with a request: answer it, send it upstream, or wait for
//! another one that fetches the same. [`Exchange::response`] says what to do with what upstream
//! answers, [`Exchange::failed`] what to do when it doesn't. [`Exchange::write`],
//! [`Exchange::end`] and [`Exchange::commit`] take the body. What has to be fetched without a
//! client comes out of [`Exchange::work`], as another exchange.

mod abroad;
mod check;
mod count;
mod decide;
mod hold;
mod hop;
mod in_step;
mod reply;
mod rules;
mod share;
mod visit;

pub use hold::Look;
pub(crate) use rules::{Plan, Rules};

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use crate::answer::Answer;
use crate::body::Body;
use crate::cache_status::CacheStatus;
use crate::coding;
use crate::entry::Entry;
use crate::error::Result;
use crate::flight::Flight;
use crate::flights::{Arrival, Lead, Outcome, Seat};
use crate::freshness::clock;
use crate::headers::Headers;
use crate::internal::Visit;
use crate::key::Target;
use crate::layout::RelPath;
use crate::ledger::Tally;
use crate::meta::{Millis, Record};
use crate::options::{Mode, Policy};
use crate::redirect::{Hop, names_signature};
use crate::request::Request;
use crate::store::{Kept, Store};
use crate::wake::Ticket;

/// Bytes from upstream that wait in memory before reading from it stops, and goes on.
const BACKLOG_HIGH: usize = 1 << 20;
const BACKLOG_LOW: usize = 256 << 10;

/// The options, for one request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// `cachy_mode`
    pub mode: Mode,
    /// `cachy_freshness`
    pub policy: Policy,
    /// `cachy_private`
    pub private: bool,
    /// Upstream is asked by way of another proxy on this machine. It may be on the same tree, and would wait
    /// for what it is asked for, if that were claimed.
    pub chained: bool,
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
    /// Somebody fetches this; decide again when the ticket rings.
    Wait(Ticket),
    /// It is an upload: pass its body through [`Exchange::write`] and [`Exchange::end`], and decide
    /// again.
    Take,
}

/// How a request goes upstream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forward {
    /// The fields to send, where they aren't the client's own.
    pub headers: Option<Headers>,
    /// What may be stored is asked for in the spelling of its key: the authority, and the origin-form.
    pub spelling: Option<(String, String)>,
    /// Seconds for a connection, then for the head where something stored is the fallback.
    pub deadlines: Option<(f64, Option<f64>)>,
}

/// What to do with a response's head.
#[derive(Debug)]
pub enum Reply {
    /// Pass the body through [`Exchange::write`], to the client under this head.
    Body {
        /// The head's fields.
        headers: Headers,
        /// What the client reads.
        body: Body,
        /// Seconds to hold the head back, then [`Exchange::look`] again.
        hold: Option<f64>,
        /// What the client gets at once in the place of it: the body is for the tree alone.
        instead: Option<Box<Answer>>,
    },
    /// Answer this in its place.
    Answer(Answer),
    /// Ask once more, on the same way, for this.
    Again(Forward),
    /// It leads to the thing itself, which is being fetched; [`Exchange::decide`] when the ticket rings.
    Wait(Ticket),
}

/// What is there in case upstream has nothing better.
#[derive(Debug, Default)]
enum Fallback {
    #[default]
    None,
    Entry(Entry),
    Index,
}

/// How this exchange shares a fetch with others.
#[derive(Debug, Default)]
struct Sharing {
    /// It fetches for everybody.
    lead: Option<Lead>,
    /// It waits for somebody.
    seat: Option<Seat>,
    /// It asks for itself, since what others fetched was for them alone.
    alone: bool,
    /// How many flights had ended when the tree was last looked at.
    ended: u64,
    /// It leads, and somebody may have changed the tree since that was looked at.
    look_again: bool,
    /// It waited for another one's fetch that then changed the tree.
    joined: bool,
    /// When it was first asked for.
    since: Millis,
    /// It is itself why that was fetched.
    caused: bool,
    /// Its client has its answer, and the body is for the tree.
    answered: bool,
    /// What is to be fetched without a client.
    work: Option<Box<Exchange>>,
    /// It has no client, and this is why.
    detached: Option<Detached>,
    /// What other processes are still to be told of.
    late: Option<Arrival>,
}

/// Why something is fetched without a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detached {
    /// It is wanted whoever waits: the whole behind a range, a check in the background.
    Wanted,
    /// It is what a redirect leads to, wanted as long as somebody waits.
    Hop,
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
    sharing: Sharing,
    /// What upstream answers may be stored.
    storing: bool,
    /// Something stored is being checked.
    checking: bool,
    conditions: check::Conditions,
    /// What was sent as `Accept-Encoding`.
    coding: Option<&'static str>,
    /// What isn't stored is decoded for its client.
    undone: bool,
    sent_at: Millis,
    flight: Option<Flight>,
    record: Option<Record>,
    /// Only the closing of the connection ends the body.
    by_closing: bool,
    /// The body is whole.
    ended: bool,
    confirm: Option<Confirm>,
    hold: Option<hold::Hold>,
    /// The redirect that led here.
    hop: Option<Hop>,
    /// What the redirects that led here say themselves.
    led: Headers,
    /// For how long they lead there, seconds.
    leads_for: Option<u64>,
    /// The redirect that is being followed, for the client if that leads to nothing.
    redirect: Option<(u16, Headers)>,
    tally: Tally,
    /// Upstream's status code.
    code: u16,
    /// The body has turned out to be something else than its name says.
    foreign: bool,
    /// It is for the proxy itself.
    visit: Option<Box<Visit>>,
}

/// A 304 to be written down.
#[derive(Debug)]
struct Confirm {
    slot: RelPath,
    was: Record,
    confirmed: Record,
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
            sharing: Sharing::default(),
            storing: false,
            checking: false,
            conditions: check::Conditions::None,
            coding: None,
            undone: false,
            sent_at: 0,
            flight: None,
            record: None,
            by_closing: false,
            ended: false,
            confirm: None,
            hold: None,
            hop: None,
            led: Headers::default(),
            leads_for: None,
            redirect: None,
            tally: Tally::default(),
            code: 0,
            foreign: false,
            visit: None,
        }
    }

    /// The request that it is about.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What has been done with it so far, and why.
    #[must_use]
    pub fn status(&self) -> CacheStatus {
        self.status
    }

    /// Nothing answers it: worth a line in the journal of misses, where it could be fetched later.
    fn note_miss(&self, now: Millis) {
        let Some(target) = &self.target else {
            return;
        };
        let private = self.request.credential().is_some()
            || names_signature(target)
            || self.store.unstorable(target).is_some();
        if !private && !self.is_detached() && !self.store.is_passive() {
            let accept = self.request.headers.text("accept");
            self.store
                .misses
                .note(&self.store.tree, &target.url(), accept, now);
        }
    }

    /// Body bytes from upstream; those of an upload.
    ///
    /// # Errors
    /// Where they can't be decoded: the client's download has to break off. Where an upload can't be
    /// written: [`Exchange::decide`] tells what to answer.
    pub fn write<'a>(&mut self, bytes: impl Into<Cow<'a, [u8]>>, now: Millis) -> io::Result<()> {
        let bytes = bytes.into();
        if let Some(visit) = &mut self.visit {
            return visit.write(&bytes);
        }
        self.tally.received(bytes.len());
        if let Some(lead) = &self.sharing.lead {
            lead.moved(now);
        }
        let Some(flight) = &mut self.flight else {
            return Ok(());
        };
        let written = flight.write(&self.store, bytes);
        let (storing, unsound) = (flight.is_storing(), flight.is_unsound());
        if unsound {
            self.note_unsound();
        }
        written?;
        if !(self.hear() || storing) {
            // Who reads along already goes on; nobody else can.
            self.finish(Outcome::Apart);
        }
        if self.sharing.answered {
            // No head waits for others to read along.
            self.flows();
        }
        // Not before the client has the first of it: another file is made for that.
        self.publish_late();
        Ok(())
    }

    /// Its coding could not be undone: the next one asks for it as its client says.
    fn note_unsound(&self) {
        if let Some(target) = &self.target {
            self.store.unsound.note(target.url());
        }
    }

    /// Takes what tells of the coded bytes away from the trailers of a body that is decoded.
    pub fn trailers(&self, fields: &mut Headers) {
        if self.undone || self.record.as_ref().is_some_and(|record| record.decoded) {
            coding::forget_digests(fields);
        }
    }

    /// Bytes that wait in memory for the slowest client.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.flight.as_ref().map_or(0, Flight::backlog)
    }

    /// Whether too much waits in memory for slow clients: then nothing is to be read from upstream
    /// until the ticket rings. `held`: nothing is being read already.
    #[must_use]
    pub fn pace(&self, held: bool) -> Option<Ticket> {
        let most = if held { BACKLOG_LOW } else { BACKLOG_HIGH };
        let flight = self.flight.as_ref().filter(|f| f.backlog() > most)?;
        let ticket = flight.demand().ticket();
        (flight.backlog() > most).then_some(ticket)
    }

    /// Upstream is done with the body. `clean`: a connection that closed did so in good order.
    /// Returns whether the body is whole, that is, whether the client may be told so.
    pub fn end(&mut self, clean: bool) -> bool {
        if let Some(visit) = &mut self.visit {
            visit.end();
            return true;
        }
        let Some(flight) = &mut self.flight else {
            return true;
        };
        let was_storing = flight.is_storing();
        let whole = flight.end(&self.store) && (clean || !self.by_closing);
        let failed = was_storing && !flight.is_storing();
        if flight.is_unsound() {
            self.note_unsound();
        }
        let refused = self.hear();
        if failed && !refused {
            self.finish(Outcome::Apart);
        }
        if !whole {
            self.record = None;
        }
        self.ended = whole;
        if whole && !refused {
            self.count_body();
            self.tally.over(clock);
        }
        whole
    }

    /// Whether [`Exchange::commit`] has something to write.
    #[must_use]
    pub fn has_news(&self) -> bool {
        let storing = self.flight.as_ref().is_some_and(Flight::is_storing);
        self.confirm.is_some() || (storing && self.ended && self.record.is_some())
    }

    /// Stores what is whole where that takes no longer than to write it, or nothing is to be stored.
    /// Returns whether it did; else [`Exchange::commit`] does.
    pub fn commit_at_once(&mut self) -> bool {
        let quick = !self.has_news() || self.is_quick();
        if quick {
            self.commit_now();
        }
        quick
    }

    /// Whether a commit waits for nothing: a small body, where nothing was stored, on a disk that need
    /// not be waited for.
    fn is_quick(&self) -> bool {
        self.confirm.is_none()
            && matches!(self.fallback, Fallback::None)
            && self.flight.as_ref().is_some_and(Flight::is_small_file)
            && self.store.is_quick()
    }

    /// Stores what is whole, and what was confirmed. Waits for the disk.
    pub fn commit(&mut self) {
        let _busy = self.has_news().then(|| self.store.slowly());
        self.commit_now();
    }

    fn commit_now(&mut self) {
        self.count_rest(None);
        let size = self.flight.as_ref().map_or(0, Flight::received);
        let done = self.try_commit();
        // What can't be stored now is fetched for nobody else in vain.
        let stored = !matches!(done, Ok(Some(Kept::Busy)) | Err(_));
        self.finish(if stored {
            Outcome::Again
        } else {
            Outcome::Apart
        });
        match done {
            Ok(Some(Kept::Busy)) => log::warn!(
                "{} changes all the time and is not stored",
                self.target.as_ref().map_or_else(String::new, Target::url)
            ),
            Ok(_) => {}
            Err(error) => self.store.troubles.say_of(&error, size),
        }
    }

    fn try_commit(&mut self) -> Result<Option<Kept>> {
        if let Some(c) = self.confirm.take() {
            self.store.confirm(&c.slot, &c.was, &c.confirmed)?;
        }
        let kept = match (&mut self.flight, &self.target, self.record.take()) {
            (Some(flight), Some(target), Some(record)) if self.ended => {
                flight.commit(&self.store, target, &self.request.headers, record)?
            }
            _ => None,
        };
        if kept == Some(Kept::Stored) {
            self.stored_in_step();
        }
        Ok(kept)
    }

    /// Lets the clients see the end of the body: whole, or cut.
    pub fn close(&mut self, whole: bool) {
        self.count_rest(Some("client-left"));
        self.tally.close();
        self.visit = None;
        // What wasn't committed is dropped here; the clients read on through the pipe.
        let begun = self.flight.is_some();
        if let Some(mut flight) = self.flight.take() {
            flight.close(whole);
        }
        self.record = None;
        self.fallback = Fallback::None;
        self.hold = None;
        self.sharing.seat = None;
        // A body that broke off would break off for the next one too.
        self.finish(if begun && !whole {
            Outcome::Apart
        } else {
            Outcome::Again
        });
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            store: &self.store,
            settings: self.settings,
            request: &self.request,
            detached: self.is_detached(),
        }
    }

    fn credential(&self) -> Option<&'static str> {
        self.rules().credential()
    }

    fn answer(&self, entry: Entry, status: CacheStatus, now: Millis) -> Answer {
        self.store.used(&entry.slot, now);
        self.rules().answer(entry, status, now)
    }
}
