//! What a hit costs in the core, in instructions: `python tests/bench/run.py --only core`.
//!
//! Counted under valgrind, so the numbers are the same on a busy machine; system calls count as what leads
//! to them. Whatever is measured was done once before.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use cachy::answer::{self, Answer};
use cachy::body::Chunk;
use cachy::cache_status::CacheStatus;
use cachy::entry::{self, Entry, Found};
use cachy::exchange::{Exchange, Reply, Settings, Step};
use cachy::freshness::clock;
use cachy::headers::Headers;
use cachy::internal::Host;
use cachy::key::{Scheme, Target};
use cachy::lane::head::Reasons;
use cachy::lane::{Lane, Place, Start, Taken, Turn};
use cachy::layout::{RelPath, path_of};
use cachy::request::Request;
use cachy::store::Store;
use gungraun::{library_benchmark, library_benchmark_group, main};
use tempfile::TempDir;

const HOST: &str = "files.example";
const PATH: &[u8] = b"/packages/0d/9b/requests-2.32.3-py3-none-any.whl";
const NOW: i64 = 1_700_000_000_000;

/// A tree with one entry of 10 KB.
struct Tree {
    store: Arc<Store>,
    _folder: TempDir,
}

fn target() -> Target {
    Target::new(Scheme::Https, HOST, 443, PATH).expect("a URL")
}

fn request() -> Request {
    let fields = [
        ("Host", HOST),
        ("User-Agent", "pip/24.0"),
        ("Accept-Encoding", "identity"),
        ("Accept", "*/*"),
        ("Connection", "keep-alive"),
    ];
    let fields = fields.map(|(name, value)| (name.into(), value.into()));
    Request::get(&target(), Headers(fields.into_iter().collect()))
}

fn exchange(store: &Arc<Store>) -> Exchange {
    Exchange::new(Arc::clone(store), Settings::default(), request())
}

fn tree() -> Tree {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(Store::open(Path::new(folder.path())).expect("a tree"));
    let mut first = exchange(&store);
    assert!(matches!(first.decide(true, NOW), Step::Forward(_)));
    let mut headers = Headers::default();
    headers.push("Date", "Tue, 14 Nov 2023 22:13:20 GMT");
    headers.push("Content-Type", "application/octet-stream");
    headers.push("Content-Length", "10000");
    headers.push("ETag", "\"0d9b\"");
    headers.push("Cache-Control", "max-age=365000000, immutable, public");
    assert!(matches!(
        first.response(200, &headers, true, NOW),
        Reply::Body { .. }
    ));
    first.write(&[b'x'; 10_000], NOW).expect("room");
    assert!(first.end(true));
    first.commit();
    first.close(true);
    drop(first);
    let tree = Tree {
        store,
        _folder: folder,
    };
    // What the first hit alone has to do is no part of it.
    drop(hit_of(&tree));
    tree
}

fn hit_of(tree: &Tree) -> Answer {
    match exchange(&tree.store).decide(false, NOW + 1000) {
        Step::Answer(answer) => answer,
        other => panic!("not a hit: {other:?}"),
    }
}

fn found(tree: &Tree) -> Entry {
    match entry::find(&tree.store, &target(), &request().headers, false) {
        Ok(Found::Stored(entry)) => entry,
        other => panic!("not stored: {other:?}"),
    }
}

fn with_entry() -> (Tree, Entry, Headers) {
    let tree = tree();
    let entry = found(&tree);
    (tree, entry, request().headers)
}

fn with_request() -> (Tree, Target, Headers) {
    (tree(), target(), request().headers)
}

fn with_answer() -> (Tree, Answer) {
    let tree = tree();
    let answer = hit_of(&tree);
    (tree, answer)
}

/// A lane in a tunnel, by which the entry went out before, and what now asks for it.
fn in_lane() -> (Lane, Vec<u8>, i64) {
    let tree = tree();
    let place = Place {
        store: Arc::clone(&tree.store),
        settings: Settings::default(),
        host: Arc::new(Host::new("cachy.internal", None, None, Arc::default()).expect("a name")),
        ledger: Arc::default(),
        reasons: Arc::new(Reasons::from_iter([(200, "OK".to_owned())])),
    };
    let start = Start {
        origin: Some((HOST.to_owned(), 443)),
        scheme: Scheme::Https,
        sni: Some(HOST.to_owned()),
        ..Start::default()
    };
    let mut lane = Lane::new(place, start);
    let mut asked = [b"GET ", PATH, b" HTTP/1.1\r\n"].concat();
    for (name, value) in &request().headers.0 {
        asked.extend([name, &b": "[..], value, b"\r\n"].concat());
    }
    asked.extend(b"\r\n");
    // What was touched a moment ago isn't remembered, and the first hit notes the use.
    let mut now = 0;
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(300));
        now = clock();
        assert_eq!(lane.take(&asked, now).turn, Turn::More);
    }
    std::mem::forget(tree);
    (lane, asked, now)
}

// From the bytes of a request to those of its answer, body included.
#[library_benchmark]
#[bench::hit(setup = in_lane)]
fn lane((mut lane, asked, now): (Lane, Vec<u8>, i64)) -> (Lane, Taken) {
    let taken = lane.take(black_box(&asked), now);
    (lane, taken)
}

// URL -> path.
#[library_benchmark]
fn url_to_path() -> RelPath {
    path_of(&Target::new(black_box(Scheme::Https), HOST, 443, black_box(PATH)).expect("a URL"))
}

// What answers a URL: the file, opened, its record read, whose it is.
#[library_benchmark]
#[bench::hit(setup = with_request)]
fn look_up((tree, target, headers): (Tree, Target, Headers)) -> (Tree, Found) {
    let found = entry::find(&tree.store, &target, &headers, false).expect("readable");
    (tree, black_box(found))
}

// The head of an answer.
#[library_benchmark]
#[bench::hit(setup = with_entry)]
fn head((tree, entry, headers): (Tree, Entry, Headers)) -> (Tree, Answer) {
    (
        tree,
        black_box(answer::stored(
            entry,
            &headers,
            false,
            CacheStatus::hit(),
            NOW + 1000,
        )),
    )
}

// All that is decided, statistics included.
#[library_benchmark]
#[bench::hit(setup = tree)]
fn whole(tree: Tree) -> (Tree, Answer) {
    let answer = hit_of(&tree);
    (tree, black_box(answer))
}

// The body of 10 KB.
#[library_benchmark]
#[bench::hit(setup = with_answer)]
fn body((tree, mut answer): (Tree, Answer)) -> (Tree, Answer, Vec<u8>) {
    let Chunk::Bytes(bytes) = answer.body.read(1 << 16).expect("readable") else {
        panic!("no bytes");
    };
    (tree, answer, black_box(bytes))
}

library_benchmark_group!(name = hit; benchmarks = url_to_path, look_up, head, body, whole, lane);
main!(library_benchmark_groups = hit);
