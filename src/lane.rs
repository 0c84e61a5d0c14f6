//! The fast lane: requests that are hits right now, from the client's bytes to the bytes of the
//! answer, without mitmproxy's flows.
//!
//! One [`Lane`] stands at the beginning of each client's connection. [`parse`] reads the head of a
//! request, [`target`] tells where it goes, the rules of [`crate::exchange`] say whether the tree
//! answers it at once, and [`head`] writes what mitmproxy would have sent. Whatever isn't a plain
//! GET or HEAD that the tree answers is [`Turn::Slow`]: it is left as it came, has had no effect,
//! and goes mitmproxy's way.

pub mod head;
pub mod parse;
mod recalled;
mod serve;
mod target;

use std::sync::Arc;

use crate::body::Body;
use crate::exchange::Settings;
use crate::headers::Headers;
use crate::internal::Host;
use crate::key::Scheme;
use crate::ledger::{Ledger, Meter, RunId};
use crate::meta::Millis;
use crate::request::Request;
use crate::store::Store;
use crate::way::Way;

use self::head::Reasons;
use self::parse::{Found, Reader};

pub use self::parse::Method;
pub use self::serve::Served;

/// A larger body, bytes, is for the caller to read piece by piece.
pub const SMALL: u64 = 256 << 10;
/// When so many bytes wait to be sent, the next request waits.
pub const FULL: usize = 256 << 10;

/// What a lane knows of the cache.
#[derive(Debug, Clone)]
pub struct Place {
    /// The tree.
    pub store: Arc<Store>,
    /// The options.
    pub settings: Settings,
    /// The proxy's own name.
    pub host: Arc<Host>,
    /// Who counts.
    pub ledger: Arc<Ledger>,
    /// What mitmproxy calls statuses.
    pub reasons: Arc<Reasons>,
}

/// How a client's connection begins.
#[derive(Debug, Clone)]
pub struct Start {
    /// How requests come to the proxy.
    pub way: Way,
    /// Whereto all requests go: host and port. Without, the first says so: it is a client of a proxy.
    pub origin: Option<(String, u16)>,
    /// By what.
    pub scheme: Scheme,
    /// The name that the client gave TLS.
    pub sni: Option<String>,
    /// What names the target goes upstream with it, as to another proxy.
    pub upstream: bool,
    /// CONNECT is for the lane.
    pub connect: bool,
    /// Where requests don't say: which run they belong to.
    pub run: Option<String>,
    /// Nothing at all is for the lane.
    pub closed: bool,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            way: Way::Named,
            origin: None,
            scheme: Scheme::Http,
            sni: None,
            upstream: false,
            connect: true,
            run: None,
            closed: false,
        }
    }
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// More bytes of the client.
    More,
    /// Nothing: enough waits to be sent, and there is more to answer.
    Again,
    /// The body.
    Body,
    /// mitmproxy: the request isn't for the lane.
    Slow,
    /// The end of the connection.
    Close,
    /// A tunnel.
    Connect,
}

/// What became of the client's bytes.
#[derive(Debug)]
pub struct Taken {
    /// What comes next.
    pub turn: Turn,
    /// What to send before that.
    pub out: Vec<u8>,
    /// The body, and what counts its bytes.
    pub body: Option<(Body, Option<Meter>)>,
    /// For [`Turn::Slow`] and [`Turn::Connect`]: all bytes from the beginning of that request.
    pub rest: Vec<u8>,
}

/// One client's connection.
#[derive(Debug)]
pub struct Lane {
    place: Place,
    start: Start,
    /// In use for every request; what doesn't change from one to the next stays.
    request: Request,
    reader: Reader,
    /// What is remembered of the target is found by this, of which the beginning is common to all.
    key: Vec<u8>,
    common: usize,
    /// What was not answered yet, and how much of it holds no end of a head.
    held: Vec<u8>,
    seen: usize,
    /// The run that the client named.
    run: Option<RunId>,
    /// Whether it named one.
    ran: Option<String>,
    /// See [`Lane::is_brief`].
    brief: bool,
    /// The connection ends when what was answered last has been sent.
    closing: bool,
}

