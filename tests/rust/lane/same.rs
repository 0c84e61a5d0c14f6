//! The lane answers what the exchange answers, to every request.

use cachy::exchange::Settings;
use cachy::options::{Mode, Policy};
use proptest::prelude::*;

use crate::site::{Asked, Site, soon};

const PATHS: [&str; 36] = [
    "/pool/a_1.0.deb",
    "/fresh",
    "/large",
    "/edge",
    "/empty",
    "/kept",
    "/stale",
    "/behind",
    "/simple/six/",
    "/vary",
    "/coded.txt",
    "/both",
    "/both/",
    "/both/under",
    "/gone",
    "/moved",
    "/for-ever",
    "/slash",
    "/slash/",
    "/slash/index.html",
    "/own/file.txt",
    "/own/%66ile.txt",
    "/own/large.bin",
    "/own/folder/",
    "/own/folder",
    "/own/folder/index.html",
    "/own/missing",
    "/own/there",
    "/own/linked",
    "/way/file.txt",
    "/out/passwd",
    "/none",
    "/a/../fresh",
    "/fresh#x",
    "/fresh?x=1",
    "*",
];

const FIELDS: [(&str, &str); 37] = [
    ("Accept", "*/*"),
    ("Accept", "application/vnd.pypi.simple.v1+json"),
    ("Accept-Encoding", "gzip, br"),
    ("accept-encoding", "identity"),
    ("Accept-Language", "de"),
    ("Accept-Language", "en"),
    ("Accept-Language", "fr"),
    ("Cache-Control", "no-cache"),
    ("Cache-Control", "max-age=0"),
    ("Cache-Control", "max-age=5000"),
    ("Cache-Control", "only-if-cached"),
    ("Pragma", "no-cache"),
    ("Authorization", "Basic eA=="),
    ("Cookie", "a=b"),
    ("If-None-Match", "\"tag\""),
    ("If-None-Match", "*"),
    ("If-None-Match", "\"other\""),
    ("If-Match", "\"other\""),
    ("If-Modified-Since", "Tue, 14 Nov 2023 22:13:20 GMT"),
    ("If-Unmodified-Since", "Tue, 14 Nov 2022 22:13:20 GMT"),
    ("If-Range", "\"tag\""),
    ("If-Range", "\"other\""),
    ("Range", "bytes=0-2"),
    ("range", "bytes=-3"),
    ("Range", "bytes=1-1,3-4"),
    ("Range", "bytes=900000-"),
    ("Range", "lines=1-2"),
    ("Connection", "close"),
    ("Connection", "keep-alive"),
    ("User-Agent", "x"),
    ("Proxy-Connection", "keep-alive"),
    ("TE", "trailers"),
    ("X-Empty", ""),
    ("X-Odd", "a:b\tc"),
    ("Referer", "https://other.example/"),
    ("Origin", "null"),
    ("Via", "1.1 x"),
];

fn settings() -> impl Strategy<Value = Settings> {
    let mode = prop::sample::select(vec![
        Mode::Normal,
        Mode::Normal,
        Mode::Normal,
        Mode::Offline,
        Mode::Refresh,
        Mode::Off,
    ]);
    let policy = prop::sample::select(vec![Policy::Auto, Policy::Auto, Policy::Forever]);
    (mode, policy, any::<bool>()).prop_map(|(mode, policy, private)| Settings {
        mode,
        policy,
        private,
        ..Settings::default()
    })
}

fn asked() -> impl Strategy<Value = Asked<'static>> {
    let fields = prop::collection::vec(prop::sample::select(FIELDS.to_vec()), 0..4);
    let path = prop::sample::select(PATHS.to_vec());
    let method = prop::sample::select(vec!["GET", "GET", "GET", "HEAD"]);
    (method, path, fields).prop_map(|(method, path, fields)| {
        let mut asked = Asked::get(path);
        asked.method = method;
        for (name, value) in fields {
            let twice = name == "Connection" && asked.fields.iter().any(|(n, _)| *n == name);
            if !twice {
                asked.fields.push((name, value));
            }
        }
        asked
    })
}

/// What only the exchange gives: what is there for want of anything better.
fn is_last_resort(site: &Site, asked: &Asked<'_>) -> bool {
    site.settings.mode == Mode::Offline
        && matches!(
            asked.path,
            "/vary" | "/simple/six/" | "/both/" | "/own/folder" | "/slash"
        )
}

#[test]
fn the_lane_answers_what_the_exchange_answers() {
    let mut site = Site::new();
    let settings = settings();
    let mut hits = 0;
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1000)
    });
    let site = std::cell::RefCell::new(&mut site);
    let hits = std::cell::RefCell::new(&mut hits);
    let strategy = (settings, prop::collection::vec(asked(), 1..4));
    runner
        .run(&strategy, |(settings, all)| {
            let mut site = site.borrow_mut();
            site.settings = settings;
            for asked in &all {
                let mut lane = site.lane();
                let now = soon();
                let fast = Site::fast(&mut lane, asked, now);
                let slow = site.slow(asked, now);
                if fast.is_none() && is_last_resort(&site, asked) {
                    continue;
                }
                **hits.borrow_mut() += u32::from(fast.is_some());
                prop_assert_eq!(fast, slow, "{:?}", asked);
            }
            Ok(())
        })
        .unwrap();
    assert!(**hits.borrow() > 300);
}

#[test]
fn everything_is_counted_as_the_exchange_counts_it() {
    let site = Site::new();
    let mut lane = site.lane();
    for path in PATHS {
        for _ in 0..3 {
            let asked = Asked::get(path);
            site.ask(&mut lane, &asked);
            site.ask(&mut lane, &asked);
            site.ask(&mut lane, &asked.clone().with("Range", "bytes=0-1"));
            let head = Asked {
                method: "HEAD",
                ..asked
            };
            site.ask(&mut lane, &head);
        }
    }
    site.check_counts();
    assert!(site.store.recall.bytes() > 0);
}
