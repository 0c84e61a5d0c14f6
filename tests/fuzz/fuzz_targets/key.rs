//! The invariants of keys and paths, from raw bytes. Run from the repository's root, with the stable
//! toolchain (1.95) and cargo-fuzz 0.13.2 (`cargo install cargo-fuzz`):
//!
//!     RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none key -- \
//!         -dict=tests/fuzz/key.dict -max_len=5000 -max_total_time=60
//!
//! No sanitizer: there is no `unsafe` to watch, and with it the toolchain would have to be nightly's.

#![no_main]

#[path = "../../rust/invariants.rs"]
mod invariants;

use cachy::key::{Scheme, Target};
use libfuzzer_sys::fuzz_target;

// The first byte chooses scheme and port; after it lines: host, a target, another, a stored URL.
fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else {
        return;
    };
    let scheme = [Scheme::Http, Scheme::Https][usize::from(choice & 1)];
    let port = [80, 443, 8443, 0][usize::from(choice >> 1 & 3)];
    let mut lines = rest.splitn(4, |&byte| byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();

    let host = String::from_utf8_lossy(line());
    let (first, second) = (line(), line());
    let stored = String::from_utf8_lossy(line());

    let one = Target::new(scheme, &host, port, first).ok();
    let two = Target::new(scheme, &host, port, second).ok();
    for target in [&one, &two].into_iter().flatten() {
        invariants::check_target(target);
    }
    if let (Some(one), Some(two)) = (&one, &two) {
        invariants::check_pair(one, two);
    }
    let first = String::from_utf8_lossy(first);
    invariants::check_path(&first, Some(&stored));
    invariants::check_path(&format!("{host}{first}"), Some(&stored));
    if let Ok(target) = Target::parse(&stored) {
        invariants::check_target(&target);
    }
});
