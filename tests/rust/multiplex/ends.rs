//! Streams and connections that end before they are whole.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::Builder;
use h2::{Reason, RecvStream};
use http::{Request, Response};

use crate::rig::{Rig, get, ready};
use crate::site::{HOST, Site};

fn failure(body: &mut RecvStream) -> Option<Reason> {
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match body.poll_data(&mut context) {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(error))) => return error.reason(),
            Poll::Ready(None) | Poll::Pending => return None,
        }
    }
}

/// The client gives up: mitmproxy hears of it, at any stage.
#[test]
fn a_client_that_gives_up() {
    let site = Site::new();
    let mut rig = Rig::new(&site, &Builder::new());
    for answered in [false, true] {
        let mut response = Some(rig.get("/none"));
        let mut respond = rig.the_asked().respond;
        let mut body = None;
        let mut context = Context::from_waker(Waker::noop());
        let reset = if answered {
            let mut down = respond.send_response(Response::new(()), false).unwrap();
            down.send_data(Bytes::from_static(b"some"), false).unwrap();
            rig.run();
            body = response
                .take()
                .map(|response| ready(response).unwrap().into_body());
            assert!(down.poll_reset(&mut context).is_pending());
            drop(body);
            body = None;
            rig.run();
            down.poll_reset(&mut context)
        } else {
            assert!(respond.poll_reset(&mut context).is_pending());
            drop(response);
            rig.run();
            respond.poll_reset(&mut context)
        };
        assert!(
            matches!(reset, Poll::Ready(Ok(Reason::CANCEL))),
            "{reset:?}"
        );
        drop(body);
    }
    let (response, mut up) = rig
        .requests
        .send_request(
            Request::put(format!("https://{HOST}/up")).body(()).unwrap(),
            false,
        )
        .unwrap();
    up.send_data(Bytes::from_static(b"some"), false).unwrap();
    rig.run();
    let mut asked = rig.the_asked();
    up.send_reset(Reason::CANCEL);
    rig.run();
    assert_eq!(failure(asked.request.body_mut()), Some(Reason::CANCEL));
    drop(response);
}

/// mitmproxy breaks off: the client hears why, before the head and behind it.
#[test]
fn an_answer_that_breaks_off() {
    let site = Site::new();
    let mut rig = Rig::new(&site, &Builder::new());
    let response = rig.get("/none");
    rig.the_asked().respond.send_reset(Reason::INTERNAL_ERROR);
    rig.run();
    let error = ready(response).unwrap_err();
    assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
    let response = rig.get("/none");
    let mut down = rig
        .the_asked()
        .respond
        .send_response(Response::new(()), false)
        .unwrap();
    down.send_data(Bytes::from_static(b"some"), false).unwrap();
    rig.run();
    down.send_reset(Reason::INTERNAL_ERROR);
    rig.run();
    let mut body = ready(response).unwrap().into_body();
    assert_eq!(failure(&mut body), Some(Reason::INTERNAL_ERROR));
    let hit = rig.get("/kept");
    assert_eq!(rig.whole(hit).body, b"kept");
}

/// mitmproxy says that it takes no more, as it does before it closes the client's connection: what it
/// can't have any more is refused, hits go on.
#[test]
fn mitmproxy_takes_no_more() {
    let site = Site::new();
    let mut rig = Rig::new(&site, &Builder::new());
    let response = rig.get("/none");
    rig.hang_up();
    drop(response);
    let refused = rig.get("/none");
    assert_eq!(
        ready(refused).unwrap_err().reason(),
        Some(Reason::REFUSED_STREAM)
    );
    let hit = rig.get("/kept");
    assert_eq!(rig.whole(hit).body, b"kept");
    assert!(!rig.over);
}

/// More at once than mitmproxy takes wait, and lose nothing.
#[test]
fn many_at_once() {
    let site = Site::new();
    let mut rig = Rig::new(&site, Builder::new().initial_max_send_streams(100));
    let responses: Vec<_> = (0..100)
        .map(|_| rig.requests.send_request(get("/none"), true))
        .collect();
    rig.run();
    assert_eq!(rig.asked.len(), 100);
    for (at, mut asked) in rig.asked.drain(..).enumerate() {
        let mut response = Response::new(());
        response.headers_mut().insert("x-at", at.into());
        asked.respond.send_response(response, true).unwrap();
    }
    rig.run();
    for (at, response) in responses.into_iter().enumerate() {
        let response = ready(response.unwrap().0).unwrap();
        assert_eq!(response.headers()["x-at"], at.to_string());
    }
}

/// The proxy ends: a client that waits for nothing is told, without an error, and asks elsewhere.
#[test]
fn the_end_of_an_idle_connection() {
    let site = Site::new();
    let mut rig = Rig::new(&site, &Builder::new());
    let response = rig.get("/none");
    assert!(!rig.multiplex.is_idle());
    let mut asked = rig.the_asked();
    asked
        .respond
        .send_response(Response::new(()), true)
        .unwrap();
    rig.run();
    ready(response).unwrap();
    assert!(rig.multiplex.is_idle());
    assert!(!rig.over);
    rig.end();
    assert!(rig.over);
    let error = rig.requests.send_request(get("/kept"), true).unwrap_err();
    assert!(error.is_go_away(), "{error}");
    assert_eq!(error.reason(), Some(Reason::NO_ERROR));
}
