//! What is read as a request for the lane, and where it ends.

use cachy::freshness::clock;
use cachy::key::Scheme;
use cachy::lane::{FULL, Lane, Start, Turn};
use proptest::prelude::*;

use crate::site::{Asked, HOST, RUN, Site, soon};

fn proxy(site: &Site) -> Lane {
    Lane::new(site.place(), Start::default())
}

#[test]
fn what_others_might_read_otherwise_is_left_alone() {
    let site = Site::new();
    let whole = "GET /fresh HTTP/1.1\r\nHost: h.example\r\n\r\n";
    assert_eq!(site.lane().take(whole.as_bytes(), clock()).turn, Turn::More);
    for odd in [
        "GET /fresh HTTP/1.0\r\nHost: h.example\r\n\r\n",
        "GET /fresh HTTP/1.2\r\nHost: h.example\r\n\r\n",
        "GET /fresh HTTP/2.0\r\nHost: h.example\r\n\r\n",
        "GET /fresh\r\nHost: h.example\r\n\r\n",
        "get /fresh HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "POST /fresh HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "GETX /fresh HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "GET  /fresh HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "GET /fresh  HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "GET\t/fresh HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "\r\nGET /fresh HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "GET /fresh HTTP/1.1\nHost: h.example\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\n\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\nX: a\rb\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\nX: a\r\n b\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\nX : a\r\n\r\n",
        "GET /fresh HTTP/1.1\r\n Host: h.example\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\n: a\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\nX\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\nX: \0\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\nHost: h.example\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: other.example\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example:8443\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: u@h.example\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /fresh HTTP/1.1\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\nContent-Length: 0\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\nUpgrade: websocket\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\nExpect: 100-continue\r\n\r\n",
        "GET https://h.example/fresh HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "GET //h.example/fresh HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "GET fresh HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "GET /\u{fc} HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n",
        "GET /fresh HTTP/1.1\r\nHost: cachy.internal\r\n\r\n",
        "\u{16}\u{3}\u{1}",
        "SSH-2.0-x\r\n",
    ] {
        let mut lane = site.lane();
        let taken = lane.take(odd.as_bytes(), clock());
        assert_eq!(
            (taken.turn, taken.rest.as_slice()),
            (Turn::Slow, odd.as_bytes()),
            "{odd:?}"
        );
        // And then it is as it was.
        assert!(lane.pending().is_empty());
        assert_eq!(lane.take(whole.as_bytes(), clock()).turn, Turn::More);
    }
}

#[test]
fn who_speaks_to_a_proxy() {
    let site = Site::new();
    let placed = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    for (target, turn) in [
        ("http://h.example/own/file.txt", Turn::More),
        ("http://h.example:80/own/file.txt", Turn::More),
        ("http://h.example:081/own/file.txt", Turn::Slow),
        ("http://h.example:0/own/file.txt", Turn::Slow),
        ("http://h.example:/own/file.txt", Turn::Slow),
        ("http://h.example:81/own/file.txt", Turn::Slow),
        ("HTTP://h.example/own/file.txt", Turn::Slow),
        ("https://h.example/own/file.txt", Turn::Slow),
        ("ftp://h.example/own/file.txt", Turn::Slow),
        ("http://u@h.example/own/file.txt", Turn::Slow),
        ("http://xn--kse-qla.example/own/file.txt", Turn::Slow),
        ("http://h..example/own/file.txt", Turn::Slow),
        ("http:///own/file.txt", Turn::Slow),
        ("http://h.example?x", Turn::Slow),
        ("http://cachy.internal/", Turn::Slow),
        ("/own/file.txt", Turn::Slow),
    ] {
        let asked = format!("GET {target} HTTP/1.1\r\nHost: h.example\r\n\r\n");
        let taken = proxy(&site).take(asked.as_bytes(), clock());
        assert_eq!(taken.turn, turn, "{target}");
        if turn == Turn::More {
            assert!(String::from_utf8_lossy(&taken.out).starts_with(placed));
        }
    }
    // What https stored answers http too.
    let asked = b"GET http://h.example/fresh HTTP/1.1\r\nHost: h.example\r\n\r\n";
    assert_eq!(proxy(&site).take(asked, clock()).turn, Turn::More);
}

