//! Everything else that reads bytes from outside: header fields, links, metadata, gzip, uploads.
//!
//! ```sh
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none fields -- -max_total_time=60
//! ```
#![no_main]

use cachy::cache_control::CacheControl;
use cachy::coding::{Coding, Decoder, treatment};
use cachy::content::Sniff;
use cachy::magic::{Format, page};
use cachy::headers::Headers;
use cachy::internal::{guard, route};
use cachy::key::Target;
use cachy::link::StatusLink;
use cachy::meta::Meta;
use cachy::options::Policy;
use cachy::{conditional, freshness, range, redirect, select, storable, suffix};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 16] = [
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
    "if-match",
    "if-unmodified-since",
    "range",
    "last-modified",
];

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|b| *b == 0);
    let fields = NAMES.iter().zip(parts.by_ref());
    let headers = Headers(
        fields
            .map(|(n, v)| (n.as_bytes().to_vec(), v.to_vec()))
            .collect(),
    );
    let target = Target::parse("https://h/simple/x").expect("a good URL");
    let _ = CacheControl::of(&headers);
    let _ = freshness::initial_age(&headers, 0, 1_700_000_000_000);
    let _ = select::selecting(&target, &headers, 200, &headers);
    let _ = select::accepts_coding(&headers, "gzip");
    let _ = conditional::evaluate(&headers, &headers);
    let _ = conditional::if_range(&headers, &headers);
    for status in [200, 302, 404] {
        let _ = storable::storing(&target, &headers, status, &headers, Policy::Auto);
    }
    check_redirects(&headers);
    let _ = treatment(&target, Some("gzip"), &headers, &headers);
    let mut presenting = Headers::default();
    presenting.push("Authorization", data);
    let _ = guard::presented(&presenting);
    if let Ok(target) = route::cached_url(data) {
        let again = route::cached_url(target.url().as_bytes());
        assert_eq!(again.as_ref(), Ok(&target));
    }
    let Ok(text) = std::str::from_utf8(data) else {
        check_bytes(data);
        return;
    };
    if let Some(link) = StatusLink::parse(text) {
        // What cachy writes, it reads again.
        let again = StatusLink::parse(&link.text()).expect("its own text");
        assert_eq!(again.status, link.status);
    }
    if let range::Wanted::Parts(parts) = range::wanted(Some(text), 1000) {
        assert!(!parts.is_empty());
        assert!(
            parts
                .iter()
                .all(|part| part.start < part.end && part.end <= 1000)
        );
        assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= 1000);
    }
    if let Ok(target) = Target::parse(text) {
        let _ = suffix::names_file(&target);
        let _ = redirect::is_the_file(&target, Some(text));
    }
    if let Ok(meta) = serde_json::from_str::<Meta>(text) {
        let text = serde_json::to_string(&meta).expect("metadata");
        assert_eq!(serde_json::from_str::<Meta>(&text).expect("its own"), meta);
    }
});

/// What looks at bodies, and decodes them.
fn check_bytes(data: &[u8]) {
    for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
        let mut decoder = Decoder::new(coding);
        let mut given = 0;
        let _ = decoder.feed(data, |out| given += out.len());
        assert!(given < 64 << 20, "{given}");
    }
    let _ = (Format::of(data), page(data));
    for path in ["/a.whl", "/a.tar.gz", "/a.bin"] {
        let target = Target::parse(&format!("https://h{path}")).expect("a good URL");
        let mut sniff = Sniff::of(&target, &Headers::default()).expect("it names a file");
        let _ = sniff.feed(data);
        let _ = sniff.end();
    }
}

/// Where a chain of redirects to the same Location leads: never out of https, and to what can be
/// sent; it ends.
fn check_redirects(headers: &Headers) {
    for asked in ["https://h/d/a.zip", "https://h/d/a"] {
        let asked = Target::parse(asked).expect("a good URL");
        let mut last = None;
        while let Some(hop) = redirect::hop(&asked, last.as_ref(), 302, headers) {
            let url = hop.url();
            assert!(hop.count <= 10 && url.starts_with("https://"), "{url}");
            assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
            assert_eq!(Target::parse(&url).as_ref(), Ok(&hop.target), "{url}");
            assert_eq!(hop.other_host, hop.target.authority() != "h", "{url}");
            last = Some(hop);
        }
    }
}
