//! zstd as it arrives (RFC 8878): frame by frame, and of a frame block by block, each of which is 128 KB
//! at most, however little stands for it.

use std::io::{self, ErrorKind};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::decoder::too_much;

/// What HTTP allows of a window, bytes (RFC 9659 section 3).
const WINDOW: u64 = 8 << 20;
/// A frame's magic number and the longest header behind it (RFC 8878 section 3.1.1.1).
const HEADER: usize = 18;
/// A block's header, and a frame's checksum.
const BLOCK: usize = 3;
const CHECKSUM: usize = 4;

/// The state between two pieces.
#[derive(Default)]
pub(super) struct Zstd {
    /// What has come of the next header or block.
    pending: Vec<u8>,
    frame: Option<Box<Frame>>,
    /// Bytes of a frame that is to be skipped.
    skipped: usize,
}

struct Frame {
    decoder: FrameDecoder,
    checksum: bool,
}

impl Zstd {
    /// Whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.pending.is_empty() && self.frame.is_none() && self.skipped == 0
    }

    /// Takes the next bytes, and hands on what comes out as long as `give` goes on.
    pub fn feed(&mut self, piece: &[u8], give: &mut impl FnMut(&[u8]) -> bool) -> io::Result<()> {
        self.pending.extend_from_slice(piece);
        let mut at = 0;
        let done = loop {
            let rest = &self.pending[at..];
            if self.skipped > 0 {
                let skipped = self.skipped.min(rest.len());
                (self.skipped, at) = (self.skipped - skipped, at + skipped);
                if self.skipped > 0 || at == self.pending.len() {
                    break Ok(());
                }
                continue;
            }
            let used = match &mut self.frame {
                Some(frame) => frame.block(rest, give),
                None => self.begin(at),
            };
            match used {
                Ok(0) => break Ok(()),
                Ok(used) => at += used,
                Err(error) => break Err(error),
            }
            if self.frame.as_ref().is_some_and(|f| f.decoder.is_finished()) {
                self.frame = None;
            }
        };
        self.pending.drain(..at);
        done
    }

    /// Begins a frame. Returns how many bytes its header has; 0: it isn't whole.
    fn begin(&mut self, at: usize) -> io::Result<usize> {
        let rest = &self.pending[at..];
        if rest.len() >= 8 && rest[0] & 0xf0 == 0x50 && rest[1..4] == [0x2a, 0x4d, 0x18] {
            let length = u32::from_le_bytes([rest[4], rest[5], rest[6], rest[7]]);
            self.skipped = usize::try_from(length).map_err(|_| invalid())?;
            return Ok(8);
        }
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        let mut header = rest;
        match decoder.init(&mut header) {
            Ok(()) => {}
            Err(_) if rest.len() < HEADER => return Ok(0),
            Err(_) => return Err(invalid()),
        }
        // "Content_Checksum_flag" of the descriptor (section 3.1.1.1.1).
        let checksum = rest[4] & 4 != 0;
        self.frame = Some(Box::new(Frame { decoder, checksum }));
        Ok(rest.len() - header.len())
    }
}

impl Frame {
    /// Decodes a block. Returns how many bytes it has; 0: it isn't whole.
    fn block(&mut self, rest: &[u8], give: &mut impl FnMut(&[u8]) -> bool) -> io::Result<usize> {
        let [a, b, c, ..] = rest else {
            return Ok(0);
        };
        let head = u32::from_le_bytes([*a, *b, *c, 0]);
        let (last, kind) = (head & 1 == 1, head >> 1 & 3);
        // One byte stands for a block of the same (section 3.1.1.2.2).
        let content = if kind == 1 { 1 } else { (head >> 3) as usize };
        let checksum = if last && self.checksum { CHECKSUM } else { 0 };
        let size = BLOCK + content + checksum;
        if content > 128 << 10 {
            return Err(invalid());
        }
        let Some(mut block) = rest.get(..size) else {
            return Ok(0);
        };
        let one = BlockDecodingStrategy::UptoBlocks(1);
        self.decoder
            .decode_blocks(&mut block, one)
            .map_err(|_| invalid())?;
        let goes_on = match self.decoder.collect() {
            Some(out) => give(&out),
            None => true,
        };
        let told = self.decoder.get_checksum_from_data();
        if last && told.is_some() && told != self.decoder.get_calculated_checksum() {
            return Err(invalid());
        }
        if goes_on { Ok(size) } else { Err(too_much()) }
    }
}

fn invalid() -> io::Error {
    ErrorKind::InvalidData.into()
}
