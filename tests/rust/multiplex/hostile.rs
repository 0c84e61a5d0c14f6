//! Bytes that are no HTTP/2, from either side.

use std::sync::{Arc, LazyLock};

use cachy::multiplex::Multiplex;
use parking_lot::Mutex;
use proptest::prelude::*;

use crate::site::{Site, soon};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static SITE: LazyLock<Site> = LazyLock::new(Site::new);

/// A frame, well-formed but for what is in it (RFC 9113 section 4.1).
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop::collection::vec(any::<u8>(), 0..60);
    (0..12_u8, any::<u8>(), 0..6_u8, payload).prop_map(|(kind, flags, stream, payload)| {
        let length = u8::try_from(payload.len()).unwrap();
        let mut bytes = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
        bytes.extend(payload);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_of_it_does_harm(
        preface in any::<bool>(),
        frames in prop::collection::vec((any::<bool>(), frame()), 0..20),
    ) {
        let mut multiplex = Multiplex::new(Arc::new(Mutex::new(SITE.lane())));
        let mut over = false;
        if preface {
            multiplex.take(PREFACE, true, soon());
        }
        for (ours, bytes) in frames {
            let turn = if ours {
                multiplex.take(&bytes, true, soon())
            } else {
                multiplex.answer(&bytes, true, soon())
            };
            // Once over, always over.
            assert!(turn.over || !over);
            over = turn.over;
            assert!(turn.out.len() < 1 << 20);
        }
    }
}

#[test]
fn what_is_no_http_2_ends_the_connection() {
    let site = Site::new();
    let mut multiplex = Multiplex::new(Arc::new(Mutex::new(site.lane())));
    let turn = multiplex.take(b"GET / HTTP/1.1\r\nHost: h.example\r\n\r\n", true, soon());
    assert!(turn.over && turn.inner.is_empty());
}
