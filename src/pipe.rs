//! Bytes on their way from upstream to any number of clients: through the growing file while there
//! is one, and through memory for what isn't stored, or no longer since the disk refused.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::body::{Chunk, read_at};
use crate::wake::Signal;

/// One body under way.
#[derive(Debug)]
pub struct Pipe {
    file: Option<File>,
    /// Of a body whose length was announced, the last byte is held back until it is closed: who
    /// has all of it finds it in the tree.
    announced: Option<u64>,
    /// What comes from upstream goes to the clients as it is, and when it comes.
    plain: bool,
    state: Mutex<State>,
    /// Rung when there is more to read, or no more will come.
    news: Signal,
    /// Rung when a reader leaves, or memory becomes free: the flight's, where others share it.
    demand: Signal,
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
    /// the length of the body in bytes, where it is known; `demand` is rung when a reader leaves, or
    /// memory becomes free.
    #[must_use]
    pub fn new(demand: Signal, file: Option<File>, announced: Option<u64>) -> Self {
        Self {
            announced: announced.filter(|_| file.is_some()),
            file,
            plain: false,
            state: Mutex::default(),
            news: Signal::default(),
            demand,
        }
    }

    /// What comes goes to the clients as it is, and when it comes.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Rung when a reader leaves, or memory becomes free.
    #[must_use]
    pub fn demand(&self) -> &Signal {
        &self.demand
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
        drop(state);
        self.news.ring();
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
        drop(state);
        self.news.ring();
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
        self.news.ring();
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
        drop(state);
        self.pipe.demand.ring();
    }
}

impl Reader {
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

