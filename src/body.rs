//! A body on its way to one client. Files are read with `pread`: people edit the tree, and a mapped
//! file that somebody truncates would kill the process.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use parking_lot::Mutex;

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
        file: Arc<File>,
        /// What is still to be read.
        rest: Range<u64>,
    },
    /// Several, one after the other.
    Parts(VecDeque<Body>),
    /// One that is still arriving.
    Growing {
        /// Where it arrives.
        pipe: Arc<Pipe>,
        /// What has been read.
        at: u64,
    },
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
            Self::Growing { .. } => None,
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
            Self::Growing { pipe, at } => pipe.read(at, most),
        }
    }
}

fn read_at(file: &File, at: u64, length: usize) -> io::Result<Vec<u8>> {
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

/// Bytes on their way from upstream to a client: through the growing file while there is one, and
/// through memory for what isn't stored, or no longer since the disk refused.
#[derive(Debug)]
pub struct Pipe {
    file: Option<File>,
    /// Of a body whose length was announced, the last byte is held back until it is closed: who
    /// has all of it finds it in the tree.
    last: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes that lie in the file.
    written: u64,
    /// Bytes behind those.
    queue: VecDeque<Vec<u8>>,
    queued: usize,
    end: End,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    Whole,
    Cut,
}

impl Pipe {
    /// Through a file, which the writer fills by [`Pipe::wrote`], or through memory.
    #[must_use]
    pub fn new(file: Option<File>, announced: Option<u64>) -> Self {
        Self {
            last: announced.filter(|_| file.is_some()),
            file,
            state: Mutex::default(),
        }
    }

    /// The writer has put this many bytes more into the file.
    pub fn wrote(&self, bytes: u64) {
        self.state.lock().written += bytes;
    }

    /// Passes bytes through memory, behind what lies in the file.
    pub fn queue(&self, bytes: Vec<u8>) {
        let mut state = self.state.lock();
        state.queued += bytes.len();
        state.queue.push_back(bytes);
    }

    /// Bytes that wait in memory.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.state.lock().queued
    }

    /// No more will come: all of it was there, or it was cut.
    pub fn close(&self, whole: bool) {
        self.state.lock().end = if whole { End::Whole } else { End::Cut };
    }

    fn read(&self, at: &mut u64, most: usize) -> io::Result<Chunk> {
        let mut state = self.state.lock();
        let end = match self.last {
            Some(all) if state.end == End::Open && state.queue.is_empty() => {
                state.written.min(all.saturating_sub(1))
            }
            _ => state.written,
        };
        if *at < end
            && let Some(file) = &self.file
        {
            let left = usize::try_from(end - *at).unwrap_or(usize::MAX);
            drop(state);
            let bytes = read_at(file, *at, most.min(left))?;
            *at += bytes.len() as u64;
            return Ok(Chunk::Bytes(bytes));
        }
        if *at < state.written && self.file.is_some() {
            return Ok(Chunk::Later);
        }
        if let Some(bytes) = state.queue.pop_front() {
            state.queued -= bytes.len();
            return Ok(Chunk::Bytes(bytes));
        }
        match state.end {
            End::Open => Ok(Chunk::Later),
            End::Whole => Ok(Chunk::End),
            End::Cut => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
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
        let pipe = Arc::new(Pipe::new(None, None));
        let growing = Body::Growing {
            pipe: Arc::clone(&pipe),
            at: 0,
        };
        let empty = || Body::bytes(Vec::new());
        let mut body = Body::Parts([empty(), Body::bytes(b"ab".into()), empty()].into());
        assert_eq!(body.remaining(), Some(2));
        let Body::Parts(parts) = &mut body else {
            unreachable!()
        };
        parts.extend([growing, Body::bytes(b"e".into())]);
        assert_eq!(body.remaining(), None);
        assert_eq!(body.read(1).unwrap(), Chunk::Bytes(b"a".to_vec()));
        assert_eq!(body.read(9).unwrap(), Chunk::Bytes(b"b".to_vec()));
        assert_eq!(body.read(9).unwrap(), Chunk::Later);
        pipe.queue(b"cd".to_vec());
        assert_eq!(body.read(9).unwrap(), Chunk::Bytes(b"cd".to_vec()));
        assert_eq!(body.read(9).unwrap(), Chunk::Later);
        pipe.close(true);
        assert_eq!(body.read(9).unwrap(), Chunk::Bytes(b"e".to_vec()));
        assert_eq!(body.read(9).unwrap(), Chunk::End);
        assert_eq!(body.read(9).unwrap(), Chunk::End);
    }

    #[test]
    fn the_last_byte_waits_for_the_end() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let pipe = Arc::new(Pipe::new(Some(file), Some(3)));
        let mut body = Body::Growing {
            pipe: Arc::clone(&pipe),
            at: 0,
        };
        pipe.wrote(3);
        assert_eq!(body.read(9).unwrap(), Chunk::Bytes(b"ab".to_vec()));
        assert_eq!(body.read(9).unwrap(), Chunk::Later);
        pipe.close(true);
        assert_eq!(body.read(9).unwrap(), Chunk::Bytes(b"c".to_vec()));
        assert_eq!(body.read(9).unwrap(), Chunk::End);
    }

    #[test]
    fn a_pipe_gives_the_file_first_and_memory_behind() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let pipe = Arc::new(Pipe::new(Some(file), None));
        let mut body = Body::Growing {
            pipe: Arc::clone(&pipe),
            at: 0,
        };
        assert_eq!(body.read(9).unwrap(), Chunk::Later);
        pipe.wrote(3);
        pipe.queue(b"de".to_vec());
        assert_eq!(pipe.backlog(), 2);
        assert_eq!(body.read(2).unwrap(), Chunk::Bytes(b"ab".to_vec()));
        assert_eq!(body.read(2).unwrap(), Chunk::Bytes(b"c".to_vec()));
        assert_eq!(body.read(2).unwrap(), Chunk::Bytes(b"de".to_vec()));
        assert_eq!(body.read(2).unwrap(), Chunk::Later);
        pipe.close(true);
        assert_eq!(body.read(2).unwrap(), Chunk::End);
    }
}
