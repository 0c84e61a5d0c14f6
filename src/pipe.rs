//! Bytes on their way from upstream to any number of clients: through the growing file while there
//! is one, and through memory for what isn't stored, or no longer since the disk refused.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::body::{Chunk, read_at};

/// How long a reader waits for bytes that are just being written.
const PATIENCE: Duration = Duration::from_secs(1);

/// One body under way.
#[derive(Debug)]
pub struct Pipe {
    /// Of the flight, by which readers learn that there is more.
    number: u64,
    file: Option<File>,
    /// Of a body whose length was announced, the last byte is held back until it is closed: who
    /// has all of it finds it in the tree.
    announced: Option<u64>,
    /// What comes from upstream goes to the clients as it is, and when it comes.
    plain: bool,
    state: Mutex<State>,
    /// Something that was handed over can be read.
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes that have come; what isn't written or queued yet soon will be.
    handed: u64,
    /// Bytes that lie in the file.
    written: u64,
    /// Bytes behind those, dropped when every reader has them.
    queue: VecDeque<Vec<u8>>,
    /// Where the queue begins in the body.
    queue_at: u64,
    /// Where each reader is.
    readers: HashMap<u64, u64>,
    next_reader: u64,
    end: End,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    Whole,
    Cut,
}

impl State {
    fn queued(&self) -> u64 {
        self.queue.iter().map(|piece| piece.len() as u64).sum()
    }

    /// Drops what every reader has.
    fn trim(&mut self) {
        let least = self.readers.values().min().copied().unwrap_or(u64::MAX);
        while let Some(first) = self.queue.front()
            && self.queue_at + first.len() as u64 <= least
        {
            self.queue_at += first.len() as u64;
            self.queue.pop_front();
        }
    }
}

impl Pipe {
    /// Through a file, which the writer fills by [`Pipe::wrote`], or through memory. `announced` is
    /// the length of the body in bytes, where it is known; `number` the flight's.
    #[must_use]
    pub fn new(number: u64, file: Option<File>, announced: Option<u64>) -> Self {
        Self {
            number,
            announced: announced.filter(|_| file.is_some()),
            file,
            plain: false,
            state: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    /// What comes goes to the clients as it is, and when it comes.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// The flight's number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The length of the whole body in bytes, where it is known and the body is being stored.
    #[must_use]
    pub fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// So many bytes more have come, and will be written or queued at once.
    pub fn handed(&self, bytes: u64) {
        self.state.lock().handed += bytes;
    }

    /// The writer has put this many bytes more into the file.
    pub fn wrote(&self, bytes: u64) {
        let mut state = self.state.lock();
        state.written += bytes;
        state.queue_at = state.written;
        self.moved.notify_all();
    }

    /// Bytes that lie in the file.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.state.lock().written
    }

    /// Passes bytes through memory, behind what lies in the file.
    pub fn queue(&self, bytes: Vec<u8>) {
        let mut state = self.state.lock();
        state.queue.push_back(bytes);
        state.trim();
        self.moved.notify_all();
    }

    /// Bytes that wait in memory for the slowest reader.
    #[must_use]
    pub fn backlog(&self) -> usize {
        usize::try_from(self.state.lock().queued()).unwrap_or(usize::MAX)
    }

    /// How many read it.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.state.lock().readers.len()
    }

    /// No more will come: all of it was there, or it was cut.
    pub fn close(&self, whole: bool) {
        self.state.lock().end = if whole { End::Whole } else { End::Cut };
    }

    /// A reader from byte `first` on, up to byte `end` (exclusive) where that is given.
    #[must_use]
    pub fn reader(self: &Arc<Self>, first: u64, end: Option<u64>) -> Reader {
        let mut state = self.state.lock();
        let id = state.next_reader;
        state.next_reader += 1;
        state.readers.insert(id, first);
        drop(state);
        Reader {
            pipe: Arc::clone(self),
            id,
            at: first,
            end,
        }
    }
}

/// One client's end.
#[derive(Debug)]
pub struct Reader {
    pipe: Arc<Pipe>,
    id: u64,
    at: u64,
    end: Option<u64>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.pipe.state.lock();
        state.readers.remove(&self.id);
        state.trim();
    }
}

