//! What every URL of the benchmark's origin holds, known to both sides.
//!
//! A body begins with a line that names its URL, so that a mix-up is noticed. What follows is one block over
//! and over, from a place in it that depends on the URL. Its length is a prime, so that pieces which changed
//! places are noticed too, and to verify a body takes a `memcmp`.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The length of the block.
const LENGTH: usize = 65_521;

/// The block, twice: from each place in its first half, all of it lies in one piece.
#[derive(Debug)]
pub struct Content(Vec<u8>);

impl Content {
    /// Makes the block, the same for everybody.
    pub fn new() -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut block = Vec::with_capacity(2 * LENGTH + 8);
        while block.len() < LENGTH {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend_from_slice(&state.to_le_bytes());
        }
        block.truncate(LENGTH);
        block.extend_from_within(..);
        Self(block)
    }

    /// The body of a URL.
    ///
    /// `host` is without a port. The path's first segment is the length, in bytes or with `k`, `M` or `G` for
    /// thousands, millions and milliards of them. None where it isn't.
    pub fn body(&self, host: &str, path: &str) -> Option<Body<'_>> {
        let length = length(path.strip_prefix('/')?.split('/').next()?)?;
        let line = format!("{host}{path}\n").into_bytes();
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % LENGTH as u64).ok()?;
        Some(Body {
            block: &self.0,
            line,
            place,
            length,
        })
    }
}

fn length(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(['k', 'M', 'G']);
    let unit = match &text[digits.len()..] {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// One body.
#[derive(Debug)]
pub struct Body<'a> {
    block: &'a [u8],
    line: Vec<u8>,
    place: usize,
    /// Its length in bytes.
    pub length: u64,
}

impl Body<'_> {
    /// The bytes from `position` on, as far as they lie in one piece; none at the end.
    pub fn piece(&self, position: u64) -> &[u8] {
        let left = usize::try_from(self.length.saturating_sub(position)).unwrap_or(usize::MAX);
        // Nothing here runs where that is not so.
        let position = usize::try_from(position).unwrap_or(usize::MAX);
        let piece = if position < self.line.len() {
            &self.line[position..]
        } else {
            let start = (self.place + position % LENGTH) % LENGTH;
            &self.block[start..start + LENGTH]
        };
        &piece[..piece.len().min(left)]
    }

    /// Where `data`, which stands at `position`, differs; None if it doesn't.
    pub fn differs(&self, mut position: u64, mut data: &[u8]) -> Option<u64> {
        while !data.is_empty() {
            let piece = self.piece(position);
            let count = piece.len().min(data.len());
            if count == 0 || piece[..count] != data[..count] {
                return Some(position);
            }
            position += count as u64;
            data = &data[count..];
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(body: &Body<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < body.length {
            bytes.extend_from_slice(body.piece(bytes.len() as u64));
        }
        bytes
    }

    #[test]
    fn a_body_is_as_long_as_its_path_says_and_names_its_url() {
        let content = Content::new();
        for (path, length) in [
            ("/0/a", 0),
            ("/5/a", 5),
            ("/10k/a", 10_000),
            ("/1M/a", 1_000_000),
        ] {
            let body = content.body("h", path).expect(path);
            let bytes = whole(&body);
            assert_eq!(bytes.len(), length, "{path}");
            assert_eq!(body.differs(0, &bytes), None, "{path}");
            let line = format!("h{path}\n").into_bytes();
            assert!(bytes.starts_with(&line[..length.min(line.len())]), "{path}");
        }
        assert!(content.body("h", "/some/a").is_none());
    }

    #[test]
    fn what_is_wrong_is_noticed() {
        let content = Content::new();
        let body = content.body("h", "/300k/a").expect("a body");
        let bytes = whole(&body);
        for place in [0, 20, 65_520, 65_521, 299_999] {
            let mut wrong = bytes.clone();
            wrong[place] ^= 1;
            assert!(body.differs(0, &wrong).is_some(), "{place}");
        }
        let mut swapped = bytes.clone();
        swapped.copy_within(65_536..131_072, 0x20000);
        assert!(body.differs(0, &swapped).is_some());
        let other = content.body("h", "/300k/b").expect("a body");
        assert_eq!(other.differs(0, &bytes), Some(0));
        let mut longer = bytes;
        longer.push(0);
        assert_eq!(body.differs(0, &longer), Some(300_000));
    }
}
