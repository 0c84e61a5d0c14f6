//! Everything else that reads bytes from outside: header fields, links, metadata, gzip.
//!
//! ```sh
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none fields -- -max_total_time=60
//! ```
#![no_main]

use cachy::cache_control::CacheControl;
use cachy::coding::Decoder;
use cachy::headers::Headers;
use cachy::key::Target;
use cachy::link::StatusLink;
use cachy::meta::Meta;
use cachy::options::Policy;
use cachy::{conditional, freshness, range, select, storable};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 12] = [
    "cache-control",
    "vary",
    "accept",
    "accept-encoding",
    "if-none-match",
    "if-modified-since",
    "if-range",
    "location",
    "expires",
    "date",
    "age",
    "content-encoding",
];

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|b| *b == 0);
    let fields = NAMES.iter().zip(parts.by_ref());
    let headers = Headers(fields.map(|(n, v)| (n.as_bytes().to_vec(), v.to_vec())).collect());
    let target = Target::parse("https://h/simple/x").expect("a good URL");
    let _ = CacheControl::of(&headers);
    let _ = freshness::initial_age(&headers, 0, 1_700_000_000_000);
    let _ = select::selecting(&target, &headers, &headers);
    let _ = select::accepts_coding(&headers, "gzip");
    let _ = conditional::not_modified(&headers, &headers);
    let _ = conditional::if_range(&headers, &headers);
    for status in [200, 302, 404] {
        let _ = storable::storing(&target, &headers, status, &headers, Policy::Auto);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        let _ = Decoder::default().feed(data, |_| {});
        return;
    };
    if let Some(link) = StatusLink::parse(text) {
        // What cachy writes, it reads again.
        let again = StatusLink::parse(&link.text()).expect("its own text");
        assert_eq!(again.status, link.status);
    }
    if let range::Wanted::Part(part) = range::wanted(Some(text), 1000) {
        assert!(part.start < part.end && part.end <= 1000);
    }
    if let Ok(meta) = serde_json::from_str::<Meta>(text) {
        let text = serde_json::to_string(&meta).expect("metadata");
        assert_eq!(serde_json::from_str::<Meta>(&text).expect("its own"), meta);
    }
});