impl Reader {
    /// The flight's number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.pipe.number
    }

    /// Bytes still to be read, where the end is known.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        let end = self.end.or(self.pipe.announced)?;
        Some(end.saturating_sub(self.at))
    }

    /// Whether the next `bytes` that come are the very next for this client, who gets them from
    /// memory then, and counts as having read them. Never the last one of an announced length.
    pub fn pass_on(&mut self, bytes: u64) -> bool {
        let pipe = &self.pipe;
        let mut state = pipe.state.lock();
        let last = pipe.announced.is_some_and(|all| self.at + bytes >= all);
        let next = self.at == state.handed && state.end == End::Open;
        if !pipe.plain || self.end.is_some() || last || !next {
            return false;
        }
        self.at += bytes;
        state.readers.insert(self.id, self.at);
        true
    }

    /// Reads up to `most` bytes. Waits for a moment for what has come and isn't written yet.
    ///
    /// # Errors
    /// `UnexpectedEof` where the fetch broke off.
    pub fn read(&mut self, most: usize) -> io::Result<Chunk> {
        if self.end.is_some_and(|end| self.at >= end) {
            return Ok(Chunk::End);
        }
        let left = self.end.map_or(u64::MAX, |end| end - self.at);
        let most = most.min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut state = self.pipe.state.lock();
        while self.at < state.handed && self.at >= state.queue_at + state.queued() {
            if self.pipe.moved.wait_for(&mut state, PATIENCE).timed_out() {
                return Ok(Chunk::Later);
            }
        }
        let end = match self.pipe.announced {
            Some(all) if state.end == End::Open && state.queue.is_empty() => {
                state.written.min(all.saturating_sub(1))
            }
            _ => state.written,
        };
        if self.at < end
            && let Some(file) = &self.pipe.file
        {
            let there = usize::try_from(end - self.at).unwrap_or(usize::MAX);
            drop(state);
            let bytes = read_at(file, self.at, most.min(there))?;
            self.moved(bytes.len());
            return Ok(Chunk::Bytes(bytes));
        }
        if self.at < state.written && self.pipe.file.is_some() {
            return Ok(Chunk::Later);
        }
        if let Some(bytes) = queued(&state, self.at, most) {
            drop(state);
            self.moved(bytes.len());
            return Ok(Chunk::Bytes(bytes));
        }
        match state.end {
            End::Open => Ok(Chunk::Later),
            // A part that the body hasn't is a body that was cut.
            End::Whole if self.end.is_none() => Ok(Chunk::End),
            End::Whole | End::Cut => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn moved(&mut self, bytes: usize) {
        self.at += bytes as u64;
        let mut state = self.pipe.state.lock();
        state.readers.insert(self.id, self.at);
        state.trim();
    }
}

/// What of the queue lies at a place of the body.
fn queued(state: &State, at: u64, most: usize) -> Option<Vec<u8>> {
    let mut begins = state.queue_at;
    for piece in &state.queue {
        let ends = begins + piece.len() as u64;
        if at < ends {
            let from = usize::try_from(at.checked_sub(begins)?).ok()?;
            let to = piece.len().min(from.saturating_add(most));
            return Some(piece[from..to].to_vec());
        }
        begins = ends;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn bytes(bytes: &[u8]) -> Chunk {
        Chunk::Bytes(bytes.to_vec())
    }

    #[test]
    fn the_last_byte_waits_for_the_end() {
        let pipe = Arc::new(Pipe::new(1, Some(file(b"abc")), Some(3)));
        let mut body = pipe.reader(0, None);
        pipe.wrote(3);
        assert_eq!(body.read(9).unwrap(), bytes(b"ab"));
        assert_eq!(body.read(9).unwrap(), Chunk::Later);
        pipe.close(true);
        assert_eq!(body.read(9).unwrap(), bytes(b"c"));
        assert_eq!(body.read(9).unwrap(), Chunk::End);
    }

    #[test]
    fn the_file_first_and_memory_behind_for_each_reader() {
        let pipe = Arc::new(Pipe::new(1, Some(file(b"abc")), None));
        let mut first = pipe.reader(0, None);
        assert_eq!(first.read(9).unwrap(), Chunk::Later);
        pipe.wrote(3);
        let mut second = pipe.reader(0, None);
        pipe.queue(b"de".to_vec());
        pipe.queue(b"f".to_vec());
        assert_eq!(pipe.backlog(), 3);
        for body in [&mut first, &mut second] {
            assert_eq!(body.read(2).unwrap(), bytes(b"ab"));
            assert_eq!(body.read(2).unwrap(), bytes(b"c"));
            assert_eq!(body.read(1).unwrap(), bytes(b"d"));
            assert_eq!(body.read(2).unwrap(), bytes(b"e"));
        }
        assert_eq!(pipe.backlog(), 1, "what both have is let go");
        assert_eq!(first.read(2).unwrap(), bytes(b"f"));
        assert_eq!(pipe.backlog(), 1);
        drop(second);
        assert_eq!((pipe.backlog(), pipe.readers()), (0, 1));
        assert_eq!(first.read(2).unwrap(), Chunk::Later);
        pipe.close(true);
        assert_eq!(first.read(2).unwrap(), Chunk::End);
    }

    #[test]
    fn a_part_ends_before_the_whole_does() {
        let pipe = Arc::new(Pipe::new(1, Some(file(b"abcdef")), Some(6)));
        let mut part = pipe.reader(2, Some(4));
        assert_eq!(part.remaining(), Some(2));
        pipe.wrote(3);
        assert_eq!(part.read(9).unwrap(), bytes(b"c"));
        assert_eq!(part.read(9).unwrap(), Chunk::Later);
        pipe.wrote(1);
        assert_eq!(part.read(9).unwrap(), bytes(b"d"));
        assert_eq!(part.read(9).unwrap(), Chunk::End);
    }

    #[test]
    fn a_cut_is_an_error_for_everybody() {
        let pipe = Arc::new(Pipe::new(1, Some(file(b"abc")), Some(6)));
        let (mut whole, mut part) = (pipe.reader(0, None), pipe.reader(1, Some(5)));
        pipe.wrote(3);
        pipe.close(false);
        for body in [&mut whole, &mut part] {
            assert!(matches!(body.read(9).unwrap(), Chunk::Bytes(_)));
            let error = body.read(9).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn what_comes_next_is_passed_on_but_for_the_last_byte() {
        let pipe = Arc::new(Pipe::new(1, Some(file(b"abcdef")), Some(6)).plain());
        let (mut first, mut late) = (pipe.reader(0, None), pipe.reader(0, None));
        let mut part = pipe.reader(0, Some(4));
        assert!(first.pass_on(2) && !part.pass_on(2));
        pipe.handed(2);
        pipe.wrote(2);
        assert_eq!(first.read(9).unwrap(), Chunk::Later);
        assert!(!late.pass_on(2), "it has something to read before that");
        assert_eq!(late.read(9).unwrap(), bytes(b"ab"));
        assert!(!first.pass_on(4), "the last byte is among them");
        pipe.handed(4);
        pipe.wrote(4);
        pipe.close(true);
        for body in [&mut first, &mut late] {
            assert_eq!(body.read(9).unwrap(), bytes(b"cdef"));
        }
        let decoded = Arc::new(Pipe::new(1, None, None));
        assert!(!decoded.reader(0, None).pass_on(1));
    }

    #[test]
    fn a_reader_waits_for_what_is_being_written() {
        let pipe = Arc::new(Pipe::new(1, Some(file(b"abc")), None));
        let mut body = pipe.reader(0, None);
        pipe.handed(3);
        let writer = std::thread::spawn({
            let pipe = Arc::clone(&pipe);
            move || pipe.wrote(3)
        });
        assert_eq!(body.read(9).unwrap(), bytes(b"abc"));
        writer.join().unwrap();
    }

    #[test]
    fn memory_without_readers_is_let_go() {
        let pipe = Arc::new(Pipe::new(1, None, Some(3)));
        pipe.queue(b"abc".to_vec());
        assert_eq!(pipe.backlog(), 0);
    }
}
