//! What the tree answers.

use cachy::ledger::RunId;
use h2::client::Builder;
use http::{HeaderValue, Request};

use crate::rig::{Rig, get, ready};
use crate::site::{Asked, HOST, RUN, Site, soon};

/// Each by the lane, by nobody else, and as the exchange answers it.
#[test]
fn hits_are_answered_as_the_exchange_does() {
    let site = Site::new();
    let mut rig = Rig::new(&site, &Builder::new());
    let mut answered = 0;
    for method in ["GET", "HEAD"] {
        for path in [
            "/pool/a_1.0.deb",
            "/fresh",
            "/large",
            "/edge",
            "/empty",
            "/kept",
            "/stale",
            "/behind",
            "/gone",
            "/moved",
            "/for-ever",
            "/slash",
            "/slash/",
            "/own/file.txt",
            "/own/large.bin",
            "/own/missing",
            "/own/there",
            "/none",
            "/a/../fresh",
            "/fresh?x=1",
        ] {
            for field in [
                None,
                Some(("range", "bytes=1-3")),
                Some(("if-none-match", "\"tag\"")),
                Some(("cookie", "a=b")),
                Some(("cache-control", "no-cache")),
                Some(("te", "trailers")),
            ] {
                let mut asked = Asked::get(path);
                let mut request = get(path);
                asked.method = method;
                *request.method_mut() = method.parse().unwrap();
                if let Some((name, value)) = field {
                    asked = asked.with(name, value);
                    let value = HeaderValue::from_static(value);
                    request.headers_mut().insert(name, value);
                }
                let response = rig.ask(request);
                match site.slow(&asked, soon()) {
                    None => drop((rig.the_asked(), response)),
                    Some(expected) => {
                        assert!(rig.asked.is_empty(), "{asked:?}");
                        let got = rig.whole(response);
                        assert_eq!(got.head.status().as_str(), expected.status(), "{asked:?}");
                        assert_eq!(got.body, expected.body, "{asked:?}");
                        assert_eq!(fields(&got.head), told(&expected.head), "{asked:?}");
                        answered += 1;
                    }
                }
            }
        }
    }
    assert!(answered > 100, "{answered}");
    site.check_counts();
}

fn fields(head: &http::Response<()>) -> Vec<String> {
    let pairs = head.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        let now = name == "date" && !value.contains(" 2023 ");
        format!("{name}: {}", if now { "now" } else { &value })
    });
    pairs.collect()
}

fn told(head: &str) -> Vec<String> {
    let lines = head.split("\r\n").skip(1).filter(|line| !line.is_empty());
    let lower = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        format!("{}: {value}", name.to_lowercase())
    });
    lower.collect()
}

/// Who is on its way to mitmproxy holds up nobody.
#[test]
fn hits_overtake_what_is_not() {
    let site = Site::new();
    let mut rig = Rig::new(&site, &Builder::new());
    let miss = rig.get("/none");
    let hit = rig.get("/kept");
    assert_eq!(rig.whole(hit).body, b"kept");
    let mut asked = rig.the_asked();
    assert_eq!(
        asked.request.uri().to_string(),
        format!("https://{HOST}/none")
    );
    asked
        .respond
        .send_response(http::Response::new(()), true)
        .unwrap();
    rig.run();
    assert_eq!(rig.whole(miss).body, b"");
}

/// A large body leaves room for small ones, and waits for the client's socket.
#[test]
fn bodies_take_turns() {
    let site = Site::new();
    let mut wide = Builder::new();
    wide.initial_window_size(8 << 20)
        .initial_connection_window_size(64 << 20);
    let mut rig = Rig::new(&site, &wide);
    rig.room = false;
    let large = rig.get("/large");
    let small = rig.get("/fresh");
    assert!(rig.most < 1000, "no body without room: {}", rig.most);
    rig.room = true;
    rig.go_on();
    assert_eq!(rig.whole(small).body, [b'f'; 5000]);
    assert_eq!(rig.whole(large).body, vec![b'l'; 300_000]);
    assert!(rig.most < 300_000, "in turns: {}", rig.most);
    let counted = site.fast.report(RunId::parse(RUN).unwrap());
    assert!(format!("{counted:?}").contains("305000"), "{counted:?}");
}

/// What two may understand otherwise is left to mitmproxy, and so is all once the lane is closed.
#[test]
fn what_is_not_plain_is_left_alone() {
    let site = Site::new();
    let mut rig = Rig::new(&site, &Builder::new());
    let to = |uri: &str| Request::get(uri.replace("HOST", HOST)).body(()).unwrap();
    let mut other = to("https://HOST/kept");
    other
        .headers_mut()
        .insert("host", "other.example".parse().unwrap());
    let mut crumbs = to("https://HOST/pool/a_1.0.deb");
    crumbs
        .headers_mut()
        .append("cookie", "a=b".parse().unwrap());
    crumbs
        .headers_mut()
        .append("cookie", "c=d".parse().unwrap());
    let mut expecting = to("https://HOST/kept");
    expecting
        .headers_mut()
        .insert("expect", "100-continue".parse().unwrap());
    let post = Request::post(to("https://HOST/kept").uri())
        .body(())
        .unwrap();
    for request in [
        to("http://HOST/kept"),
        to("https://other.example/kept"),
        to("https://HOST:444/kept"),
        other,
        crumbs,
        expecting,
        post,
    ] {
        let told = format!("{request:?}");
        let response = rig.ask(request.clone());
        assert_eq!(rig.asked.len(), 1, "{told}");
        let asked = rig.the_asked().request;
        assert_eq!(asked.uri(), request.uri());
        assert_eq!(asked.headers(), request.headers());
        assert_eq!(asked.method(), request.method());
        drop(response);
    }
    // A body, even an empty one.
    let (response, mut body) = rig.requests.send_request(get("/kept"), false).unwrap();
    body.send_data(bytes::Bytes::new(), true).unwrap();
    rig.run();
    let mut reading = crate::rig::Reading::new(rig.the_asked().request.into_body());
    reading.go_on().unwrap();
    assert!(reading.over);
    drop(response);
    rig.multiplex.retire();
    let response = rig.get("/kept");
    assert_eq!(rig.the_asked().request.uri().path(), "/kept");
    drop(response);
}

/// A file that is cut short under its reader ends the stream, and nothing else.
#[test]
fn a_body_cut_short_is_reset() {
    let site = Site::new();
    let mut rig = Rig::new(&site, &Builder::new());
    let response = rig.get("/own/large.bin");
    let file = std::fs::File::options()
        .write(true)
        .open(site.path(HOST).join("own/large.bin"));
    file.unwrap().set_len(10).unwrap();
    let body = ready(response).unwrap().into_body();
    let mut reading = crate::rig::Reading::new(body);
    let error = loop {
        if let Err(error) = reading.go_on() {
            break error;
        }
        assert!(!reading.over);
        rig.go_on();
    };
    assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
    let after = rig.get("/kept");
    assert_eq!(rig.whole(after).body, b"kept");
}
