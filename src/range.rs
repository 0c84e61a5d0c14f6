//! Byte ranges of a whole stored body (RFC 9110 section 14).

use std::ops::Range;

/// More ranges than this in one field are answered with the whole: each costs a head of its own
/// (RFC 9110 section 17.15).
const MOST: usize = 64;

/// What a `Range` field asks of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All of it: no range, a broken one, another unit, or ranges that overlap or are too many,
    /// which section 14.2 allows to ignore.
    Whole,
    /// These bytes, in the order of the field: at least one range, none empty, none overlapping
    /// another.
    Parts(Vec<Range<u64>>),
    /// None that the body has: 416.
    Unsatisfiable,
}

/// Reads a `Range` field against a body of `length` bytes.
#[must_use]
pub fn wanted(field: Option<&str>, length: u64) -> Wanted {
    let Some((unit, set)) = field.and_then(|f| f.split_once('=')) else {
        return Wanted::Whole;
    };
    if !unit.trim_matches(OWS).eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    // A list may have empty members (section 5.6.1.2).
    let specs: Vec<&str> = set
        .split(',')
        .map(|spec| spec.trim_matches(OWS))
        .filter(|spec| !spec.is_empty())
        .take(MOST + 1)
        .collect();
    let ranges: Option<Vec<_>> = specs.iter().map(|spec| range(spec, length)).collect();
    let Some(ranges) = ranges.filter(|ranges| (1..=MOST).contains(&ranges.len())) else {
        return Wanted::Whole;
    };
    let satisfiable: Vec<_> = ranges.into_iter().flatten().collect();
    // The end of an empty body can be asked for, but no Content-Range tells of it.
    if satisfiable.iter().any(Range::is_empty) || overlap(&satisfiable) {
        return Wanted::Whole;
    }
    if satisfiable.is_empty() {
        return Wanted::Unsatisfiable;
    }
    Wanted::Parts(satisfiable)
}

/// Optional whitespace (RFC 9110 section 5.6.3).
const OWS: [char; 2] = [' ', '\t'];

/// One range-spec (section 14.1.2): `None` where it is broken, `Some(None)` where it is not
/// satisfiable.
#[expect(
    clippy::option_option,
    reason = "broken and unsatisfiable are not the same"
)]
fn range(spec: &str, length: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        let suffix = number(last)?;
        return Some((suffix > 0).then(|| length.saturating_sub(suffix)..length));
    }
    let first = number(first)?;
    let end = if last.is_empty() {
        length
    } else {
        let last = number(last)?;
        if last < first {
            return None;
        }
        last.saturating_add(1).min(length)
    };
    Some((first < length).then_some(first..end))
}

/// Whether a `Range` field asks for bytes at all.
#[must_use]
pub fn is_wanted(field: Option<&str>) -> bool {
    field.is_some_and(|field| {
        let unit = field.split('=').next().unwrap_or_default();
        unit.trim().eq_ignore_ascii_case("bytes")
    })
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // A number too large for us is beyond every body.
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn overlap(ranges: &[Range<u64>]) -> bool {
    let mut sorted: Vec<_> = ranges.iter().collect();
    sorted.sort_unstable_by_key(|range| range.start);
    sorted.windows(2).any(|pair| pair[0].end > pair[1].start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges() {
        let part = |range: Range<u64>| Wanted::Parts(vec![range]);
        for (field, expected) in [
            ("bytes=0-0", part(0..1)),
            ("bytes=2-", part(2..10)),
            ("bytes=-3", part(7..10)),
            ("bytes=-30", part(0..10)),
            ("bytes=5-50", part(5..10)),
            ("Bytes=1-2", part(1..3)),
            ("bytes=0-99999999999999999999", part(0..10)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=99999999999999999999-", Wanted::Unsatisfiable),
            ("bytes=10-11,-0", Wanted::Unsatisfiable),
            ("bytes=3-2", Wanted::Whole),
            ("bytes=12-11", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=,", Wanted::Whole),
            ("bytes=1", Wanted::Whole),
            ("bytes=--1", Wanted::Whole),
            ("bytes=1-2-3", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=1 - 2", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(field), 10), expected, "{field}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }

    #[test]
    fn several() {
        let parts = |ranges: &[Range<u64>]| Wanted::Parts(ranges.to_vec());
        let part = |range: Range<u64>| parts(&[range]);
        for (field, expected) in [
            ("bytes=0-1,3-4", parts(&[0..2, 3..5])),
            ("bytes=0-1 ,\t3-4, -1", parts(&[0..2, 3..5, 9..10])),
            ("bytes=,0-1,,3-4,", parts(&[0..2, 3..5])),
            // The order of the field, and neighbours don't overlap.
            ("bytes=5-,0-4", parts(&[5..10, 0..5])),
            // What isn't there is left out.
            ("bytes=0-1,10-11,-0", part(0..2)),
            ("bytes=0-1,20-", part(0..2)),
            ("bytes=0-1,x", Wanted::Whole),
            ("bytes=0-1,4-3", Wanted::Whole),
            ("bytes=0-1,bytes=3-4", Wanted::Whole),
            ("bytes=0-4,4-5", Wanted::Whole),
            ("bytes=0-,0-", Wanted::Whole),
            ("bytes=3-4,-9", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(field), 10), expected, "{field}");
        }
    }

    #[test]
    fn of_nothing() {
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
        // Satisfiable by section 14.1.2, but with no bytes to tell of.
        assert_eq!(wanted(Some("bytes=-5"), 0), Wanted::Whole);
    }

    #[test]
    fn too_many() {
        let field = |count: usize| {
            let specs: Vec<String> = (0..count).map(|n| format!("{0}-{0}", n * 2)).collect();
            format!("bytes={}", specs.join(","))
        };
        let found = wanted(Some(&field(MOST)), 1000);
        assert!(matches!(found, Wanted::Parts(parts) if parts.len() == MOST));
        assert_eq!(wanted(Some(&field(MOST + 1)), 1000), Wanted::Whole);
        // Those out of reach count too.
        assert_eq!(wanted(Some(&field(MOST + 1)), 10), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn parts_lie_in_the_body_and_apart(
            field in "(bytes=)?[0-9]{0,3}-[0-9]{0,3}(, ?[0-9]{0,3}-[0-9]{0,3}){0,5}|.{0,40}",
            length in 0_u64..500,
        ) {
            if let Wanted::Parts(parts) = wanted(Some(&field), length) {
                prop_assert!(!parts.is_empty());
                for part in &parts {
                    prop_assert!(part.start < part.end && part.end <= length);
                }
                let sum: u64 = parts.iter().map(|part| part.end - part.start).sum();
                prop_assert!(sum <= length);
            }
        }
    }
}
