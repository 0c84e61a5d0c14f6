//! Decoding as it arrives, in pieces that fit in memory.

use std::fmt;
use std::io::{self, ErrorKind, Write};

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::Coding;
use super::zstd::Zstd;

/// Text larger than this, decoded, is not stored.
const MOST: u64 = 512 << 20;
/// Nor is text that grows by more than this factor, beyond the first megabytes.
const RATIO: u64 = 200;
const FREE: u64 = 16 << 20;
/// Compressed bytes decoded in one go, so that the result fits in memory.
const PIECE: usize = 4 << 10;
/// Decoded bytes that are handed on at once where a few compressed ones may stand for any number.
const OUT: usize = 64 << 10;

/// Decodes one coding as it arrives.
#[derive(Debug)]
pub struct Decoder {
    inner: Inner,
    taken: u64,
    given: u64,
}

enum Inner {
    /// The first bytes tell how to go on.
    Beginning(Coding, Vec<u8>),
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
    Deflate(Box<DeflateDecoder<Vec<u8>>>),
    Brotli(Box<Brotli>),
    Zstd(Box<Zstd>),
    /// It isn't coded, whatever was said.
    Plain,
}

impl fmt::Debug for Inner {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Beginning(..) => "Beginning",
            Self::Gzip(_) => "Gzip",
            Self::Zlib(_) => "Zlib",
            Self::Deflate(_) => "Deflate",
            Self::Brotli(_) => "Brotli",
            Self::Zstd(_) => "Zstd",
            Self::Plain => "Plain",
        })
    }
}

struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    out: Vec<u8>,
    total: usize,
    ended: bool,
}

impl Decoder {
    /// For a coding.
    #[must_use]
    pub fn new(coding: Coding) -> Self {
        Self {
            inner: Inner::Beginning(coding, Vec::new()),
            taken: 0,
            given: 0,
        }
    }

    /// Decodes, and hands on what comes out in pieces.
    ///
    /// # Errors
    /// `InvalidInput` or `InvalidData` where the bytes aren't of this coding, or grow out of all bounds.
    pub fn feed(&mut self, bytes: &[u8], mut to: impl FnMut(&[u8])) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            self.taken += piece.len() as u64;
            let (taken, given) = (self.taken, &mut self.given);
            let mut give = |out: &[u8]| {
                if !out.is_empty() {
                    *given += out.len() as u64;
                    to(out);
                }
                *given <= FREE || *given / RATIO <= taken
            };
            if let Inner::Beginning(coding, first) = &mut self.inner {
                first.extend_from_slice(piece);
                let Some(inner) = begin(*coding, first) else {
                    continue;
                };
                let first = std::mem::take(first);
                self.inner = inner;
                self.inner.feed(&first, &mut give)?;
            } else {
                self.inner.feed(piece, &mut give)?;
            }
        }
        Ok(())
    }

    /// The end of the input.
    ///
    /// # Errors
    /// `UnexpectedEof` and the like where the coded data isn't whole.
    pub fn finish(&mut self, mut to: impl FnMut(&[u8])) -> io::Result<()> {
        if let Inner::Beginning(_, first) = &mut self.inner {
            // So few bytes are none of a coding; nothing at all is nothing.
            to(&std::mem::take(first));
            self.inner = Inner::Plain;
        }
        self.inner.finish(&mut |out: &[u8]| {
            if !out.is_empty() {
                to(out);
            }
            true
        })
    }

    /// Whether so much came out of so little that it is not stored.
    #[must_use]
    pub fn is_bomb(&self) -> bool {
        self.given > MOST || (self.given > FREE && self.given / RATIO > self.taken)
    }
}

/// What decodes what begins like this, where enough of it has come.
fn begin(coding: Coding, first: &[u8]) -> Option<Inner> {
    let marked = |mark: &[u8]| {
        let common = first.len().min(mark.len());
        first[..common] == mark[..common]
    };
    let enough = |bytes: usize| first.len() >= bytes;
    match coding {
        Coding::Gzip if !marked(b"\x1f\x8b") => Some(Inner::Plain),
        Coding::Gzip => enough(2).then(|| Inner::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))),
        // zlib by its name, and by what some servers send, without (RFC 9110 section 8.4.1.2).
        Coding::Deflate => enough(2).then(|| {
            let head = u16::from_be_bytes([first[0], first[1]]);
            if first[0] & 0x0f == 8 && head.is_multiple_of(31) {
                Inner::Zlib(Box::new(ZlibDecoder::new(Vec::new())))
            } else {
                Inner::Deflate(Box::new(DeflateDecoder::new(Vec::new())))
            }
        }),
        Coding::Brotli => enough(1).then(|| {
            let alloc = StandardAlloc::default;
            Inner::Brotli(Box::new(Brotli {
                // Without the larger windows that HTTP doesn't know (RFC 7932).
                state: BrotliState::new_strict(alloc(), alloc(), alloc()),
                out: vec![0; OUT],
                total: 0,
                ended: false,
            }))
        }),
        Coding::Zstd => {
            let skipped = first[0] & 0xf0 == 0x50;
            if !skipped && !marked(b"\x28\xb5\x2f\xfd") {
                return Some(Inner::Plain);
            }
            enough(4).then(|| Inner::Zstd(Box::default()))
        }
    }
}

