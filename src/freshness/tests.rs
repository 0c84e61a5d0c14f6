use super::*;
use crate::key::Scheme;
use crate::key::Target;
use crate::meta::{Seen, Stored};

const NOW: Millis = 1_700_000_000_000;

fn record(status: u16, headers: &[(&str, &str)]) -> Record {
    Record {
        scheme: Scheme::Https,
        status,
        headers: fields(headers),
        selecting: Vec::new(),
        stored_at: NOW,
        initial_age: 0,
        checked_at: None,
        close_delimited: false,
        decoded: false,
        label: false,
        unsettled: None,
        bond: None,
        stored: Stored::File {
            seen: Seen {
                size: 0,
                mtime_ns: 0,
            },
            sha256: String::new(),
        },
    }
}

fn fields(pairs: &[(&str, &str)]) -> Headers {
    let pairs = pairs.iter();
    Headers(pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect())
}

fn later(record: &Record, url: &str, request: &[(&str, &str)], seconds: Millis) -> Verdict {
    let target = Target::parse(url).unwrap();
    judge(
        record,
        &Terms::of(record, &target),
        &fields(request),
        Policy::Auto,
        NOW + seconds * 1000,
    )
}

const YEARS: Millis = 100_000_000;

const WHEEL: &str = "https://h.example/six-1.16.0-py2.py3-none-any.whl";

#[test]
fn what_names_a_version_is_never_asked_for_of_ourselves() {
    let stored = record(200, &[("Cache-Control", "max-age=1"), ("ETag", "\"a\"")]);
    let asks = |pairs: &[(&str, &str)]| later(&stored, WHEEL, pairs, YEARS);
    assert_eq!(asks(&[]), Verdict::Fresh);
    assert_eq!(asks(&[("If-None-Match", "\"x\"")]), Verdict::Fresh);
    // A person is heard, and no habit.
    assert_eq!(asks(&[("Cache-Control", "no-cache")]), Verdict::Requested);
    assert_eq!(asks(&[("Cache-Control", "max-age=0")]), Verdict::Requested);
    assert_eq!(asks(&[("Pragma", "no-cache")]), Verdict::Requested);
    assert_eq!(asks(&[("Cache-Control", "max-age=60")]), Verdict::Fresh);
    assert_eq!(
        asks(&[("Cache-Control", "no-cache, no-store")]),
        Verdict::Fresh
    );
    let wagon = [("Cache-control", "no-cache"), ("Cache-store", "no-store")];
    assert_eq!(asks(&wagon), Verdict::Fresh);
    let maven = [
        ("Cache-control", "no-cache"),
        ("Pragma", "no-cache"),
        ("User-Agent", "Apache-Maven/3.8.7 (Java 17.0.15; Linux 6.1)"),
    ];
    assert_eq!(asks(&maven), Verdict::Fresh);
    let part = [("Cache-Control", "no-cache"), ("Range", "bytes=-100")];
    assert_eq!(asks(&part), Verdict::Fresh);
    let mut cut = stored.clone();
    cut.close_delimited = true;
    assert_eq!(later(&cut, WHEEL, &[], YEARS), Verdict::Stale);
}

#[test]
fn what_names_a_digest_is_asked_for_where_a_person_says_so() {
    let url = format!(
        "https://h.example/dists/x/by-hash/SHA256/{}",
        "0".repeat(64)
    );
    let stored = record(200, &[]);
    let asks = |said| later(&stored, &url, &[("Cache-Control", said)], YEARS);
    assert_eq!(asks("no-cache"), Verdict::Requested);
    // As apt says of every index.
    assert_eq!(asks("max-age=0"), Verdict::Fresh);
}

