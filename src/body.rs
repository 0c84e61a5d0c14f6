//! A body on its way to one client. Files are read with `pread`: people edit the tree, and a mapped
//! file that somebody truncates would kill the process.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::pipe::Reader;

/// What a body gives when asked for its next bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    /// The next bytes.
    Bytes(Vec<u8>),
    /// None yet.
    Later,
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
        file: File,
        /// What is still to be read.
        rest: Range<u64>,
    },
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
            Self::Growing(reader) => reader.remaining(),
        }
    }

    /// The number of the flight in which it is still arriving.
    #[must_use]
    pub fn flight(&self) -> Option<u64> {
        match self {
            Self::Growing(reader) => Some(reader.number()),
            Self::Bytes(_) | Self::File { .. } => None,
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
    use std::io::Write;

    #[test]
    fn a_file_cut_under_the_reader_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 100]).unwrap();
        let mut body = Body::File {
            file: file.try_clone().unwrap(),
            rest: 0..100,
        };
        assert_eq!(body.read(60).unwrap(), Chunk::Bytes(vec![7; 60]));
        file.set_len(10).unwrap();
        let error = body.read(60).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
