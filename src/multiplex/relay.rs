//! A request that goes to mitmproxy, and the answer from there.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::HOST;
use http::request::Parts;
use http::uri::Scheme;
use http::{Method, Request, Response, Uri, Version};

use super::flow::{Flow, reason};
use super::inner::Inner;
use super::turn::Step;
use crate::lane::Lane;

/// One request.
pub struct Relay {
    stage: Stage,
    /// The request's body, until it has gone.
    up: Option<Flow>,
}

/// How far the answer is.
enum Stage {
    /// The request has not gone on: mitmproxy has as many as it takes.
    Asking(Box<Request<RecvStream>>, SendResponse<Bytes>),
    /// There is none yet.
    Waiting(ResponseFuture, SendResponse<Bytes>),
    /// Its body is on its way.
    Answering(Flow),
    /// It was given.
    Answered,
}

/// The target as it goes on. `None`: it can't be said.
///
/// A client may leave the authority to the `Host` field (RFC 9113 section 8.3.1), or say none.
pub fn whereto(head: &Parts, lane: &Lane) -> Option<Uri> {
    let mut parts = head.uri.clone().into_parts();
    if parts.authority.is_none() {
        let named = head.headers.get(HOST).map(|host| host.as_bytes().to_vec());
        let named = named.unwrap_or_else(|| {
            let (host, port) = lane.origin();
            format!("{host}:{port}").into_bytes()
        });
        parts.authority = Some(named.as_slice().try_into().ok()?);
    }
    if head.method != Method::CONNECT && parts.scheme.is_none() {
        parts.scheme = Some(Scheme::try_from(lane.scheme().as_str()).ok()?);
    }
    Uri::from_parts(parts).ok()
}

impl Relay {
    /// For a request that was read, and goes to `uri`.
    pub fn new(head: Parts, uri: Uri, body: RecvStream, respond: SendResponse<Bytes>) -> Self {
        let mut request = Request::new(body);
        *request.method_mut() = head.method;
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = head.headers;
        Self {
            stage: Stage::Asking(Box::new(request), respond),
            up: None,
        }
    }

    /// Moves what either side takes; of the answer no more than `room`.
    pub fn go_on(
        &mut self,
        inner: &mut Inner,
        context: &mut Context<'_>,
        room: &mut usize,
    ) -> Step {
        let step = loop {
            let (stage, step) = match std::mem::replace(&mut self.stage, Stage::Answered) {
                Stage::Asking(request, respond) => self.ask(request, respond, inner, context),
                Stage::Waiting(response, respond) => wait(response, respond, context),
                Stage::Answering(down) => answer(down, context, room),
                Stage::Answered => (Stage::Answered, Some(Step::Done)),
            };
            self.stage = stage;
            if let Some(step) = step {
                break step;
            }
        };
        if step == Step::Broken {
            // What is dropped unfinished is cancelled on the other side.
            return Step::Done;
        }
        let Some(up) = &mut self.up else {
            return step;
        };
        match up.go_on(context, &mut usize::MAX.clone()) {
            Step::Waits | Step::More => {
                if step == Step::Done {
                    Step::Waits
                } else {
                    step
                }
            }
            Step::Done | Step::Broken => {
                self.up = None;
                step
            }
        }
    }

    fn ask(
        &mut self,
        request: Box<Request<RecvStream>>,
        mut respond: SendResponse<Bytes>,
        inner: &mut Inner,
        context: &mut Context<'_>,
    ) -> (Stage, Option<Step>) {
        if respond.poll_reset(context).is_ready() {
            return (Stage::Answered, Some(Step::Broken));
        }
        let requests = match inner.ready(context) {
            Poll::Ready(Some(requests)) => requests,
            Poll::Ready(None) => {
                respond.send_reset(Reason::REFUSED_STREAM);
                return (Stage::Answered, Some(Step::Broken));
            }
            Poll::Pending => return (Stage::Asking(request, respond), Some(Step::Waits)),
        };
        let (head, body) = request.into_parts();
        let empty = body.is_end_stream();
        match requests.send_request(Request::from_parts(head, ()), empty) {
            Ok((response, to)) => {
                self.up = (!empty).then(|| Flow::new(body, to));
                (Stage::Waiting(response, respond), None)
            }
            Err(error) => {
                respond.send_reset(reason(&error));
                (Stage::Answered, Some(Step::Broken))
            }
        }
    }
}

/// Looks for the head of the answer.
fn wait(
    mut response: ResponseFuture,
    mut respond: SendResponse<Bytes>,
    context: &mut Context<'_>,
) -> (Stage, Option<Step>) {
    if respond.poll_reset(context).is_ready() {
        return (Stage::Answered, Some(Step::Broken));
    }
    while let Poll::Ready(Some(Ok(early))) = response.poll_informational(context) {
        // Where it fails, the client has gone, which is seen next.
        let _ = respond.send_informational(early);
    }
    let (head, body) = match Pin::new(&mut response).poll(context) {
        Poll::Ready(Ok(answer)) => answer.into_parts(),
        Poll::Ready(Err(error)) => {
            respond.send_reset(reason(&error));
            return (Stage::Answered, Some(Step::Broken));
        }
        Poll::Pending => return (Stage::Waiting(response, respond), Some(Step::Waits)),
    };
    let empty = body.is_end_stream();
    match respond.send_response(Response::from_parts(head, ()), empty) {
        Ok(_) if empty => (Stage::Answered, None),
        Ok(to) => (Stage::Answering(Flow::new(body, to)), None),
        Err(error) => {
            respond.send_reset(reason(&error));
            (Stage::Answered, Some(Step::Broken))
        }
    }
}

/// Moves the body of the answer.
fn answer(mut down: Flow, context: &mut Context<'_>, room: &mut usize) -> (Stage, Option<Step>) {
    if down.is_refused(context) {
        return (Stage::Answered, Some(Step::Broken));
    }
    match down.go_on(context, room) {
        Step::Done => (Stage::Answered, None),
        step => (Stage::Answering(down), Some(step)),
    }
}