#[test]
fn a_tunnel() {
    let site = Site::new();
    let mut lane = proxy(&site);
    let connect = format!("CONNECT h.example:443 HTTP/1.1\r\nCachy-Run: {RUN}\r\n\r\n");
    let with_more = format!("{connect}\u{16}more");
    let taken = lane.take(with_more.as_bytes(), clock());
    assert_eq!(
        (taken.turn, taken.rest),
        (Turn::Connect, with_more.into_bytes())
    );
    assert_eq!((lane.origin(), lane.run()), ((HOST, 443), Some(RUN)));
    lane.tunnel(Scheme::Https, Some(HOST.to_owned()));
    let asked = Asked::get("/fresh").with("Connection", "close");
    assert_eq!(
        Site::fast(&mut lane, &asked, soon()).unwrap().status(),
        "200"
    );
    assert_eq!(Site::fast(&mut lane, &Asked::get("/none"), soon()), None);
    site.slow(&asked, soon());
    site.check_counts();
    // Another name than the one that TLS was told.
    let mut lane = proxy(&site);
    lane.take(connect.as_bytes(), clock());
    lane.tunnel(Scheme::Https, Some("other.example".to_owned()));
    assert_eq!(Site::fast(&mut lane, &Asked::get("/fresh"), soon()), None);
    for odd in [
        "h.example",
        "[::1]:443",
        "h.example:0",
        "h.example:443/",
        "cachy.internal:443",
    ] {
        let connect = format!("CONNECT {odd} HTTP/1.1\r\nHost: x\r\n\r\n");
        let taken = proxy(&site).take(connect.as_bytes(), clock());
        assert_eq!(taken.turn, Turn::Slow, "{odd}");
    }
}

#[test]
fn a_run_is_named_once_and_goes_no_further() {
    let site = Site::new();
    let mut lane = Lane::new(
        site.place(),
        Start {
            origin: Some((HOST.to_owned(), 443)),
            scheme: Scheme::Https,
            sni: Some(HOST.to_owned()),
            ..Start::default()
        },
    );
    let other = "f".repeat(32);
    let named = Asked::get("/fresh").with("Cachy-Run", RUN);
    assert!(Site::fast(&mut lane, &named, soon()).is_some());
    assert!(
        Site::fast(
            &mut lane,
            &Asked::get("/fresh").with("Cachy-Run", &other),
            soon()
        )
        .is_some()
    );
    let twice = named.with("Cachy-Run", RUN);
    assert_eq!(Site::fast(&mut lane, &twice, soon()), None);
    for _ in 0..2 {
        site.slow(&Asked::get("/fresh"), soon());
    }
    site.check_counts();
}

#[test]
fn pipelined_and_cut_anywhere() {
    let site = Site::new();
    let all: Vec<_> = ["/fresh", "/gone", "/own/file.txt", "/empty", "/moved"]
        .map(|path| Asked::get(path).bytes())
        .concat();
    let missing = Asked::get("/none").bytes();
    let stream = [all.clone(), missing.clone(), all.clone()].concat();
    let dated = |out: &[u8]| {
        let text = String::from_utf8_lossy(out);
        let lines = text
            .split("\r\n")
            .filter(|line| !line.starts_with("Date: ") && !line.starts_with("Age: "));
        lines.collect::<Vec<_>>().join("\r\n")
    };
    let at_once = site.lane().take(&stream, clock());
    assert_eq!(
        (at_once.turn, at_once.rest.as_slice()),
        (Turn::Slow, &stream[all.len()..])
    );
    assert_eq!(
        at_once
            .out
            .windows(9)
            .filter(|nine| nine == b"HTTP/1.1 ")
            .count(),
        5
    );
    for step in [1, 2, 7, 64] {
        let mut lane = site.lane();
        let (mut out, mut done) = (Vec::new(), 0);
        for piece in stream.chunks(step) {
            done += piece.len();
            let taken = lane.take(piece, clock());
            out.extend(taken.out);
            if taken.turn == Turn::Slow {
                // No more than had come.
                assert_eq!(taken.rest, &stream[all.len()..done]);
                assert!(done >= all.len() + missing.len());
                break;
            }
            assert_eq!(taken.turn, Turn::More);
        }
        assert_eq!(dated(&out), dated(&at_once.out), "{step}");
    }
    for cut in 0..all.len() {
        let mut lane = site.lane();
        let mut out = lane.take(&all[..cut], clock()).out;
        out.extend(lane.take(&all[cut..], clock()).out);
        assert_eq!(dated(&out), dated(&at_once.out), "{cut}");
        assert!(lane.pending().is_empty());
    }
}

