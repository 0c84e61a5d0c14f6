//! The connection to mitmproxy, opened when something goes there.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};

use super::wire::Wire;
use super::{ALL_WINDOWS, WINDOW};

/// Bytes of fields in an answer: a client that can't bear so many says so itself.
const FIELDS: u32 = 1 << 20;

/// The client's end of it.
#[derive(Default)]
pub struct Inner {
    pub wire: Wire,
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Unopened,
    Open(SendRequest<Bytes>, Box<Connection<Wire, Bytes>>),
    Closed,
}

impl Inner {
    /// What sends one request. `None`: mitmproxy has closed the connection.
    pub fn ready(&mut self, context: &mut Context<'_>) -> Poll<Option<&mut SendRequest<Bytes>>> {
        if matches!(self.state, State::Unopened) {
            self.open(context);
        }
        let State::Open(requests, _) = &mut self.state else {
            return Poll::Ready(None);
        };
        match requests.poll_ready(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(_)) => Poll::Ready(None),
            Poll::Ready(Ok(())) => Poll::Ready(Some(requests)),
        }
    }

    fn open(&mut self, context: &mut Context<'_>) {
        let opening = Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(ALL_WINDOWS)
            .max_header_list_size(FIELDS)
            .enable_push(false)
            .handshake(self.wire.clone());
        // It says its preface, and waits for nobody.
        self.state = match pin!(opening).poll(context) {
            Poll::Ready(Ok((requests, connection))) => State::Open(requests, Box::new(connection)),
            Poll::Ready(Err(_)) | Poll::Pending => State::Closed,
        };
    }

    /// Lets all of it go on.
    pub fn go_on(&mut self, context: &mut Context<'_>) {
        if let State::Open(_, connection) = &mut self.state
            && Pin::new(&mut **connection).poll(context).is_ready()
        {
            self.state = State::Closed;
        }
    }
}