#[test]
fn the_origin_says() {
    let stored = record(200, &[("Cache-Control", "max-age=60")]);
    assert_eq!(
        later(&stored, "https://h.example/simple/x/", &[], 59),
        Verdict::Fresh
    );
    assert_eq!(
        later(&stored, "https://h.example/a.zip", &[], 60),
        Verdict::Stale
    );
    let shared = record(200, &[("Cache-Control", "s-maxage=10, max-age=60")]);
    assert_eq!(
        later(&shared, "https://h.example/a.zip", &[], 10),
        Verdict::Stale
    );
    let asked = record(200, &[("Cache-Control", "no-cache, max-age=60")]);
    assert_eq!(
        later(&asked, "https://h.example/a.zip", &[], 0),
        Verdict::Stale
    );
    let expired = record(200, &[("Expires", "0")]);
    assert_eq!(
        later(&expired, "https://h.example/a.zip", &[], 0),
        Verdict::Stale
    );
    let date = "Tue, 14 Nov 2023 22:13:20 GMT";
    let soon = "Tue, 14 Nov 2023 22:14:20 GMT";
    let minute = record(200, &[("Date", date), ("Expires", soon)]);
    assert_eq!(
        later(&minute, "https://h.example/a.zip", &[], 59),
        Verdict::Fresh
    );
    assert_eq!(
        later(&minute, "https://h.example/a.zip", &[], 60),
        Verdict::Stale
    );
}

#[test]
fn served_while_it_is_checked() {
    let swr = "max-age=60, stale-while-revalidate=30";
    let stored = record(200, &[("Cache-Control", swr)]);
    let at = |seconds| later(&stored, "https://h.example/a.zip", &[], seconds);
    assert_eq!(at(59), Verdict::Fresh);
    assert_eq!(at(60), Verdict::Behind);
    assert_eq!(at(89), Verdict::Behind);
    assert_eq!(at(90), Verdict::Stale);
    for strict in ["must-revalidate", "proxy-revalidate"] {
        let strict = format!("{swr}, {strict}");
        let stored = record(200, &[("Cache-Control", &strict)]);
        assert_eq!(
            later(&stored, "https://h.example/a.zip", &[], 70),
            Verdict::Stale
        );
    }
}

/// For how many seconds it is served unasked, `None`: for years.
fn lasts(stored: &Record, url: &str) -> Option<Millis> {
    let terms = Terms::of(stored, &Target::parse(url).unwrap());
    let none = Headers::default();
    let is_fresh = |seconds: &Millis| {
        judge(stored, &terms, &none, Policy::Auto, NOW + seconds * 1000) == Verdict::Fresh
    };
    (0..200_000).find(|seconds| !is_fresh(seconds))
}

#[test]
fn the_origin_says_nothing() {
    let (day, ago) = (86_400, |seconds: Millis| format_date(NOW - seconds * 1000));
    let (zip, index) = ("https://h.example/a.zip", "https://h.example/simple/x/");
    let hour = ago(36_000);
    let year = ago(365 * day);
    // Nothing is checked twice within five seconds.
    let tag = record(200, &[("ETag", "\"a\"")]);
    assert_eq!((lasts(&tag, zip), lasts(&tag, index)), (Some(5), Some(5)));
    let aged = record(200, &[("Last-Modified", &hour)]);
    assert_eq!(
        (lasts(&aged, zip), lasts(&aged, index)),
        (Some(3600), Some(5))
    );
    let old = record(200, &[("Last-Modified", &year)]);
    assert_eq!(lasts(&old, zip), Some(day));
    let to_come = record(200, &[("Last-Modified", &ago(-3600))]);
    assert_eq!(lasts(&to_come, zip), Some(5));
    let unreadable = record(200, &[("Last-Modified", "yesterday")]);
    assert_eq!(lasts(&unreadable, zip), Some(5));
    // Without a validator it would be all of it again.
    let bare = record(200, &[]);
    assert_eq!(
        (lasts(&bare, zip), lasts(&bare, index)),
        (Some(60), Some(5))
    );
    let mut late = bare.clone();
    late.initial_age = 1000;
    assert_eq!(lasts(&late, zip), Some(60));
    // None of that is a lifetime.
    for said in [
        "must-revalidate",
        "public",
        "private",
        "immutable",
        "no-transform",
    ] {
        let stored = record(200, &[("Cache-Control", said), ("Last-Modified", &hour)]);
        assert_eq!(lasts(&stored, zip), Some(3600), "{said}");
    }
    // A tenth of the age that it had by the clock of the origin.
    let (date, modified) = (ago(1000), ago(2000));
    let dated = record(200, &[("Date", &date), ("Last-Modified", &modified)]);
    assert_eq!(lasts(&dated, zip), Some(100));
}

