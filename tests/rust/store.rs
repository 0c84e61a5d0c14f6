//! The store on a real folder: whose a file is after a crash at each point, in whichever order
//! files and folders come, and under many hands at once.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cachy::entry::{Found, find};
use cachy::exchange::{Exchange, Reply, Settings, Step};
use cachy::headers::Headers;
use cachy::key::Target;
use cachy::layout::path_of;
use cachy::meta::Meta;
use cachy::request::Request;
use cachy::store::Store;
use cachy::way::Way;
use tempfile::TempDir;

const NOW: i64 = 1_700_000_000_000;

fn open(folder: &Path) -> Arc<Store> {
    Arc::new(Store::open(folder).unwrap())
}

fn request(url: &str) -> Request {
    let target = Target::parse(url).unwrap();
    Request {
        method: "GET".into(),
        scheme: target.scheme(),
        host: target.host().into(),
        port: target.port(),
        path: url
            .splitn(4, '/')
            .nth(3)
            .map_or_else(|| b"/".to_vec(), |p| format!("/{p}").into()),
        headers: Headers::default(),
        authority: None,
        sni: None,
        way: Way::Named,
        special: false,
        multiplexed: false,
        old: false,
    }
}

fn exchange(store: &Arc<Store>, url: &str) -> Exchange {
    Exchange::new(Arc::clone(store), Settings::default(), request(url))
}

/// Fetches a URL as a client would that always misses.
fn fetch(store: &Arc<Store>, url: &str, status: u16, body: &[u8], fields: &[(&str, &str)]) {
    let mut exchange = exchange(store, url);
    let Step::Forward(_) = exchange.decide(true, NOW) else {
        panic!("{url} should go upstream");
    };
    let fields = fields.iter().map(|(n, v)| ((*n).into(), (*v).into()));
    deliver(exchange, status, &Headers(fields.collect()), body);
}

/// Upstream's whole answer.
fn deliver(mut exchange: Exchange, status: u16, fields: &Headers, body: &[u8]) {
    let reply = exchange.response(status, fields, false, NOW);
    assert!(matches!(reply, Reply::Body { .. }));
    exchange.write(body, NOW).unwrap();
    assert!(exchange.end(true));
    exchange.commit();
    exchange.close(true);
}

/// How much lies under `.cachy/tmp`.
fn temporary(folder: &TempDir) -> usize {
    fs::read_dir(folder.path().join(".cachy/tmp"))
        .unwrap()
        .count()
}

/// What a client gets without upstream: status and body.
fn served(store: &Arc<Store>, url: &str) -> Option<(u16, Vec<u8>)> {
    match exchange(store, url).decide(true, NOW) {
        Step::Answer(mut answer) => {
            let mut all = Vec::new();
            while let cachy::body::Chunk::Bytes(bytes) = answer.body.read(1 << 20).unwrap() {
                all.extend(bytes);
            }
            Some((answer.status, all))
        }
        _ => None,
    }
}

fn is_persons(store: &Store, url: &str) -> bool {
    let target = Target::parse(url).unwrap();
    let found = find(store, &target, &Headers::default(), true).unwrap();
    matches!(found, Found::Placed(_) | Found::PlacedStatus(_))
}

#[test]
fn a_crash_between_record_and_rename_leaves_cachys_own_entry() {
    let folder = TempDir::new().unwrap();
    let url = "https://h.example/a.txt";
    fetch(&open(folder.path()), url, 200, b"old", &[]);
    let before = fs::read(folder.path().join("h.example/a.txt")).unwrap();
    let store = open(folder.path());
    let rel = path_of(&Target::parse(url).unwrap());
    let old = Meta::load(&store.tree, &rel).unwrap().unwrap();
    // The state after the new record is durable and before its body is in place.
    let other = TempDir::new().unwrap();
    let elsewhere = open(other.path());
    fetch(&elsewhere, url, 200, b"the new one", &[]);
    let mut new = Meta::load(&elsewhere.tree, &rel).unwrap().unwrap();
    new.records.extend(old.records);
    new.save(&store.tree, &rel).unwrap();
    assert!(!is_persons(&store, url));
    assert_eq!(served(&store, url), Some((200, before)));
    // And the body alone missing is a miss.
    fs::remove_file(folder.path().join("h.example/a.txt")).unwrap();
    assert_eq!(served(&store, url), None);
}

