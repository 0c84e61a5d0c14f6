//! A client, the lane, and what stands for mitmproxy, in one thread.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use cachy::multiplex::{Multiplex, Turn, Wire};
use h2::client::{self, ResponseFuture, SendRequest};
use h2::server::{self, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use parking_lot::Mutex;

use crate::site::{Site, soon};

/// Runs something that waits for nobody.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("has to wait"),
    }
}

/// What mitmproxy was asked.
pub struct Asked {
    pub request: Request<RecvStream>,
    pub respond: SendResponse<Bytes>,
}

pub struct Rig {
    pub multiplex: Multiplex,
    pub requests: SendRequest<Bytes>,
    client: client::Connection<Wire, Bytes>,
    client_wire: Wire,
    behind: Behind,
    behind_wire: Wire,
    /// What it was asked, and nobody has looked at.
    pub asked: Vec<Asked>,
    /// Bytes that come at once.
    pub piece: usize,
    /// Whether the client's socket takes bytes.
    pub room: bool,
    pub over: bool,
    /// The most bytes that one turn had for the client.
    pub most: usize,
}

enum Behind {
    Beginning(Box<server::Handshake<Wire, Bytes>>),
    Open(Box<server::Connection<Wire, Bytes>>),
    Closed,
}

impl Rig {
    pub fn new(site: &Site, builder: &client::Builder) -> Self {
        let client_wire = Wire::default();
        let (requests, client) = ready(builder.handshake(client_wire.clone())).unwrap();
        let behind_wire = Wire::default();
        Self {
            multiplex: Multiplex::new(Arc::new(Mutex::new(site.lane()))),
            requests,
            client,
            client_wire,
            behind: Behind::Beginning(Box::new(server::handshake(behind_wire.clone()))),
            behind_wire,
            asked: Vec::new(),
            piece: usize::MAX,
            room: true,
            over: false,
            most: 0,
        }
    }

    /// Lets bytes flow until nobody has any.
    pub fn run(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let _ = Pin::new(&mut self.client).poll(&mut context);
            let said = self.client_wire.take();
            let mut moved = !said.is_empty();
            for piece in said.chunks(self.piece) {
                let turn = self.multiplex.take(piece, self.room, soon());
                moved |= self.follow(&turn);
            }
            self.serve(&mut context);
            let answered = self.behind_wire.take();
            moved |= !answered.is_empty();
            for piece in answered.chunks(self.piece) {
                let turn = self.multiplex.answer(piece, self.room, soon());
                moved |= self.follow(&turn);
            }
            if !moved {
                return;
            }
        }
    }

    /// The socket takes bytes again, or never mind.
    pub fn go_on(&mut self) {
        let turn = self.multiplex.take(b"", self.room, soon());
        self.follow(&turn);
        self.run();
    }

    fn follow(&mut self, turn: &Turn) -> bool {
        let mut moved = self.bring(turn);
        let mut more = turn.more && self.room;
        while more {
            let turn = self.multiplex.take(b"", true, soon());
            moved |= self.bring(&turn);
            more = turn.more;
        }
        moved
    }

    fn bring(&mut self, turn: &Turn) -> bool {
        self.client_wire.put(&turn.out);
        self.behind_wire.put(&turn.inner);
        self.over |= turn.over;
        self.most = self.most.max(turn.out.len());
        !(turn.out.is_empty() && turn.inner.is_empty())
    }

    fn serve(&mut self, context: &mut Context<'_>) {
        loop {
            match &mut self.behind {
                Behind::Beginning(handshake) => match Pin::new(handshake).poll(context) {
                    Poll::Ready(Ok(open)) => self.behind = Behind::Open(Box::new(open)),
                    Poll::Ready(Err(_)) => self.behind = Behind::Closed,
                    Poll::Pending => return,
                },
                Behind::Open(open) => match open.poll_accept(context) {
                    Poll::Ready(Some(Ok((request, respond)))) => {
                        self.asked.push(Asked { request, respond });
                    }
                    Poll::Ready(_) => self.behind = Behind::Closed,
                    Poll::Pending => return,
                },
                Behind::Closed => return,
            }
        }
    }

    /// mitmproxy takes no more.
    pub fn hang_up(&mut self) {
        if let Behind::Open(open) = &mut self.behind {
            open.abrupt_shutdown(h2::Reason::INTERNAL_ERROR);
        }
        self.run();
    }

    /// The proxy has nothing more to say to the client.
    pub fn end(&mut self) {
        let turn = self.multiplex.end(self.room, soon());
        self.follow(&turn);
        self.run();
    }

    /// Asks, and lets bytes flow.
    pub fn ask(&mut self, request: Request<()>) -> ResponseFuture {
        let (response, _) = self.requests.send_request(request, true).unwrap();
        self.run();
        response
    }

    /// Asks for a path.
    pub fn get(&mut self, path: &str) -> ResponseFuture {
        self.ask(get(path))
    }

    /// The only thing that mitmproxy was asked.
    pub fn the_asked(&mut self) -> Asked {
        assert_eq!(self.asked.len(), 1);
        self.asked.remove(0)
    }

    /// All of an answer.
    pub fn whole(&mut self, response: ResponseFuture) -> Got {
        let (head, body) = ready(response).unwrap().into_parts();
        let mut reading = Reading::new(body);
        while !reading.over {
            let before = reading.body.len();
            reading.go_on().unwrap();
            self.go_on();
            assert!(reading.over || reading.body.len() > before, "it stalls");
        }
        Got {
            head: Response::from_parts(head, ()),
            body: reading.body,
        }
    }
}

pub fn get(path: &str) -> Request<()> {
    let uri = format!("https://{}{path}", crate::site::HOST);
    Request::get(uri).body(()).unwrap()
}

/// What a client got.
#[derive(Debug)]
pub struct Got {
    pub head: Response<()>,
    pub body: Vec<u8>,
}

/// A body that is being read as it comes.
pub struct Reading {
    stream: RecvStream,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
    pub over: bool,
}

impl Reading {
    pub fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            body: Vec::new(),
            trailers: None,
            over: false,
        }
    }

    /// Reads what there is, and lets the sender send more.
    pub fn go_on(&mut self) -> Result<(), h2::Error> {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(next) = self.stream.poll_data(&mut context) {
            let Some(bytes) = next.transpose()? else {
                if let Poll::Ready(trailers) = self.stream.poll_trailers(&mut context) {
                    self.trailers = trailers?;
                    self.over = true;
                }
                break;
            };
            self.body.extend_from_slice(&bytes);
            let _ = self.stream.flow_control().release_capacity(bytes.len());
        }
        Ok(())
    }
}

/// Sends as much of `body` as the other side takes, and returns the rest.
pub fn send<'a>(stream: &mut SendStream<Bytes>, mut body: &'a [u8]) -> &'a [u8] {
    let mut context = Context::from_waker(Waker::noop());
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let length = stream.capacity().min(body.len());
        if length == 0 && stream.poll_capacity(&mut context).is_pending() {
            break;
        }
        let (piece, rest) = body.split_at(length);
        stream
            .send_data(Bytes::copy_from_slice(piece), false)
            .unwrap();
        body = rest;
    }
    body
}
