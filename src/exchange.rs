//! One request and its response: every decision that cachy takes, in the order of the way.
//!
//! [`Exchange::decide`] says what to do with a request: answer it, or send it upstream.
//! [`Exchange::response`] says what to do with what upstream answers, [`Exchange::failed`] what to
//! do when it doesn't. [`Exchange::write`], [`Exchange::end`] and [`Exchange::commit`] take the body.

mod decide;
mod reply;

use std::io;
use std::sync::Arc;

use crate::answer::{self, Answer};
use crate::body::Body;
use crate::cache_status::CacheStatus;
use crate::entry::Entry;
use crate::error::Result;
use crate::flight::Flight;
use crate::headers::Headers;
use crate::key::Target;
use crate::layout::RelPath;
use crate::meta::{Millis, Record};
use crate::options::{Mode, Policy};
use crate::origins::Check;
use crate::request::Request;
use crate::store::{Kept, Store};

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

    fn answer(&self, entry: Entry, status: CacheStatus, now: Millis) -> Answer {
        let head = self.request.is_head();
        answer::stored(entry, &self.request.headers, head, status, now)
    }
}
