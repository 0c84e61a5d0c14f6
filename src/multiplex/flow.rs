//! A body from one connection to the other.

use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Error, Reason, RecvStream, SendStream};

use super::turn::Step;

/// How many of `wanted` bytes may be sent now. `None`: never any more.
pub fn granted(
    stream: &mut SendStream<Bytes>,
    wanted: usize,
    context: &mut Context<'_>,
) -> Poll<Option<usize>> {
    stream.reserve_capacity(wanted);
    loop {
        match stream.capacity() {
            0 => match stream.poll_capacity(context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            },
            length => return Poll::Ready(Some(length.min(wanted))),
        }
    }
}

/// Why a stream ended, for the other side.
pub fn reason(error: &Error) -> Reason {
    error.reason().unwrap_or(Reason::INTERNAL_ERROR)
}

/// One body, trailers included.
pub struct Flow {
    from: RecvStream,
    to: SendStream<Bytes>,
    /// What `to` doesn't take yet.
    held: Bytes,
    /// Only trailers are left.
    whole: bool,
}

impl Flow {
    pub fn new(from: RecvStream, to: SendStream<Bytes>) -> Self {
        Self {
            from,
            to,
            held: Bytes::new(),
            whole: false,
        }
    }

    /// Whether the receiver has reset the stream.
    pub fn is_refused(&mut self, context: &mut Context<'_>) -> bool {
        self.to.poll_reset(context).is_ready()
    }

    /// Moves what the receiver takes, and no more than `room`.
    pub fn go_on(&mut self, context: &mut Context<'_>, room: &mut usize) -> Step {
        loop {
            if self.held.is_empty() {
                if self.whole {
                    return self.end(context);
                }
                match self.from.poll_data(context) {
                    Poll::Pending => return Step::Waits,
                    Poll::Ready(Some(Ok(bytes))) => self.held = bytes,
                    Poll::Ready(Some(Err(error))) => return self.break_off(&error),
                    Poll::Ready(None) => self.whole = true,
                }
                continue;
            }
            let length = match granted(&mut self.to, self.held.len(), context) {
                Poll::Ready(Some(length)) => length.min(*room),
                Poll::Ready(None) => return Step::Broken,
                Poll::Pending => return Step::Waits,
            };
            if length == 0 {
                return Step::More;
            }
            *room -= length;
            let piece = self.held.split_to(length);
            let last = self.held.is_empty() && self.from.is_end_stream();
            let sent = self.to.send_data(piece, last);
            // Not before it has gone on: so nobody sends faster than the other takes it.
            let _ = self.from.flow_control().release_capacity(length);
            if sent.is_err() {
                return Step::Broken;
            }
            if last {
                return Step::Done;
            }
        }
    }

    fn end(&mut self, context: &mut Context<'_>) -> Step {
        match self.from.poll_trailers(context) {
            Poll::Pending => return Step::Waits,
            // Where it fails, the receiver has gone.
            Poll::Ready(Ok(Some(trailers))) => drop(self.to.send_trailers(trailers)),
            Poll::Ready(Ok(None)) => drop(self.to.send_data(Bytes::new(), true)),
            Poll::Ready(Err(error)) => return self.break_off(&error),
        }
        Step::Done
    }

    fn break_off(&mut self, error: &Error) -> Step {
        self.to.send_reset(reason(error));
        Step::Broken
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        // Others wait for the connection's window.
        let _ = self.from.flow_control().release_capacity(self.held.len());
    }
}
