//! What tests of a whole tree have in common.

// Not every test uses all of it.
#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use cachy::exchange::{Exchange, Reply, Settings, Step};
use cachy::headers::Headers;
use cachy::key::Target;
use cachy::request::Request;
use cachy::store::Store;
use cachy::survey::walk;

pub const NOW: i64 = 1_700_000_000_000;

pub fn open(folder: &Path) -> Arc<Store> {
    Arc::new(Store::open(folder).unwrap())
}

pub fn target(url: &str) -> Target {
    Target::parse(url).unwrap()
}

pub fn exchange(store: &Arc<Store>, url: &str, fields: &[(&str, &str)]) -> Exchange {
    let fields = fields.iter().map(|(n, v)| ((*n).into(), (*v).into()));
    let request = Request::get(&target(url), Headers(fields.collect()));
    Exchange::new(Arc::clone(store), Settings::default(), request)
}

/// Fetches a URL that is missing, and says that it was last used at `used`.
pub fn fetch(store: &Arc<Store>, url: &str, body: &[u8], asked: &[(&str, &str)], used: i64) {
    let mut exchange = exchange(store, url, asked);
    assert!(
        matches!(exchange.decide(true, NOW), Step::Forward(_)),
        "{url}"
    );
    let mut headers = Headers::default();
    headers.push("Cache-Control", "max-age=3600");
    if !asked.is_empty() {
        headers.push("Vary", "Accept-Language");
    }
    let reply = exchange.response(200, &headers, true, NOW);
    assert!(matches!(reply, Reply::Body { .. }));
    exchange.write(body, NOW).unwrap();
    assert!(exchange.end(true));
    exchange.commit();
    exchange.close(true);
    use_at(store, used);
}

/// Everything that was just stored was last used then.
pub fn use_at(store: &Store, used: i64) {
    for folder in fs::read_dir(store.tree.path(".cachy/meta")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            // Another thread of the test may be removing it.
            let file = fs::File::options().append(true).open(file.unwrap().path());
            let Ok(file) = file else { continue };
            let time = file.metadata().unwrap().mtime();
            // Later than any time that a test says.
            if time > NOW / 1000 + 1_000_000 {
                let at = UNIX_EPOCH + Duration::from_millis(used.try_into().unwrap());
                file.set_modified(at).unwrap();
            }
        }
    }
}

/// A whole answer from the tree, or none.
pub fn served(store: &Arc<Store>, url: &str, asked: &[(&str, &str)], now: i64) -> Option<Vec<u8>> {
    match exchange(store, url, asked).decide(true, now) {
        Step::Answer(mut answer) if answer.status == 200 => {
            let mut all = Vec::new();
            while let cachy::body::Chunk::Bytes(bytes) = answer.body.read(1 << 20).unwrap() {
                all.extend(bytes);
            }
            Some(all)
        }
        _ => None,
    }
}

pub fn paths(store: &Store) -> Vec<String> {
    let mut found = Vec::new();
    walk(store, true, |item| {
        found.push(item.path.as_str().to_owned());
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    found
}
