//! HTTP/2 in the fast lane (RFC 9113): one connection, on which some requests are hits and others are not.
//!
//! A connection that was mitmproxy's in part could not be told from one that was not, so it is never
//! handed over. The client's connection ends here, [`hit`] asks the [`crate::lane`] for an answer to each
//! request, and what isn't for the lane goes on over a second connection, in memory, to mitmproxy, by a
//! [`relay`] for each request. mitmproxy never hears of the hits. Nobody reads ahead of the other: each
//! side's flow control is the other's.
//!
//! There are no sockets and no tasks: bytes come in, all that can go on does, and bytes go out.

mod flow;
mod hit;
mod inner;
mod relay;
mod sending;
mod turn;
mod wire;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::server::{Connection, Handshake, SendResponse};
use h2::{Reason, RecvStream, server};
use http::Request;
use parking_lot::Mutex;

use self::inner::Inner;
use self::relay::Relay;
use self::sending::Sending;
use self::turn::{Step, Woken};
pub use self::wire::Wire;
use crate::lane::Lane;
use crate::meta::Millis;

/// Bytes of bodies that one turn sends, before others have theirs.
const TURN: usize = 256 << 10;
/// Requests at once, as with mitmproxy.
const STREAMS: u32 = 100;
/// Bytes of fields that a request or a response may have, and bytes of a body that one side may send
/// ahead of the other.
const FIELDS: u32 = 64 << 10;
const WINDOW: u32 = 256 << 10;
/// So that no stream waits for another one's window.
const ALL_WINDOWS: u32 = WINDOW * (STREAMS + 1);

/// What is to be done with the outcome of a turn.
#[derive(Debug, Default)]
pub struct Turn {
    /// Bytes for the client.
    pub out: Vec<u8>,
    /// Bytes for mitmproxy.
    pub inner: Vec<u8>,
    /// There is more to send right now.
    pub more: bool,
    /// The connection ends when all is sent.
    pub over: bool,
}

/// One client's connection.
pub struct Multiplex {
    lane: Arc<Mutex<Lane>>,
    /// Nothing is for the lane any more.
    closed: bool,
    wire: Wire,
    outer: Outer,
    inner: Inner,
    streams: Vec<Stream>,
    woken: Arc<Woken>,
}

enum Outer {
    Beginning(Handshake<Wire, Bytes>),
    Open(Connection<Wire, Bytes>),
    Over,
}

enum Stream {
    Hit(Sending),
    Slow(Relay),
}

impl Multiplex {
    /// For a connection of which nothing has been read.
    #[must_use]
    pub fn new(lane: Arc<Mutex<Lane>>) -> Self {
        let wire = Wire::default();
        let handshake = server::Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(ALL_WINDOWS)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(FIELDS)
            .handshake(wire.clone());
        Self {
            lane,
            closed: false,
            wire,
            outer: Outer::Beginning(handshake),
            inner: Inner::default(),
            streams: Vec::new(),
            woken: Arc::default(),
        }
    }

    /// Takes bytes of the client; none, to go on. `room`: whether it takes more.
    pub fn take(&mut self, data: &[u8], room: bool, now: Millis) -> Turn {
        self.wire.put(data);
        self.turn(room, now)
    }

    /// Takes bytes of mitmproxy.
    pub fn answer(&mut self, data: &[u8], room: bool, now: Millis) -> Turn {
        self.inner.wire.put(data);
        self.turn(room, now)
    }

    /// From now on, all requests are mitmproxy's.
    pub fn retire(&mut self) {
        self.closed = true;
    }

    /// Ends the connection of a client that waits for nothing (RFC 9113 section 6.8): it may ask again,
    /// elsewhere, for what it is just asking.
    pub fn end(&mut self, room: bool, now: Millis) -> Turn {
        if let Outer::Open(connection) = &mut self.outer {
            connection.abrupt_shutdown(Reason::NO_ERROR);
        }
        self.turn(room, now)
    }

    /// Whether all requests are answered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    fn turn(&mut self, room: bool, now: Millis) -> Turn {
        let waker = Waker::from(Arc::clone(&self.woken));
        let mut context = Context::from_waker(&waker);
        let mut room = if room { TURN } else { 0 };
        let mut more = false;
        loop {
            self.woken.clear();
            self.accept(&mut context, now);
            more |= self.go_on(&mut context, &mut room);
            self.inner.go_on(&mut context);
            if !self.woken.is_set() {
                break;
            }
        }
        if more {
            // Whoever had no turn is the first in the next.
            self.streams.rotate_left(1);
        }
        Turn {
            out: self.wire.take(),
            inner: self.inner.wire.take(),
            more,
            over: matches!(self.outer, Outer::Over),
        }
    }

    /// Begins what the client asks.
    fn accept(&mut self, context: &mut Context<'_>, now: Millis) {
        loop {
            let next = match &mut self.outer {
                Outer::Beginning(handshake) => match Pin::new(handshake).poll(context) {
                    Poll::Ready(Ok(connection)) => {
                        self.outer = Outer::Open(connection);
                        continue;
                    }
                    Poll::Ready(Err(_)) => Poll::Ready(None),
                    Poll::Pending => return,
                },
                Outer::Open(connection) => connection.poll_accept(context),
                Outer::Over => return,
            };
            match next {
                Poll::Pending => return,
                Poll::Ready(Some(Ok((request, respond)))) => self.begin(request, respond, now),
                Poll::Ready(Some(Err(_)) | None) => {
                    self.outer = Outer::Over;
                    self.streams.clear();
                }
            }
        }
    }

    /// Begins to answer a request, or to pass it on.
    fn begin(
        &mut self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        now: Millis,
    ) {
        let (head, body) = request.into_parts();
        if body.is_end_stream() && !self.closed {
            let asked = hit::ask(&mut self.lane.lock(), &head, now);
            if let Some((response, source)) = asked {
                let empty = source.is_empty();
                if let Ok(stream) = respond.send_response(response, empty)
                    && !empty
                {
                    self.streams.push(Stream::Hit(Sending::new(stream, source)));
                }
                return;
            }
        }
        let known = relay::whereto(&head, &self.lane.lock());
        match known {
            Some(uri) => {
                let relay = Relay::new(head, uri, body, respond);
                self.streams.push(Stream::Slow(relay));
            }
            None => respond.send_reset(Reason::PROTOCOL_ERROR),
        }
    }

    /// Lets all that was begun go on. Returns whether there is more to send right now.
    fn go_on(&mut self, context: &mut Context<'_>, room: &mut usize) -> bool {
        let (inner, mut more) = (&mut self.inner, false);
        self.streams.retain_mut(|stream| {
            let step = match stream {
                Stream::Hit(sending) => sending.go_on(context, room),
                Stream::Slow(relay) => relay.go_on(inner, context, room),
            };
            more |= step == Step::More;
            !matches!(step, Step::Done | Step::Broken)
        });
        more
    }
}
