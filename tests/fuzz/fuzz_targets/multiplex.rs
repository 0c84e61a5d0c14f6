//! What either side of an HTTP/2 connection in the fast lane sends.
//!
//! ```sh
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none multiplex -- \
//!     -max_total_time=60
//! ```
#![no_main]

use std::fs;
use std::sync::{Arc, LazyLock};

use cachy::exchange::Settings;
use cachy::freshness::clock;
use cachy::internal::Host;
use cachy::key::Scheme;
use cachy::lane::{Lane, Place, Start};
use cachy::multiplex::Multiplex;
use cachy::store::Store;
use libfuzzer_sys::fuzz_target;
use parking_lot::Mutex;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A tree with a person's file.
static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("cachy-fuzz-{}", std::process::id()));
    fs::create_dir_all(folder.join("h")).expect("a folder");
    fs::write(folder.join("h/a"), [b'x'; 70_000]).expect("a file");
    Place {
        store: Arc::new(Store::open(&folder).expect("a tree")),
        settings: Settings::default(),
        host: Arc::new(Host::new("cachy.internal", None, None, Arc::default()).expect("a name")),
        ledger: Arc::default(),
        reasons: Arc::default(),
    }
});

// Pieces with a byte before each that says whose it is, whether there is room, and how long it is.
fuzz_target!(|data: &[u8]| {
    let start = Start {
        origin: Some(("h".to_owned(), 443)),
        scheme: Scheme::Https,
        ..Start::default()
    };
    let lane = Lane::new(PLACE.clone(), start);
    let mut multiplex = Multiplex::new(Arc::new(Mutex::new(lane)));
    let mut over = multiplex.take(PREFACE, true, clock()).over;
    let mut rest = data;
    while let [how, bytes @ ..] = rest {
        let length = usize::from(how >> 2).min(bytes.len());
        let (piece, left) = bytes.split_at(length);
        let room = how & 1 == 1;
        let turn = if how & 2 == 2 {
            multiplex.answer(piece, room, clock())
        } else {
            multiplex.take(piece, room, clock())
        };
        assert!(turn.over || !over);
        assert!(turn.out.len() < 1 << 20);
        over = turn.over;
        rest = left;
    }
});