impl Lane {
    /// For a connection that has just begun, or of which nothing but whole requests was read.
    #[must_use]
    pub fn new(place: Place, start: Start) -> Self {
        let run = start.run.as_deref().and_then(RunId::parse);
        let request = Request {
            method: String::new(),
            scheme: start.scheme,
            host: String::new(),
            port: 0,
            path: Vec::new(),
            headers: Headers::default(),
            authority: None,
            sni: None,
            way: start.way,
            special: false,
            multiplexed: false,
            old: false,
        };
        let mut lane = Self {
            place,
            start,
            request,
            reader: Reader::default(),
            key: Vec::new(),
            common: 0,
            held: Vec::new(),
            seen: 0,
            run,
            ran: None,
            brief: false,
            closing: false,
        };
        lane.settle();
        lane
    }

    /// Takes bytes of the client; none, to go on after [`Turn::Again`] and [`Turn::Body`].
    pub fn take(&mut self, data: &[u8], now: Millis) -> Taken {
        self.take_into(data, now, Vec::new())
    }

    /// As [`Lane::take`], with memory for what is to be sent.
    pub fn take_into(&mut self, data: &[u8], now: Millis, out: Vec<u8>) -> Taken {
        if self.held.is_empty() {
            let (taken, done) = self.go(data, now, out);
            self.held.extend_from_slice(&data[done..]);
            return taken;
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(data);
        let (taken, done) = self.go(&held, now, out);
        held.drain(..done);
        self.held = held;
        taken
    }

    /// Answers what can be answered. Returns how many bytes are done with.
    fn go(&mut self, bytes: &[u8], now: Millis, mut out: Vec<u8>) -> (Taken, usize) {
        out.clear();
        let mut taken = Taken {
            turn: Turn::More,
            out,
            body: None,
            rest: Vec::new(),
        };
        let mut seen = std::mem::take(&mut self.seen);
        let mut done = 0;
        if std::mem::take(&mut self.closing) {
            taken.turn = Turn::Close;
            return (taken, bytes.len());
        }
        while done < bytes.len() {
            let rest = &bytes[done..];
            if taken.out.len() >= FULL {
                taken.turn = Turn::Again;
                return (taken, done);
            }
            let served = match parse::find(rest, seen) {
                Found::Beginning if !self.start.closed => {
                    self.seen = rest.len();
                    return (taken, done);
                }
                Found::Head(length) if !self.start.closed => {
                    done += length;
                    self.serve(&rest[..length], &mut taken.out, now)
                }
                Found::Head(_) | Found::Beginning | Found::Odd => Served::Slow,
            };
            seen = 0;
            taken.turn = match served {
                Served::Small => continue,
                Served::Last => Turn::Close,
                Served::Large(body, meter) => {
                    taken.body = Some((body, meter));
                    taken.turn = Turn::Body;
                    return (taken, done);
                }
                Served::Slow => Turn::Slow,
                Served::Connect => Turn::Connect,
            };
            if matches!(taken.turn, Turn::Slow | Turn::Connect) {
                taken.rest = rest.to_vec();
            }
            return (taken, bytes.len());
        }
        (taken, done)
    }

    /// By what requests come.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.start.scheme
    }

    /// Whether the client of the last CONNECT is known to ask for little and to leave: HTTP/2 is of no use
    /// to it.
    #[must_use]
    pub fn is_brief(&self) -> bool {
        self.brief
    }

    /// What has come of a request whose head isn't whole, or waits to be answered.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.held
    }

    /// Gives up what is pending.
    pub fn drain(&mut self) -> Vec<u8> {
        self.seen = 0;
        std::mem::take(&mut self.held)
    }

    /// The run that the client named, as it did.
    #[must_use]
    pub fn run(&self) -> Option<&str> {
        self.ran.as_deref()
    }
}
