//! What a client sends, before anybody knows whether it is HTTP: the fast lane.
//!
//! ```sh
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none lane -- \
//!     -dict=tests/fuzz/lane.dict -max_total_time=60
//! ```
#![no_main]

use std::fs;
use std::sync::{Arc, LazyLock};

use cachy::exchange::Settings;
use cachy::freshness::clock;
use cachy::internal::Host;
use cachy::key::Scheme;
use cachy::lane::{FULL, Lane, Place, Start, Turn};
use cachy::store::Store;
use libfuzzer_sys::fuzz_target;

/// A tree with a few files of people, one of them large.
static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("cachy-fuzz-{}", std::process::id()));
    fs::create_dir_all(folder.join("h")).expect("a folder");
    for (name, length) in [("a", 10), ("b.txt", 0), ("c", 70_000)] {
        fs::write(folder.join("h").join(name), vec![b'x'; length]).expect("a file");
    }
    Place {
        store: Arc::new(Store::open(&folder).expect("a tree")),
        settings: Settings::default(),
        host: Arc::new(Host::new("cachy.internal", None, None, Arc::default()).expect("a name")),
        ledger: Arc::default(),
        reasons: Arc::default(),
    }
});

// The first byte says how the connection begins, the second into what pieces it comes.
fuzz_target!(|data: &[u8]| {
    let [how, size, bytes @ ..] = data else {
        return;
    };
    let origin = (how & 1 == 1).then(|| ("h".to_owned(), 443));
    let scheme = if how & 2 == 2 {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let start = Start {
        origin,
        scheme,
        upstream: how & 4 == 4,
        ..Start::default()
    };
    let mut lane = Lane::new(PLACE.clone(), start);
    let mut given = 0;
    for piece in bytes.chunks(usize::from(*size).max(1)) {
        given += piece.len();
        let mut taken = lane.take(piece, clock());
        loop {
            assert!(taken.out.len() < FULL + (80 << 10));
            // What isn't answered is given back as it came.
            let left = if taken.rest.is_empty() {
                lane.pending()
            } else {
                &taken.rest
            };
            assert!(taken.turn == Turn::Close || bytes[..given].ends_with(left));
            match taken.turn {
                Turn::Again | Turn::Body => taken = lane.take(b"", clock()),
                Turn::More => break,
                Turn::Slow | Turn::Close => return,
                Turn::Connect => {
                    assert!(lane.origin().1 > 0);
                    lane.tunnel(Scheme::Https, None);
                    break;
                }
            }
        }
    }
});
