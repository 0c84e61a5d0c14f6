//! What goes to mitmproxy and back.

use bytes::Bytes;
use h2::client::Builder;
use http::{HeaderMap, Request, Response, StatusCode};
use proptest::prelude::*;

use crate::rig::{Reading, Rig, get, ready, send};
use crate::site::{HOST, Site};

fn trailers(value: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", value.parse().unwrap());
    trailers
}

/// A request with a body and trailers, answered with the same.
fn echo(rig: &mut Rig, body: &[u8]) {
    let request = Request::put(format!("https://{HOST}/up")).body(()).unwrap();
    let (response, mut up) = rig.requests.send_request(request, false).unwrap();
    let mut left = send(&mut up, body);
    rig.run();
    let asked = rig.the_asked();
    let mut respond = asked.respond;
    let mut reading = Reading::new(asked.request.into_body());
    let mut told = false;
    while !reading.over {
        left = send(&mut up, left);
        if left.is_empty() && !told {
            up.send_trailers(trailers("up")).unwrap();
            told = true;
        }
        rig.run();
        let before = (reading.body.len(), told);
        reading.go_on().unwrap();
        rig.run();
        assert!(
            reading.over || before != (reading.body.len(), false),
            "it stalls"
        );
    }
    assert_eq!(
        (&reading.body, reading.trailers),
        (&body.to_vec(), Some(trailers("up")))
    );
    let early = Response::builder()
        .status(StatusCode::EARLY_HINTS)
        .body(())
        .unwrap();
    respond.send_informational(early).unwrap();
    let mut down = respond.send_response(Response::new(()), false).unwrap();
    rig.run();
    let mut coming = Reading::new(ready(response).unwrap().into_body());
    let (mut left, mut told) = (body, false);
    while !coming.over {
        left = send(&mut down, left);
        if left.is_empty() && !told {
            down.send_trailers(trailers("down")).unwrap();
            told = true;
        }
        rig.run();
        coming.go_on().unwrap();
        rig.run();
    }
    assert_eq!(
        (&coming.body, coming.trailers),
        (&body.to_vec(), Some(trailers("down")))
    );
}

#[test]
fn bodies_go_both_ways() {
    let site = Site::new();
    let mut rig = Rig::new(&site, &Builder::new());
    for length in [0, 1, 70_000, 3_000_000] {
        let body: Vec<u8> = (0..length).map(|at: u32| at.to_le_bytes()[1]).collect();
        echo(&mut rig, &body);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However the bytes come.
    #[test]
    fn pieces_of_any_size(piece in prop_oneof![1..40_usize, 40..20_000_usize], window in 1..70_000_u32) {
        let site = Site::new();
        let mut narrow = Builder::new();
        narrow.initial_window_size(window);
        let mut rig = Rig::new(&site, &narrow);
        rig.piece = piece;
        let hit = rig.get("/fresh");
        echo(&mut rig, &[7; 9000]);
        assert_eq!(rig.whole(hit).body, [b'f'; 5000]);
    }
}

/// A client that takes nothing holds mitmproxy, and nobody else.
#[test]
fn nobody_reads_ahead() {
    let site = Site::new();
    let mut narrow = Builder::new();
    narrow.initial_window_size(0);
    let mut rig = Rig::new(&site, &narrow);
    let response = rig.get("/none");
    let mut down = rig
        .the_asked()
        .respond
        .send_response(Response::new(()), false)
        .unwrap();
    let body = vec![1; 4 << 20];
    let mut left = body.as_slice();
    loop {
        let before = left.len();
        left = send(&mut down, left);
        rig.run();
        if left.len() == before {
            break;
        }
    }
    // What mitmproxy's side of the connection keeps, and one window of ours.
    let gone = body.len() - left.len();
    assert!((1..1_000_000).contains(&gone), "{gone}");
    let ended = rig.ask(Request::head(get("/kept").uri()).body(()).unwrap());
    assert_eq!(ready(ended).unwrap().status(), StatusCode::OK);
    drop(response);
}

/// The same for who sends more than mitmproxy takes.
#[test]
fn nobody_sends_ahead() {
    let site = Site::new();
    let mut rig = Rig::new(&site, &Builder::new());
    let request = Request::post(format!("https://{HOST}/up"))
        .body(())
        .unwrap();
    let (response, mut up) = rig.requests.send_request(request, false).unwrap();
    rig.run();
    let body = vec![1; 4 << 20];
    let mut left = body.as_slice();
    loop {
        let before = left.len();
        left = send(&mut up, left);
        rig.run();
        if left.len() == before {
            break;
        }
    }
    let gone = body.len() - left.len();
    assert!((1..1_000_000).contains(&gone), "{gone}");
    let hit = rig.get("/kept");
    assert_eq!(rig.whole(hit).body, b"kept");
    drop((rig.the_asked(), response));
}

/// An answer may come before the request is whole, which goes on.
#[test]
fn an_early_answer() {
    let site = Site::new();
    let mut rig = Rig::new(&site, &Builder::new());
    let request = Request::post(format!("https://{HOST}/up"))
        .body(())
        .unwrap();
    let (response, mut up) = rig.requests.send_request(request, false).unwrap();
    rig.run();
    let mut asked = rig.the_asked();
    asked
        .respond
        .send_response(Response::new(()), true)
        .unwrap();
    rig.run();
    assert_eq!(rig.whole(response).head.status(), StatusCode::OK);
    up.send_data(Bytes::from_static(b"late"), true).unwrap();
    rig.run();
    let mut reading = Reading::new(asked.request.into_body());
    reading.go_on().unwrap();
    assert_eq!(
        (reading.body.as_slice(), reading.over),
        (b"late".as_slice(), true)
    );
}

/// A target whose authority the client leaves to the `Host` field, or says not at all.
#[test]
fn mitmproxy_hears_of_the_authority() {
    for (named, expected) in [
        (Some("named.example"), "named.example"),
        (None, "h.example:443"),
    ] {
        let site = Site::new();
        let mut rig = Rig::new(&site, &Builder::new());
        let mut request = Request::get("/kept")
            .version(http::Version::HTTP_11)
            .body(())
            .unwrap();
        if let Some(named) = named {
            request.headers_mut().insert("host", named.parse().unwrap());
        }
        let response = rig.ask(request);
        let asked = rig.the_asked().request;
        assert_eq!(asked.uri().authority().unwrap(), expected);
        assert_eq!(asked.uri().path(), "/kept");
        drop(response);
    }
}