#[test]
fn what_a_crash_left_behind_is_swept_and_what_is_being_written_is_not() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let (temp, _file) = store.tree.temp_file().unwrap();
    fs::write(folder.path().join(".cachy/tmp/dead"), b"half").unwrap();
    symlink("404", folder.path().join(".cachy/tmp/dead-link")).unwrap();
    open(folder.path());
    assert_eq!(temporary(&folder), 1);
    drop(temp);
    assert_eq!(temporary(&folder), 0);
}

#[test]
fn file_and_folder_in_both_orders() {
    let leaf = "https://h.example/lodash";
    let below = "https://h.example/lodash/-/lodash-4.0.0.tgz";
    for (first, second) in [(leaf, below), (below, leaf)] {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path());
        fetch(&store, first, 200, first.as_bytes(), &[]);
        fetch(&store, second, 200, second.as_bytes(), &[]);
        for url in [leaf, below] {
            assert_eq!(served(&store, url), Some((200, url.as_bytes().to_vec())));
            assert!(!is_persons(&store, url), "{url}");
        }
        assert!(folder.path().join("h.example/lodash/%~self").is_file());
        assert_eq!(temporary(&folder), 0);
    }
}

#[test]
fn a_persons_file_and_a_status_make_room_for_a_folder() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    fs::create_dir(folder.path().join("h.example")).unwrap();
    fs::write(folder.path().join("h.example/mine"), b"mine").unwrap();
    fetch(&store, "https://h.example/gone", 404, b"no such thing", &[]);
    fetch(&store, "https://h.example/mine/below", 200, b"b", &[]);
    fetch(&store, "https://h.example/gone/below", 200, b"b", &[]);
    assert_eq!(
        served(&store, "https://h.example/mine"),
        Some((200, b"mine".to_vec()))
    );
    assert!(is_persons(&store, "https://h.example/mine"));
    let gone = Some((404, b"no such thing".to_vec()));
    assert_eq!(served(&store, "https://h.example/gone"), gone);
    assert!(!is_persons(&store, "https://h.example/gone"));
}

