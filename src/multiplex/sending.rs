//! A hit's body on its way to the client.

use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Reason, SendStream};

use super::flow::granted;
use super::turn::Step;
use crate::body::{Body, Chunk};
use crate::ledger::Meter;

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Where it comes from.
pub enum Source {
    /// Memory; it is counted already.
    Bytes(Bytes),
    /// A file, and what counts its bytes.
    Body(Body, Option<Meter>),
}

impl Source {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.left() == 0
    }

    fn left(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            // The lane answers from what is whole.
            Self::Body(body, _) => {
                usize::try_from(body.remaining().unwrap_or(0)).unwrap_or(usize::MAX)
            }
        }
    }

    /// The next bytes. `None`: somebody cut the file short.
    fn read(&mut self, most: usize) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes.split_to(most.min(bytes.len()))),
            Self::Body(body, meter) => match body.read(most) {
                Ok(Chunk::Bytes(bytes)) => {
                    if let Some(meter) = meter {
                        meter.read(bytes.len());
                    }
                    Some(bytes.into())
                }
                Ok(Chunk::Later(_) | Chunk::End) | Err(_) => None,
            },
        }
    }
}

/// One body.
pub struct Sending {
    stream: SendStream<Bytes>,
    source: Source,
}

impl Sending {
    /// Behind the head, which has been sent.
    pub fn new(stream: SendStream<Bytes>, source: Source) -> Self {
        Self { stream, source }
    }

    /// Sends what the client takes, and no more than `room`.
    pub fn go_on(&mut self, context: &mut Context<'_>, room: &mut usize) -> Step {
        loop {
            let wanted = self.source.left().min(PIECE);
            let length = match granted(&mut self.stream, wanted, context) {
                Poll::Ready(Some(length)) => length.min(*room),
                Poll::Ready(None) => return Step::Broken,
                Poll::Pending => return Step::Waits,
            };
            if length == 0 {
                return Step::More;
            }
            let Some(bytes) = self.source.read(length) else {
                self.stream.send_reset(Reason::INTERNAL_ERROR);
                return Step::Broken;
            };
            *room -= bytes.len();
            let last = self.source.is_empty();
            if self.stream.send_data(bytes, last).is_err() {
                return Step::Broken;
            }
            if last {
                return Step::Done;
            }
        }
    }
}