#[test]
fn statuses_without_a_word() {
    for status in [301, 302, 303, 307, 308, 404, 410] {
        for url in ["https://h.example/a", "https://h.example/simple/six/"] {
            assert_eq!(
                lasts(&record(status, &[]), url),
                Some(600),
                "{status} {url}"
            );
        }
    }
    assert_eq!(lasts(&record(404, &[]), WHEEL), Some(30));
    assert_eq!(lasts(&record(302, &[]), WHEEL), Some(600));
    let stated = record(404, &[("Cache-Control", "max-age=90")]);
    assert_eq!(lasts(&stated, WHEEL), Some(90));
    assert_eq!(
        lasts(&record(302, &[]), "https://h.example/o/r/releases/latest"),
        Some(5)
    );
    let mut slash = record(301, &[]);
    slash.stored = Stored::Slash { body: Vec::new() };
    assert_eq!(lasts(&slash, "https://h.example/o/r/latest"), Some(600));
}

#[test]
fn names_of_private_networks_are_checked_where_nothing_is_stated() {
    let year = format_date(NOW - 365 * 86_400_000);
    for url in [
        "http://nas.lan/a.zip",
        "https://artifactory/a.zip",
        "http://10.0.0.1/a.zip",
        "http://web:8000/items",
    ] {
        for status in [200, 302, 404] {
            let stored = record(status, &[("Last-Modified", &year)]);
            assert_eq!(lasts(&stored, url), Some(0), "{status} {url}");
        }
        let stated = record(200, &[("Cache-Control", "max-age=90")]);
        assert_eq!(lasts(&stated, url), Some(90));
    }
    let wheel = "https://artifactory/six-1.16.0-py2.py3-none-any.whl";
    assert_eq!(lasts(&record(200, &[]), wheel), None);
    assert_eq!(lasts(&record(404, &[]), wheel), Some(30));
}

#[test]
fn a_condition_of_which_the_validator_is_ours_asks_for_nothing() {
    let modified = "Tue, 14 Nov 2023 22:13:00 GMT";
    let said = "max-age=1000, must-revalidate";
    let fields = [
        ("Cache-Control", said),
        ("ETag", "\"a\""),
        ("Last-Modified", modified),
    ];
    let stored = record(200, &fields);
    let at = |pairs: &[(&str, &str)]| later(&stored, "https://h.example/lodash", pairs, 30);
    for ours in [
        &[("If-None-Match", "\"a\"")][..],
        &[("If-None-Match", "\"b\", W/\"a\"")],
        &[("If-None-Match", "\"a\""), ("If-Modified-Since", "x")],
        &[("If-Modified-Since", modified)],
        &[("If-Match", "\"a\"")],
        &[("If-Unmodified-Since", modified)],
    ] {
        assert_eq!(at(ours), Verdict::Fresh, "{ours:?}");
    }
    for other in [
        &[("If-None-Match", "\"b\"")][..],
        &[("If-None-Match", "*")],
        &[("If-None-Match", "\"b\""), ("If-Modified-Since", modified)],
        &[("If-Modified-Since", "Tue, 14 Nov 2023 22:13:01 GMT")],
        &[("If-Modified-Since", "")],
        &[("If-None-Match", "\"a\""), ("If-Match", "\"b\"")],
        &[("If-None-Match", "\"a\""), ("Cache-Control", "no-cache")],
    ] {
        assert_eq!(at(other), Verdict::Requested, "{other:?}");
    }
    let ours = [("If-None-Match", "\"a\"")];
    // What is only guessed to be fresh is asked about.
    let guessed = record(
        200,
        &[
            ("ETag", "\"a\""),
            ("Last-Modified", "Tue, 14 Nov 2000 22:13:00 GMT"),
        ],
    );
    assert_eq!(
        later(&guessed, "https://h.example/a.zip", &[], 30),
        Verdict::Fresh
    );
    assert_eq!(
        later(&guessed, "https://h.example/a.zip", &ours, 30),
        Verdict::Requested
    );
    assert_eq!(
        later(&stored, "https://h.example/lodash", &ours, 1000),
        Verdict::Stale
    );
}