    /// Whether bytes have come that it has not read.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.at < self.pipe.state.lock().handed
    }

    /// Reads up to `most` bytes. Where there are none, the ticket was taken before that was found.
    ///
    /// # Errors
    /// `UnexpectedEof` where the fetch broke off.
    pub fn read(&mut self, most: usize) -> io::Result<Chunk> {
        if self.end.is_some_and(|end| self.at >= end) {
            return Ok(Chunk::End);
        }
        let left = self.end.map_or(u64::MAX, |end| end - self.at);
        let most = most.min(usize::try_from(left).unwrap_or(usize::MAX));
        let state = self.pipe.state.lock();
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
            return Ok(self.later(&state));
        }
        if let Some(bytes) = queued(&state, self.at, most) {
            drop(state);
            self.moved(bytes.len());
            return Ok(Chunk::Bytes(bytes));
        }
        if self.at < state.handed {
            // It is being written, also where no more will come.
            return Ok(self.later(&state));
        }
        match state.end {
            End::Open => Ok(self.later(&state)),
            // A part that the body hasn't is a body that was cut.
            End::Whole if self.end.is_none() => Ok(Chunk::End),
            End::Whole | End::Cut => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Taken while nothing can change, so that every later change rings it.
    fn later(&self, _: &State) -> Chunk {
        Chunk::Later(self.pipe.news.ticket())
    }

    fn moved(&mut self, bytes: usize) {
        self.at += bytes as u64;
        let mut state = self.pipe.state.lock();
        state.readers.insert(self.id, self.at);
        let queued = state.queue.len();
        state.trim();
        let freed = state.queue.len() < queued;
        drop(state);
        if freed {
            self.pipe.demand.ring();
        }
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

    fn is_later(body: &mut Reader) -> bool {
        matches!(body.read(9).unwrap(), Chunk::Later(_))
    }

    fn bytes(bytes: &[u8]) -> Chunk {
        Chunk::Bytes(bytes.to_vec())
    }

    #[test]
    fn the_last_byte_waits_for_the_end() {
        let pipe = Arc::new(Pipe::new(Signal::default(), Some(file(b"abc")), Some(3)));
        let mut body = pipe.reader(0, None);
        pipe.wrote(3);
        assert_eq!(body.read(9).unwrap(), bytes(b"ab"));
        assert!(is_later(&mut body));
        pipe.close(true);
        assert_eq!(body.read(9).unwrap(), bytes(b"c"));
        assert_eq!(body.read(9).unwrap(), Chunk::End);
    }

    #[test]
    fn the_file_first_and_memory_behind_for_each_reader() {
        let pipe = Arc::new(Pipe::new(Signal::default(), Some(file(b"abc")), None));
        let mut first = pipe.reader(0, None);
        assert!(is_later(&mut first));
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
        assert!(is_later(&mut first));
        pipe.close(true);
        assert_eq!(first.read(2).unwrap(), Chunk::End);
    }

    #[test]
    fn a_part_ends_before_the_whole_does() {
        let pipe = Arc::new(Pipe::new(Signal::default(), Some(file(b"abcdef")), Some(6)));
        let mut part = pipe.reader(2, Some(4));
        assert_eq!(part.remaining(), Some(2));
        pipe.wrote(3);
        assert_eq!(part.read(9).unwrap(), bytes(b"c"));
        assert!(is_later(&mut part));
        pipe.wrote(1);
        assert_eq!(part.read(9).unwrap(), bytes(b"d"));
        assert_eq!(part.read(9).unwrap(), Chunk::End);
    }

    #[test]
    fn a_cut_is_an_error_for_everybody() {
        let pipe = Arc::new(Pipe::new(Signal::default(), Some(file(b"abc")), Some(6)));
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
        let pipe = Arc::new(Pipe::new(Signal::default(), Some(file(b"abcdef")), Some(6)).plain());
        let (mut first, mut late) = (pipe.reader(0, None), pipe.reader(0, None));
        let mut part = pipe.reader(0, Some(4));
        assert!(first.pass_on(2) && !part.pass_on(2));
        pipe.handed(2);
        pipe.wrote(2);
        assert!(is_later(&mut first));
        assert!(!late.pass_on(2), "it has something to read before that");
        assert_eq!(late.read(9).unwrap(), bytes(b"ab"));
        assert!(!first.pass_on(4), "the last byte is among them");
        pipe.handed(4);
        pipe.wrote(4);
        pipe.close(true);
        for body in [&mut first, &mut late] {
            assert_eq!(body.read(9).unwrap(), bytes(b"cdef"));
        }
        let decoded = Arc::new(Pipe::new(Signal::default(), None, None));
        assert!(!decoded.reader(0, None).pass_on(1));
    }

    #[test]
    fn what_has_come_and_is_not_written_yet_rings_when_it_is() {
        let pipe = Arc::new(Pipe::new(Signal::default(), Some(file(b"abc")), None));
        let mut body = pipe.reader(0, None);
        assert!(!body.is_behind());
        pipe.handed(3);
        assert!(body.is_behind());
        let Chunk::Later(mut ticket) = body.read(9).unwrap() else {
            panic!("nothing is written");
        };
        assert!(!ticket.has_rung());
        pipe.wrote(3);
        assert!(ticket.has_rung());
        assert_eq!(body.read(9).unwrap(), bytes(b"abc"));
        assert!(!body.is_behind());
    }

    #[test]
    fn what_came_before_a_cut_is_read_also_where_it_is_written_behind_it() {
        let pipe = Arc::new(Pipe::new(Signal::default(), Some(file(b"abc")), Some(6)));
        let mut body = pipe.reader(0, None);
        pipe.handed(3);
        pipe.close(false);
        assert!(is_later(&mut body));
        pipe.wrote(3);
        assert_eq!(body.read(9).unwrap(), bytes(b"abc"));
        assert!(body.read(9).is_err());
    }

    #[test]
    fn every_change_rings() {
        let pipe = Arc::new(Pipe::new(Signal::default(), None, None));
        let mut body = pipe.reader(0, None);
        let mut later = || match body.read(9).unwrap() {
            Chunk::Later(ticket) => ticket,
            other => panic!("{other:?}"),
        };
        let mut ticket = later();
        pipe.queue(b"a".to_vec());
        assert!(ticket.has_rung());
        assert_eq!(body.read(9).unwrap(), bytes(b"a"));
        let Chunk::Later(mut ticket) = body.read(9).unwrap() else {
            panic!("there is no more");
        };
        pipe.close(true);
        assert!(ticket.has_rung());
    }

    #[test]
    fn who_fetches_learns_that_memory_is_free_and_that_a_reader_left() {
        let demand = Signal::default();
        let pipe = Arc::new(Pipe::new(demand.clone(), None, None));
        let mut body = pipe.reader(0, None);
        pipe.queue(b"abc".to_vec());
        let mut ticket = demand.ticket();
        assert_eq!(body.read(1).unwrap(), bytes(b"a"));
        assert!(!ticket.has_rung(), "the piece is still needed");
        assert_eq!(body.read(9).unwrap(), bytes(b"bc"));
        assert!(ticket.has_rung() && pipe.backlog() == 0);
        let mut ticket = demand.ticket();
        drop(body);
        assert!(ticket.has_rung() && pipe.readers() == 0);
    }

    #[test]
    fn memory_without_readers_is_let_go() {
        let pipe = Arc::new(Pipe::new(Signal::default(), None, Some(3)));
        pipe.queue(b"abc".to_vec());
        assert_eq!(pipe.backlog(), 0);
    }
}