#[test]
fn what_waits_to_be_sent_is_bounded() {
    let site = Site::new();
    let mut lane = site.lane();
    let asked = Asked::get("/edge").bytes();
    let large = Asked::get("/large").bytes();
    let last = Asked::get("/large").with("Connection", "close").bytes();
    let all = [asked.repeat(20), large, asked.clone(), last, asked].concat();
    let (mut turns, mut bytes, mut data) = (Vec::new(), 0, all.as_slice());
    loop {
        let taken = lane.take(data, clock());
        data = b"";
        assert!(taken.out.len() < FULL + 70_000);
        bytes += taken.out.len();
        turns.push(taken.turn);
        if taken.turn == Turn::Close {
            break;
        }
    }
    assert!(bytes > 21 * 65536);
    let (again, large) = (Turn::Again, Turn::Body);
    assert_eq!(
        turns,
        [again, again, again, again, again, large, large, Turn::Close]
    );
    assert!(lane.pending().is_empty());
}

#[test]
fn a_head_has_an_end() {
    let site = Site::new();
    let mut lane = site.lane();
    let begun = format!(
        "GET /fresh HTTP/1.1\r\nHost: h.example\r\nX: {}",
        "x".repeat(60_000)
    );
    assert_eq!(lane.take(begun.as_bytes(), clock()).turn, Turn::More);
    let taken = lane.take(&[b'x'; 10_000], clock());
    assert_eq!(
        (taken.turn, taken.rest.len()),
        (Turn::Slow, begun.len() + 10_000)
    );
    let many = "X: y\r\n".repeat(100);
    let many = format!("GET /fresh HTTP/1.1\r\nHost: h.example\r\n{many}\r\n");
    assert_eq!(lane.take(many.as_bytes(), clock()).turn, Turn::Slow);
}

thread_local! {
    static SITE: Site = Site::new();
}

proptest! {
    #[test]
    fn garbage_is_left_alone(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..20),
                prop::sample::select(vec![
                    "GET ", "HEAD ", "CONNECT ", "/fresh", "http://", "h.example", ":443",
                    " HTTP/1.1\r\n", "Host: ", "\r\n", "\r\n\r\n", "Range: bytes=", "Cachy-Run: ",
                ]).prop_map(|text| text.as_bytes().to_vec()),
            ],
            0..12,
        ),
        tunnel in any::<bool>(),
    ) {
        SITE.with(|site| {
            let mut lane = if tunnel { site.lane() } else { proxy(site) };
            let mut taken_so_far = Vec::new();
            for piece in &pieces {
                taken_so_far.extend_from_slice(piece);
                let taken = lane.take(piece, clock());
                match taken.turn {
                    Turn::More => prop_assert!(taken_so_far.ends_with(lane.pending())),
                    Turn::Slow | Turn::Connect => {
                        prop_assert!(taken_so_far.ends_with(&taken.rest));
                        prop_assert!(taken.rest.len() >= piece.len() || !taken.out.is_empty());
                        break;
                    }
                    Turn::Close => break,
                    Turn::Again | Turn::Body => prop_assert!(!taken.out.is_empty()),
                }
            }
            Ok(())
        })?;
    }
}