#[test]
fn what_is_to_be_asked_about_each_time_is() {
    for said in ["no-cache", "max-age=0", "no-cache, max-age=60"] {
        let mut stored = record(200, &[("Cache-Control", said)]);
        stored.checked_at = Some(NOW);
        assert_eq!(
            lasts(&stored, "https://h.example/o/r.git/info/refs"),
            Some(0)
        );
    }
}

#[test]
fn the_client_asks() {
    let stored = record(200, &[("Cache-Control", "max-age=1000")]);
    let ask = |pairs: &[(&str, &str)]| later(&stored, "https://h.example/a.zip", pairs, 30);
    assert_eq!(ask(&[("Cache-Control", "max-age=0")]), Verdict::Requested);
    assert_eq!(ask(&[("Cache-Control", "max-age=31")]), Verdict::Fresh);
    assert_eq!(ask(&[("Cache-Control", "no-cache")]), Verdict::Requested);
    assert_eq!(ask(&[("Pragma", "no-cache")]), Verdict::Requested);
    assert_eq!(ask(&[("If-None-Match", "\"x\"")]), Verdict::Requested);
}

#[test]
fn what_was_just_fetched_is_not_asked_for_again() {
    let reload = [("Cache-Control", "max-age=0")];
    let fresh = record(200, &[("Cache-Control", "max-age=1000")]);
    let stale = record(200, &[("Cache-Control", "max-age=0")]);
    let at = |stored, seconds| later(stored, "https://h.example/simple/x/", &reload, seconds);
    assert_eq!(at(&fresh, 4), Verdict::Fresh);
    assert_eq!(at(&fresh, 5), Verdict::Requested);
    assert_eq!(at(&fresh, -1), Verdict::Requested);
    assert_eq!(at(&stale, 4), Verdict::Requested);
    let silent = record(200, &[]);
    assert_eq!(at(&silent, 4), Verdict::Fresh);
    assert_eq!(at(&silent, 5), Verdict::Requested);
    let index = |seconds| later(&silent, "https://h.example/simple/x/", &[], seconds);
    assert_eq!((index(4), index(5)), (Verdict::Fresh, Verdict::Stale));
}

#[test]
fn no_check_is_repeated_at_once() {
    let mut stored = record(200, &[("Cache-Control", "max-age=10")]);
    stored.initial_age = 10;
    stored.checked_at = Some(NOW);
    let reload = [("Cache-Control", "max-age=0")];
    assert_eq!(
        later(&stored, "https://h.example/simple/x/", &reload, 4),
        Verdict::Fresh
    );
    assert_eq!(
        later(&stored, "https://h.example/simple/x/", &reload, 5),
        Verdict::Requested
    );
    // A check that lies in the future says nothing.
    assert_eq!(
        later(&stored, "https://h.example/simple/x/", &[], -60),
        Verdict::Stale
    );
}

#[test]
fn a_clock_set_back_makes_a_stated_lifetime_void() {
    let stored = record(200, &[("Cache-Control", "max-age=60")]);
    assert_eq!(
        later(&stored, "https://h.example/a.zip", &[], -3600),
        Verdict::Stale
    );
}

#[test]
fn age_at_arrival() {
    let date = format_date(NOW - 20_000);
    assert_eq!(initial_age(&fields(&[("Date", &date)]), 0, NOW), 20);
    assert_eq!(initial_age(&fields(&[("Age", "700")]), 2_000, NOW), 702);
    assert_eq!(initial_age(&fields(&[("Age", "x")]), 0, NOW), 0);
}

#[test]
fn forever_is_forever() {
    let target = Target::parse("https://h.example/simple/x/").unwrap();
    let stored = record(404, &[("Cache-Control", "max-age=1")]);
    let reload = fields(&[("Cache-Control", "no-cache")]);
    let verdict = judge(
        &stored,
        &Terms::of(&stored, &target),
        &reload,
        Policy::Forever,
        NOW + YEARS,
    );
    assert_eq!(verdict, Verdict::Fresh);
}
