//! What a hit costs.
//!
//! ```sh
//! cargo test --release --test lane -- --ignored cost --nocapture
//! ```

use std::time::Instant;

use cachy::freshness::clock;
use cachy::lane::Turn;

use crate::site::{Asked, Site};

fn per_hit(site: &Site, asked: &Asked<'_>, rounds: u32) -> u128 {
    let mut lane = site.lane();
    let bytes = asked.bytes();
    assert_eq!(lane.take(&bytes, clock()).turn, Turn::More);
    // What has just changed is not remembered.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let round = |_| {
        let begun = Instant::now();
        for _ in 0..rounds {
            assert_eq!(lane.take(&bytes, clock()).turn, Turn::More);
        }
        begun.elapsed().as_nanos() / u128::from(rounds)
    };
    // Of the machine's moods, the best.
    (0..50).map(round).min().unwrap()
}

#[test]
#[ignore = "measures"]
fn cost_of_a_hit() {
    let site = Site::new();
    let fields = |asked: Asked<'static>| {
        asked
            .with("User-Agent", "curl/8.5.0")
            .with("Accept", "*/*")
            .with("Accept-Encoding", "gzip, deflate, br")
            .with("Connection", "keep-alive")
    };
    let rounds: u32 = std::env::var("ROUNDS").map_or(2000, |text| text.parse().unwrap());
    for path in [
        "/fresh",
        "/pool/a_1.0.deb",
        "/edge",
        "/gone",
        "/own/file.txt",
        "/slash",
    ] {
        let asked = fields(Asked::get(path));
        eprintln!("{path}: {} ns", per_hit(&site, &asked, rounds));
    }
    let asked = fields(Asked::get("/pool/a_1.0.deb")).with("If-None-Match", "*");
    eprintln!("304: {} ns", per_hit(&site, &asked, rounds));
}

#[test]
#[ignore = "measures, under callgrind"]
fn one_kind_of_hit() {
    let site = Site::new();
    per_hit(
        &site,
        &Asked::get("/fresh")
            .with("User-Agent", "curl/8.5.0")
            .with("Accept", "*/*"),
        20,
    );
}
