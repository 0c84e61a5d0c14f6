//! A body on its way to one client. Files are read with `pread`: people edit the tree, and a mapped
//! file that somebody truncates would kill the process.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::pipe::Reader;
use crate::wake::Ticket;

/// What a body gives when asked for its next bytes.
#[derive(Debug, PartialEq)]
pub enum Chunk {
    /// The next bytes.
    Bytes(Vec<u8>),
    /// None yet; the ticket rings when there is more.
    Later(Ticket),
    /// No more.
    End,
}

/// A body.
#[derive(Debug)]
pub enum Body {
    /// In memory.
    Bytes(VecDeque<u8>),
    /// Part of a file that is whole.
    File {
        /// Open for reading.
        file: Arc<File>,
        /// What is still to be read.
        rest: Range<u64>,
    },
    /// Several, one after the other.
    Parts(VecDeque<Body>),
    /// One that is still arriving.
    Growing(Reader),
}

impl Body {
    /// A body in memory.
    #[must_use]
    pub fn bytes(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// Bytes still to come, where that is known.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::File { rest, .. } => Some(rest.end - rest.start),
            Self::Parts(parts) => parts.iter().map(Self::remaining).sum(),
            Self::Growing(reader) => reader.remaining(),
        }
    }

    /// Whether it is still arriving.
    #[must_use]
    pub fn is_growing(&self) -> bool {
        match self {
            Self::Growing(_) => true,
            Self::Parts(parts) => parts.iter().any(Self::is_growing),
            Self::Bytes(_) | Self::File { .. } => false,
        }
    }

    /// Whether bytes of it have arrived that were not read.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        match self {
            Self::Growing(reader) => reader.is_behind(),
            Self::Parts(parts) => parts.front().is_some_and(Self::is_behind),
            Self::Bytes(_) | Self::File { .. } => false,
        }
    }

    /// Whether the next `bytes` that arrive are the very next of this body, which are passed on from
    /// memory then.
    pub fn pass_on(&mut self, bytes: u64) -> bool {
        match self {
            Self::Growing(reader) => reader.pass_on(bytes),
            Self::Bytes(_) | Self::File { .. } | Self::Parts(_) => false,
        }
    }

    /// Reads up to `most` bytes.
    ///
    /// # Errors
    /// `UnexpectedEof` where somebody truncated the file meanwhile, or the fetch broke off.
    pub fn read(&mut self, most: usize) -> io::Result<Chunk> {
        match self {
            Self::Bytes(bytes) if bytes.is_empty() => Ok(Chunk::End),
            Self::Bytes(bytes) => Ok(Chunk::Bytes(bytes.drain(..most.min(bytes.len())).collect())),
            Self::File { rest, .. } if rest.is_empty() => Ok(Chunk::End),
            Self::File { file, rest } => {
                let left = usize::try_from(rest.end - rest.start).unwrap_or(usize::MAX);
                let bytes = read_at(file, rest.start, most.min(left))?;
                rest.start += bytes.len() as u64;
                Ok(Chunk::Bytes(bytes))
            }
            Self::Parts(parts) => {
                while let Some(part) = parts.front_mut() {
                    match part.read(most)? {
                        Chunk::End => drop(parts.pop_front()),
                        chunk => return Ok(chunk),
                    }
                }
                Ok(Chunk::End)
            }
            Self::Growing(reader) => reader.read(most),
        }
    }
}

pub(crate) fn read_at(file: &File, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = loop {
        match file.read_at(&mut bytes, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    bytes.truncate(read);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::Pipe;
    use crate::wake::Signal;
    use std::io::Write;

    #[test]
    fn a_file_cut_under_the_reader_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 100]).unwrap();
        let mut body = Body::File {
            file: file.try_clone().unwrap().into(),
            rest: 0..100,
        };
        assert_eq!(body.read(60).unwrap(), Chunk::Bytes(vec![7; 60]));
        file.set_len(10).unwrap();
        let error = body.read(60).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn parts_follow_one_another() {
        let pipe = Arc::new(Pipe::new(Signal::default(), None, None));
        let growing = Body::Growing(pipe.reader(0, None));
        let empty = || Body::bytes(Vec::new());
        let mut body = Body::Parts([empty(), Body::bytes(b"ab".into()), empty()].into());
        assert_eq!(body.remaining(), Some(2));
        let Body::Parts(parts) = &mut body else {
            unreachable!()
        };
        parts.extend([growing, Body::bytes(b"e".into())]);
        assert!(body.remaining().is_none() && body.is_growing());
        assert_eq!(body.read(1).unwrap(), Chunk::Bytes(b"a".to_vec()));
        assert_eq!(body.read(9).unwrap(), Chunk::Bytes(b"b".to_vec()));
        assert!(matches!(body.read(9).unwrap(), Chunk::Later(_)));
        pipe.queue(b"cd".to_vec());
        assert_eq!(body.read(9).unwrap(), Chunk::Bytes(b"cd".to_vec()));
        assert!(matches!(body.read(9).unwrap(), Chunk::Later(_)));
        pipe.close(true);
        assert_eq!(body.read(9).unwrap(), Chunk::Bytes(b"e".to_vec()));
        assert_eq!(body.read(9).unwrap(), Chunk::End);
        assert_eq!(body.read(9).unwrap(), Chunk::End);
    }
}
