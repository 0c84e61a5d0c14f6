//! Several ranges in one answer: the body of a `multipart/byteranges` (RFC 9110 section 14.6).

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use crate::body::Body;

/// The content of a 206 of several parts.
#[derive(Debug)]
pub struct Multipart {
    /// What `Content-Type` says, boundary included.
    pub content_type: String,
    /// The parts with what is between them.
    pub body: Body,
    /// Bytes of `body`, whether they are there yet or not.
    pub length: u64,
}

/// Puts ranges of a representation of `whole` bytes together. Each has the representation's own
/// media type, where it has one; `slice` gives the bytes of one range.
pub fn multipart(
    ranges: &[Range<u64>],
    whole: u64,
    media_type: Option<&[u8]>,
    slice: impl FnMut(Range<u64>) -> Body,
) -> Multipart {
    with_boundary(&boundary(), ranges, whole, media_type, slice)
}

fn with_boundary(
    boundary: &str,
    ranges: &[Range<u64>],
    whole: u64,
    media_type: Option<&[u8]>,
    mut slice: impl FnMut(Range<u64>) -> Body,
) -> Multipart {
    let mut parts = VecDeque::with_capacity(2 * ranges.len() + 1);
    let mut length = 0;
    for (n, range) in ranges.iter().enumerate() {
        let head = head(n == 0, boundary, media_type, range, whole);
        length += head.len() as u64 + (range.end - range.start);
        parts.push_back(Body::bytes(head));
        parts.push_back(slice(range.clone()));
    }
    let end = format!("\r\n--{boundary}--\r\n").into_bytes();
    length += end.len() as u64;
    parts.push_back(Body::bytes(end));
    Multipart {
        content_type: format!("multipart/byteranges; boundary={boundary}"),
        body: Body::Parts(parts),
        length,
    }
}

/// What stands before the bytes of one range.
fn head(
    first: bool,
    boundary: &str,
    media_type: Option<&[u8]>,
    range: &Range<u64>,
    whole: u64,
) -> Vec<u8> {
    // The line break before a boundary belongs to it (RFC 2046 section 5.1.1).
    let mut head = if first { Vec::new() } else { b"\r\n".to_vec() };
    head.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
    if let Some(media_type) = media_type {
        head.extend_from_slice(b"Content-Type: ");
        head.extend_from_slice(media_type);
        head.extend_from_slice(b"\r\n");
    }
    let content_range = content_range(range, whole);
    head.extend_from_slice(format!("Content-Range: {content_range}\r\n\r\n").as_bytes());
    head
}

/// A `Content-Range` (RFC 9110 section 14.4). The range is not empty.
#[must_use]
pub fn content_range(range: &Range<u64>, whole: u64) -> String {
    format!("bytes {}-{}/{whole}", range.start, range.end - 1)
}

/// 128 bits that nobody can guess, so that no body holds them on purpose or by chance.
fn boundary() -> String {
    let half = || RandomState::new().hash_one(0);
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Chunk;

    #[test]
    fn the_bytes() {
        let whole = b"0123456789";
        let slice = |range: Range<u64>| {
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            Body::bytes(whole[range].to_vec())
        };
        let typed = with_boundary("B", &[7..10, 0..2], 10, Some(b"text/plain"), slice);
        let expected = "--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 7-9/10\r\n\r\n789\
            \r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\
            \r\n--B--\r\n";
        check(typed, expected);
        let untyped = with_boundary("B", &[0..1, 4..6], 10, None, slice);
        check(
            untyped,
            "--B\r\nContent-Range: bytes 0-0/10\r\n\r\n0\
            \r\n--B\r\nContent-Range: bytes 4-5/10\r\n\r\n45\r\n--B--\r\n",
        );
    }

    fn check(mut made: Multipart, expected: &str) {
        assert_eq!(made.content_type, "multipart/byteranges; boundary=B");
        assert_eq!(made.length, expected.len() as u64);
        assert_eq!(made.body.remaining(), Some(made.length));
        let mut all = Vec::new();
        loop {
            match made.body.read(5).unwrap() {
                Chunk::Bytes(bytes) => {
                    assert!((1..=5).contains(&bytes.len()));
                    all.extend(bytes);
                }
                Chunk::End => break,
                Chunk::Later(_) => panic!("all of it is there"),
            }
        }
        assert_eq!(String::from_utf8(all).unwrap(), expected);
    }

    #[test]
    fn boundaries_differ() {
        assert_ne!(boundary(), boundary());
        assert_eq!(boundary().len(), 32);
    }
}