impl Inner {
    /// Decodes. `give` takes what comes out, and says whether it may go on.
    fn feed(&mut self, piece: &[u8], give: &mut impl FnMut(&[u8]) -> bool) -> io::Result<()> {
        match self {
            Self::Beginning(..) => {}
            Self::Plain => {
                give(piece);
            }
            Self::Gzip(inner) => {
                inner.write_all(piece)?;
                hand_on(inner.get_mut(), give);
            }
            Self::Zlib(inner) => {
                inner.write_all(piece)?;
                hand_on(inner.get_mut(), give);
            }
            Self::Deflate(inner) => {
                inner.write_all(piece)?;
                hand_on(inner.get_mut(), give);
            }
            Self::Brotli(inner) => inner.feed(piece, give)?,
            Self::Zstd(inner) => inner.feed(piece, give)?,
        }
        Ok(())
    }

    fn finish(&mut self, give: &mut impl FnMut(&[u8]) -> bool) -> io::Result<()> {
        match self {
            Self::Beginning(..) | Self::Plain => Ok(()),
            Self::Gzip(inner) => {
                inner.try_finish()?;
                hand_on(inner.get_mut(), give);
                Ok(())
            }
            Self::Zlib(inner) => {
                inner.try_finish()?;
                hand_on(inner.get_mut(), give);
                Ok(())
            }
            Self::Deflate(inner) => {
                inner.try_finish()?;
                hand_on(inner.get_mut(), give);
                Ok(())
            }
            Self::Brotli(inner) if inner.ended => Ok(()),
            Self::Zstd(inner) if inner.is_whole() => Ok(()),
            Self::Brotli(_) | Self::Zstd(_) => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// What gzip and deflate make of a piece is never more than fits: its ratio has a bound of its own.
fn hand_on(out: &mut Vec<u8>, give: &mut impl FnMut(&[u8]) -> bool) {
    give(out);
    out.clear();
}

impl Brotli {
    fn feed(&mut self, piece: &[u8], give: &mut impl FnMut(&[u8]) -> bool) -> io::Result<()> {
        let (mut left, mut at) = (piece.len(), 0);
        while !self.ended {
            let (mut room, mut filled) = (self.out.len(), 0);
            let told = BrotliDecompressStream(
                &mut left,
                &mut at,
                piece,
                &mut room,
                &mut filled,
                &mut self.out,
                &mut self.total,
                &mut self.state,
            );
            let goes_on = give(&self.out[..filled]);
            match told {
                BrotliResult::ResultFailure => return Err(ErrorKind::InvalidData.into()),
                BrotliResult::ResultSuccess => self.ended = true,
                BrotliResult::NeedsMoreInput => return Ok(()),
                BrotliResult::NeedsMoreOutput if goes_on => {}
                BrotliResult::NeedsMoreOutput => return Err(too_much()),
            }
        }
        if left > 0 {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(())
    }
}

/// A few bytes stand for more than anybody may want.
pub(super) fn too_much() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "it grows out of all bounds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut to = GzEncoder::new(Vec::new(), Compression::best());
        to.write_all(bytes).unwrap();
        to.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut to = ZlibEncoder::new(Vec::new(), Compression::best());
        to.write_all(bytes).unwrap();
        to.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut to = DeflateEncoder::new(Vec::new(), Compression::best());
        to.write_all(bytes).unwrap();
        to.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    /// "hello" a thousand times with a blank, as the reference encoder makes it.
    const BROTLI: &[u8] = b"\x1b\x6f\x17\xf8\x8d\x94\x6e\xde\x44\x55\x86\x96\x6c\x20\x6f\x71\x5b\x1c\x80\xe4\x01\x20\x0e";

    fn decode(coding: Coding, coded: &[u8], size: usize) -> io::Result<Vec<u8>> {
        let (mut decoder, mut out) = (Decoder::new(coding), Vec::new());
        for piece in coded.chunks(size) {
            decoder.feed(piece, |b| out.extend_from_slice(b))?;
        }
        decoder.finish(|b| out.extend_from_slice(b))?;
        Ok(out)
    }

    #[test]
    fn decodes_in_any_pieces_and_knows_the_end() {
        let text = b"hello ".repeat(10_000);
        for (coding, coded) in [
            (Coding::Gzip, gzip(&text)),
            (Coding::Gzip, [gzip(&text[..9]), gzip(&text[9..])].concat()),
            (Coding::Deflate, zlib(&text)),
            (Coding::Deflate, deflate(&text)),
            (Coding::Zstd, zstd(&text)),
            (Coding::Zstd, [zstd(&text[..9]), zstd(&text[9..])].concat()),
            (
                Coding::Zstd,
                [b"\x50\x2a\x4d\x18\x03\0\0\0abc", &zstd(&text)[..]].concat(),
            ),
        ] {
            for size in [1, 7, coded.len()] {
                assert!(
                    decode(coding, &coded, size).unwrap() == text,
                    "{coding:?} {size}"
                );
            }
            let cut = &coded[..coded.len() - 4];
            assert!(decode(coding, cut, 100).is_err(), "{coding:?}");
        }
    }

    #[test]
    fn brotli() {
        for size in [1, 7, BROTLI.len()] {
            let text = decode(Coding::Brotli, BROTLI, size).unwrap();
            assert!(text == b"hello ".repeat(1000), "{size}");
        }
        let cut = &BROTLI[..BROTLI.len() - 1];
        assert!(decode(Coding::Brotli, cut, 100).is_err());
        assert!(decode(Coding::Brotli, &[BROTLI, b"x"].concat(), 100).is_err());
    }

    #[test]
    fn nothing_is_nothing_and_what_is_not_coded_stays() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            assert_eq!(decode(coding, b"", 1).unwrap(), b"", "{coding:?}");
        }
        for coding in [Coding::Gzip, Coding::Zstd] {
            let page = b"<html>not coded at all</html>";
            assert_eq!(decode(coding, page, 5).unwrap(), page, "{coding:?}");
        }
    }

    #[test]
    fn a_bomb_is_told_before_it_is_large() {
        let packed = gzip(&vec![0; 64 << 20]);
        let mut decoder = Decoder::new(Coding::Gzip);
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

    /// Blocks of zstd, each 128 KB of the same byte by four bytes.
    fn zstd_bomb() -> Vec<u8> {
        let head = b"\x28\xb5\x2f\xfd\x00\x50";
        let block = ((128u32 << 10) << 3 | 1 << 1).to_le_bytes();
        let block = [block[0], block[1], block[2], 0];
        [&head[..], &block.repeat(20_000)].concat()
    }

    #[test]
    fn what_grows_without_bounds_breaks_off() {
        let mut decoder = Decoder::new(Coding::Zstd);
        let mut given = 0;
        let bomb = zstd_bomb();
        let fed = decoder.feed(&bomb, |out| given += out.len() as u64);
        assert!(fed.is_err() && given < FREE + (1 << 20), "{given}");
    }

    proptest! {
        /// Whatever comes, in whatever pieces: no panic, and the same each time.
        #[test]
        fn anything(
            coding in prop::sample::select(vec![
                Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd,
            ]),
            mark in prop::sample::select(vec![&b""[..], b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"\x78\x9c"]),
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [mark, &bytes].concat();
            let whole = decode(coding, &bytes, bytes.len().max(1));
            let single = decode(coding, &bytes, 1);
            prop_assert_eq!(whole.is_ok(), single.is_ok());
            if let (Ok(whole), Ok(single)) = (whole, single) {
                prop_assert_eq!(whole, single);
            }
        }

        #[test]
        fn there_and_back(bytes in prop::collection::vec(any::<u8>(), 0..3000), size in 1..400usize) {
            prop_assert_eq!(&decode(Coding::Gzip, &gzip(&bytes), size).unwrap(), &bytes);
            prop_assert_eq!(&decode(Coding::Deflate, &zlib(&bytes), size).unwrap(), &bytes);
            prop_assert_eq!(&decode(Coding::Zstd, &zstd(&bytes), size).unwrap(), &bytes);
        }
    }
}
