use proptest::prelude::*;

use super::*;
use crate::headers::Headers;
use crate::key::Scheme;
use crate::meta::Seen;

fn record(bytes: &str, asked_at: Millis, arrived_at: Millis) -> Record {
    Record {
        scheme: Scheme::Https,
        status: 200,
        headers: Headers::default(),
        selecting: Vec::new(),
        stored_at: arrived_at,
        initial_age: 0,
        checked_at: None,
        close_delimited: false,
        decoded: false,
        label: false,
        unsettled: None,
        bond: Some(Box::new(Bond {
            asked_at,
            since: arrived_at,
            before: None,
            leads: false,
        })),
        stored: Stored::File {
            seen: Seen {
                size: 1,
                mtime_ns: arrived_at,
            },
            sha256: bytes.to_owned(),
        },
    }
}

fn after(was: &Record, bytes: &str, asked_at: Millis) -> Record {
    let mut new = record(bytes, asked_at, asked_at + 1);
    new.follow(Some(was));
    new
}

#[test]
fn what_is_older_than_what() {
    let (index, part) = (record("i1", 10, 11), record("p1", 12, 13));
    assert!(!part.is_older(&index, true));
    // The other way round they may have come together.
    assert!(index.is_older(&part, true) && !index.is_older(&part, false));
    // A new index, and the part of before.
    let newer = after(&index, "i2", 20);
    assert!(part.is_older(&newer, true) && part.is_older(&newer, false));
    // The same bytes again are no news.
    let same = after(&index, "i1", 20);
    assert!(!part.is_older(&same, true));
    // Both have changed, the index after its part: it was so the last time, too.
    let changed = after(&part, "p2", 18);
    assert!(!changed.is_older(&newer, false));
}

#[test]
fn what_is_taken_over() {
    let mut first = record("1", 10, 11);
    first.bond.as_mut().unwrap().leads = true;
    let same = after(&first, "1", 20).bonds();
    assert_eq!((same.asked_at, same.since, same.before), (20, 11, None));
    let other = after(&first, "2", 20).bonds();
    assert_eq!((other.since, other.before), (21, Some(10)));
    assert!(same.leads && other.leads);
    // A tree of before has no bonds.
    let mut bare = record("1", 10, 11);
    bare.bond = None;
    assert_eq!(bare.asked_at(), 11);
    assert_eq!(after(&bare, "2", 20).bonds().before, Some(11));
}

#[test]
fn arrivals_are_bounded() {
    let all = Arrivals::default();
    all.note("h/a", 5);
    assert_eq!((all.since("h/a"), all.since("h/b")), (Some(5), None));
    assert!(all.over("h/a") && !all.over("h/a"));
    for n in 0..3 * MANY {
        all.note(&format!("h/{n}"), 5);
    }
    assert!(all.0.lock().len() <= MANY);
}

proptest! {
    /// Whatever came before: what was asked for after another had come is never older than that.
    #[test]
    fn never_older_than_what_it_was_asked_after(
        times in prop::collection::vec(1_i64..50, 2..9), strictly: bool,
    ) {
        let mut now = 0;
        let (mut index, mut part) = (record("i", 0, 0), record("p", 0, 0));
        for (n, time) in times.into_iter().enumerate() {
            now += time + 2;
            index = after(&index, &format!("i{n}"), now);
            now += time + 2;
            part = after(&part, &format!("p{n}"), now);
            prop_assert!(!part.is_older(&index, strictly));
        }
    }
}
