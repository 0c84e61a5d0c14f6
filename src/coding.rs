//! `Content-Encoding` (RFC 9110 section 8.4): what is asked for upstream, and text that was
//! negotiated compressed decoded on its way to the tree, so that a person can read and edit it.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use crate::cache_control::CacheControl;
use crate::headers::Headers;
use crate::key::Target;
use crate::select::accepts_coding;
use crate::suffix::is_archive;

/// Text larger than this, decoded, is not stored.
const MOST: u64 = 512 << 20;
/// Nor is text that grows by more than this factor, beyond the first megabytes.
const RATIO: u64 = 200;
const FREE: u64 = 16 << 20;
/// Compressed bytes decoded in one go, so that the result fits in memory.
const PIECE: usize = 4 << 10;

/// What goes upstream as `Accept-Encoding` in place of the client's: a coding that can be decoded
/// here, or none for what is an archive by its name.
#[must_use]
pub fn asked_upstream(request: &Headers, target: &Target) -> Option<&'static str> {
    if !request.has("accept-encoding") {
        return None;
    }
    let gzip = accepts_coding(request, "gzip") && !is_archive(target);
    Some(if gzip { "gzip" } else { "identity" })
}

/// Whether this response is text that was negotiated compressed and may be stored decoded.
#[must_use]
pub fn is_decodable(asked: Option<&str>, response: &Headers) -> bool {
    let coding = response.list("content-encoding").to_ascii_lowercase();
    asked == Some("gzip")
        && matches!(coding.as_str(), "gzip" | "x-gzip")
        && !CacheControl::of(response).no_transform
        && response.text("content-type").is_some_and(is_text)
}

fn is_text(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let Some((kind, subtype)) = essence.split_once('/') else {
        return false;
    };
    kind == "text"
        || subtype.ends_with("+json")
        || subtype.ends_with("+xml")
        || (kind == "application"
            && matches!(
                subtype,
                "json" | "xml" | "javascript" | "yaml" | "x-yaml" | "toml" | "x-ndjson"
            ))
        || (subtype.starts_with("vnd.pypi.simple.") && subtype.ends_with("+html"))
}

/// Decodes gzip as it arrives.
#[derive(Debug)]
pub struct Decoder {
    inner: MultiGzDecoder<Vec<u8>>,
    taken: u64,
    given: u64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            inner: MultiGzDecoder::new(Vec::new()),
            taken: 0,
            given: 0,
        }
    }
}

impl Decoder {
    /// Decodes, and hands on what comes out in pieces.
    ///
    /// # Errors
    /// `InvalidInput` or `InvalidData` where the bytes aren't gzip.
    pub fn feed(&mut self, bytes: &[u8], mut to: impl FnMut(&[u8])) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            self.inner.write_all(piece)?;
            self.taken += piece.len() as u64;
            self.hand_on(&mut to);
        }
        Ok(())
    }

    /// The end of the input.
    ///
    /// # Errors
    /// `UnexpectedEof` and the like where the gzip data isn't whole.
    pub fn finish(&mut self, mut to: impl FnMut(&[u8])) -> io::Result<()> {
        self.inner.try_finish()?;
        self.hand_on(&mut to);
        Ok(())
    }

    fn hand_on(&mut self, to: &mut impl FnMut(&[u8])) {
        let out = self.inner.get_mut();
        if !out.is_empty() {
            self.given += out.len() as u64;
            to(out);
            out.clear();
        }
    }

    /// Whether so much came out of so little that it is not stored.
    #[must_use]
    pub fn is_bomb(&self) -> bool {
        self.given > MOST || (self.given > FREE && self.given / RATIO > self.taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut to = GzEncoder::new(Vec::new(), Compression::best());
        to.write_all(bytes).unwrap();
        to.finish().unwrap()
    }

    fn fields(pairs: &[(&str, &str)]) -> Headers {
        let pairs = pairs.iter();
        Headers(pairs.map(|(n, v)| ((*n).into(), (*v).into())).collect())
    }

    #[test]
    fn decodes_in_any_pieces_and_knows_the_end() {
        let text = b"hello ".repeat(10_000);
        let packed = gzip(&text);
        for size in [1, 7, packed.len()] {
            let mut decoder = Decoder::default();
            let mut out = Vec::new();
            for piece in packed.chunks(size) {
                decoder.feed(piece, |b| out.extend_from_slice(b)).unwrap();
            }
            decoder.finish(|b| out.extend_from_slice(b)).unwrap();
            assert!(out == text);
        }
        let mut cut = Decoder::default();
        cut.feed(&packed[..packed.len() - 4], |_| {}).unwrap();
        assert!(cut.finish(|_| {}).is_err());
        assert!(
            Decoder::default()
                .feed(b"<html>not gzip</html>", |_| {})
                .is_err()
        );
    }

    #[test]
    fn a_bomb_is_told_before_it_is_large() {
        let packed = gzip(&vec![0; 64 << 20]);
        let mut decoder = Decoder::default();
        let mut told = 0;
        for piece in packed.chunks(1 << 10) {
            decoder.feed(piece, |_| {}).unwrap();
            if decoder.is_bomb() {
                told = decoder.given;
                break;
            }
        }
        assert!(told > 0 && told < 32 << 20, "{told}");
    }

    #[test]
    fn what_is_decoded() {
        let html = [
            ("Content-Encoding", "gzip"),
            ("Content-Type", "text/html; charset=utf-8"),
        ];
        assert!(is_decodable(Some("gzip"), &fields(&html)));
        assert!(!is_decodable(Some("identity"), &fields(&html)));
        let json = ("Content-Type", "application/vnd.pypi.simple.v1+json");
        assert!(is_decodable(
            Some("gzip"),
            &fields(&[("Content-Encoding", "gzip"), json])
        ));
        let octets = ("Content-Type", "application/octet-stream");
        assert!(!is_decodable(
            Some("gzip"),
            &fields(&[("Content-Encoding", "gzip"), octets])
        ));
        let fixed = ("Cache-Control", "no-transform");
        assert!(!is_decodable(
            Some("gzip"),
            &fields(&[html[0], html[1], fixed])
        ));
        assert!(!is_decodable(
            Some("gzip"),
            &fields(&[("Content-Encoding", "br"), html[1]])
        ));
    }

    #[test]
    fn what_is_asked() {
        let page = Target::parse("https://h/simple/six/").unwrap();
        let archive = Target::parse("https://h/a.tar.gz").unwrap();
        let browser = fields(&[("Accept-Encoding", "gzip, deflate, br")]);
        assert_eq!(asked_upstream(&browser, &page), Some("gzip"));
        assert_eq!(asked_upstream(&browser, &archive), Some("identity"));
        let brotli = fields(&[("Accept-Encoding", "br")]);
        assert_eq!(asked_upstream(&brotli, &page), Some("identity"));
        assert_eq!(asked_upstream(&Headers::default(), &page), None);
    }
}