#[test]
fn nobody_who_waits_is_forgotten() {
    const URLS: usize = 120;
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let fetched = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for hand in 0..8_usize {
            let (store, fetched) = (&store, &fetched);
            scope.spawn(move || {
                for n in 0..URLS {
                    // Each in an order of its own.
                    let url = format!(
                        "https://h.example/{}",
                        (n * [1, 7, 11, 13][hand % 4] + hand) % URLS
                    );
                    let mut asked = exchange(store, &url);
                    loop {
                        match asked.decide(true, NOW) {
                            Step::Forward(_) => {
                                fetched.fetch_add(1, Ordering::Relaxed);
                                std::thread::sleep(Duration::from_millis(2));
                                deliver(asked, 200, &Headers::default(), url.as_bytes());
                                break;
                            }
                            Step::Wait(ticket) => {
                                assert!(
                                    ticket.wait(Duration::from_secs(30)),
                                    "{url} was forgotten"
                                );
                            }
                            Step::Answer(answer) => break assert_eq!(answer.status, 200),
                            other => panic!("{other:?}"),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(fetched.into_inner(), URLS);
}

#[test]
fn who_joins_an_attempt_late_has_one_of_its_own() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let url = "https://h.example/a";
    let begin = |at: i64| {
        let mut exchange = exchange(&store, url);
        let step = exchange.decide(true, NOW + at);
        (exchange, step)
    };
    let (mut first, step) = begin(0);
    assert!(matches!(step, Step::Forward(_)));
    let [(mut early, _), (mut late, _), (mut later, step)] = [10, 28_000, 29_000].map(begin);
    assert!(matches!(step, Step::Wait(_)));
    first.failed("no connection in time", false, NOW + 29_900);
    let end = NOW + 29_900;
    assert!(matches!(early.decide(true, end), Step::Answer(answer) if answer.status == 502));
    assert!(matches!(late.decide(true, end), Step::Forward(_)));
    assert!(matches!(later.decide(true, end), Step::Wait(_)));
    // What fails at once fails for all.
    late.failed("refused", false, NOW + 30_000);
    assert!(
        matches!(later.decide(true, NOW + 30_000), Step::Answer(answer) if answer.status == 502)
    );
}

#[test]
fn many_hands_on_one_tree() {
    let folder = TempDir::new().unwrap();
    // Two stores are two processes: they share the folder alone.
    let stores = [open(folder.path()), open(folder.path())];
    std::thread::scope(|scope| {
        for hand in 0..6_usize {
            let store = &stores[hand % 2];
            scope.spawn(move || {
                for round in 0..25 {
                    for url in ["https://h.example/p", "https://h.example/p/q", "https://h.example/p/q/r"] {
                        let mut exchange = exchange(store, url);
                        match exchange.decide(true, NOW) {
                            Step::Forward(_) => {}
                            // Another hand of this process fetches it.
                            Step::Wait(_) => continue,
                            Step::Answer(answer) if answer.body.is_growing() => continue,
                            Step::Answer(mut answer) => {
                                // Whatever is seen is whole, and of this URL.
                                let body = answer.body.read(1 << 20).unwrap();
                                assert!(matches!(body, cachy::body::Chunk::Bytes(b) if b == url.as_bytes()));
                                if round % 5 == hand % 5 {
                                    let path = path_of(&Target::parse(url).unwrap());
                                    let _ = fs::remove_file(store.tree.path(path.as_str()));
                                    let _ = fs::remove_file(store.tree.path(path.as_self().as_str()));
                                }
                                continue;
                            }
                            Step::Read | Step::Take => panic!("nothing to wait for"),
                        }
                        deliver(exchange, 200, &Headers::default(), url.as_bytes());
                    }
                }
            });
        }
    });
    for url in [
        "https://h.example/p",
        "https://h.example/p/q",
        "https://h.example/p/q/r",
    ] {
        if served(&stores[0], url).is_some() {
            assert!(!is_persons(&stores[0], url), "{url}");
        }
    }
    assert_eq!(temporary(&folder), 0);
}

#[test]
fn a_tree_that_is_moved_makes_no_file_a_persons() {
    let folder = TempDir::new().unwrap();
    let [tree, away, other] = ["tree", "away", "other"].map(|name| folder.path().join(name));
    for place in [&other, &tree] {
        fs::create_dir(place).unwrap();
        open(place);
    }
    let store = open(&tree);
    let url = "https://h.example/a";
    fetch(&store, url, 200, b"body", &[]);
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..3000 {
                for (here, place) in [(&away, &other), (&other, &away)] {
                    fs::rename(&tree, here).unwrap();
                    fs::rename(place, &tree).unwrap();
                }
            }
            done.store(1, Ordering::Relaxed);
        });
        while done.load(Ordering::Relaxed) == 0 {
            assert!(!is_persons(&store, url));
        }
    });
    assert_eq!(served(&store, url).unwrap().1, b"body");
}

#[test]
fn a_variant_goes_with_its_name() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let url = "https://h.example/doc";
    let ask = |language: &str| {
        let mut request = request(url);
        request.headers.push("Accept-Language", language);
        Exchange::new(Arc::clone(&store), Settings::default(), request)
    };
    for language in ["de", "en", "fr"] {
        let mut exchange = ask(language);
        assert!(
            matches!(exchange.decide(true, NOW), Step::Forward(_)),
            "{language}"
        );
        let vary = Headers(vec![(b"Vary".to_vec(), b"Accept-Language".to_vec())]);
        deliver(exchange, 200, &vary, language.as_bytes());
    }
    for language in ["de", "en", "fr"] {
        assert!(
            matches!(ask(language).decide(true, NOW), Step::Answer(_)),
            "{language}"
        );
    }
    fs::remove_file(folder.path().join("h.example/doc")).unwrap();
    for language in ["de", "en", "fr"] {
        assert!(
            matches!(ask(language).decide(true, NOW), Step::Forward(_)),
            "{language}"
        );
    }
}

#[test]
fn a_link_that_another_process_is_making_is_not_swept() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let left = |at: &TempDir| fs::read_dir(at.path().join(".cachy/tmp")).unwrap().count();
    let making = store.tree.temp_link("404").unwrap();
    // A start waits a moment for those who are busy, and leaves the rest to the next one.
    open(folder.path());
    assert_eq!(left(&folder), 1);
    drop(making);
    symlink("404", folder.path().join(".cachy/tmp/left")).unwrap();
    open(folder.path());
    assert_eq!(left(&folder), 0);
}
