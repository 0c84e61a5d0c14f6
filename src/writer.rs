//! A body on its way to its file: written and hashed at once, and as soon as it is large, by a thread
//! of its own, so that the event loop has nothing to do with it but to hand it over.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

use crate::digest::Also;
use crate::pipe::Pipe;

/// From so many bytes on a body is written by a thread.
const LARGE: u64 = 1 << 20;
/// So many pieces wait for it; they are as large as what comes in at once, 256 KB at most.
const WAITING: usize = 32;

/// A file that is being written.
#[derive(Debug)]
pub struct Writer {
    pipe: Arc<Pipe>,
    way: Way,
    handed: u64,
}

#[derive(Debug)]
enum Way {
    Here(Written),
    Behind {
        pieces: SyncSender<Vec<u8>>,
        thread: JoinHandle<Result<Written, Failure>>,
        failed: Arc<AtomicBool>,
    },
    /// It has failed.
    Nowhere,
}

/// A file, and what has been written of it.
#[derive(Debug)]
pub struct Written {
    /// Open for reading and writing.
    pub file: File,
    hash: Sha256,
    also: Option<Box<Also>>,
}

/// A file that is all written, and its digests.
#[derive(Debug)]
pub struct Digested {
    /// Open for reading and writing.
    pub file: File,
    /// Its SHA-256.
    pub sha256: sha2::digest::Output<Sha256>,
    /// What else was wanted of it.
    pub also: Option<Vec<u8>>,
}

/// It can't be written any more. All that was handed over is in the pipe, in the file or behind it.
#[derive(Debug)]
pub struct Failure(pub io::Error);

impl Written {
    /// The digests of what has been written.
    #[must_use]
    pub fn digest(self) -> Digested {
        Digested {
            file: self.file,
            sha256: self.hash.finalize(),
            also: self.also.map(|also| also.finish()),
        }
    }

    fn write(&mut self, bytes: &[u8], pipe: &Pipe) -> io::Result<()> {
        self.file.write_all(bytes)?;
        pipe.wrote(bytes.len() as u64);
        self.hash.update(bytes);
        if let Some(also) = &mut self.also {
            also.update(bytes);
        }
        Ok(())
    }
}

impl Writer {
    /// Begins with an empty file, from which the pipe reads. `also`: what else is to be computed of it.
    #[must_use]
    pub fn new(file: File, pipe: Arc<Pipe>, also: Option<Box<Also>>) -> Self {
        let hash = Sha256::new();
        Self {
            pipe,
            way: Way::Here(Written { file, hash, also }),
            handed: 0,
        }
    }

    /// Bytes that were handed over.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.handed
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// `Failure`, with which it ends.
    pub fn write<'a>(&mut self, bytes: impl Into<Cow<'a, [u8]>>) -> Result<(), Failure> {
        let bytes = bytes.into();
        self.handed += bytes.len() as u64;
        self.pipe.handed(bytes.len() as u64);
        match std::mem::replace(&mut self.way, Way::Nowhere) {
            Way::Here(mut written) => {
                if let Err(error) = written.write(&bytes, &self.pipe) {
                    self.pipe.queue(bytes.into_owned());
                    return Err(Failure(error));
                }
                self.way = if self.handed < LARGE {
                    Way::Here(written)
                } else {
                    self.behind(written)
                };
            }
            Way::Behind {
                pieces,
                thread,
                failed,
            } => {
                // It takes all that it is sent, also when it has failed.
                let _ = pieces.send(bytes.into_owned());
                if failed.load(Ordering::Relaxed) {
                    drop(pieces);
                    return join(thread).map(|_| ());
                }
                self.way = Way::Behind {
                    pieces,
                    thread,
                    failed,
                };
            }
            Way::Nowhere => {}
        }
        Ok(())
    }

    fn behind(&self, written: Written) -> Way {
        let (pieces, waiting) = sync_channel(WAITING);
        let failed = Arc::new(AtomicBool::new(false));
        let (pipe, flag) = (Arc::clone(&self.pipe), Arc::clone(&failed));
        // Only where threads can't be had: it goes on as it began.
        let Ok(file) = written.file.try_clone() else {
            return Way::Here(written);
        };
        let (hash, also) = (written.hash.clone(), written.also.clone());
        let work = move || {
            let mut written = Written { file, hash, also };
            drain(&waiting, &mut written, &pipe, &flag)?;
            Ok(written)
        };
        match std::thread::Builder::new()
            .name("cachy-writer".into())
            .spawn(work)
        {
            Ok(thread) => Way::Behind {
                pieces,
                thread,
                failed,
            },
            Err(_) => Way::Here(written),
        }
    }

    /// Waits until all that was handed over is written.
    ///
    /// # Errors
    /// `Failure`, with which it ends.
    pub fn catch_up(&mut self) -> Result<(), Failure> {
        self.way = match std::mem::replace(&mut self.way, Way::Nowhere) {
            Way::Behind { pieces, thread, .. } => {
                drop(pieces);
                Way::Here(join(thread)?)
            }
            way => way,
        };
        Ok(())
    }

    /// What has been written, all of it.
    ///
    /// # Errors
    /// `Failure`
    pub fn finish(self) -> Result<Written, Failure> {
        match self.way {
            Way::Here(written) => Ok(written),
            Way::Behind { pieces, thread, .. } => {
                drop(pieces);
                join(thread)
            }
            Way::Nowhere => Err(Failure(io::ErrorKind::Other.into())),
        }
    }
}

/// Writes what comes. Once that fails, the rest goes through the pipe's memory.
fn drain(
    waiting: &Receiver<Vec<u8>>,
    written: &mut Written,
    pipe: &Pipe,
    failed: &AtomicBool,
) -> Result<(), Failure> {
    let mut failure = None;
    for bytes in waiting {
        if failure.is_none() {
            match written.write(&bytes, pipe) {
                Ok(()) => continue,
                Err(error) => failure = Some(error),
            }
        }
        pipe.queue(bytes);
        failed.store(true, Ordering::Relaxed);
    }
    failure.map_or(Ok(()), |error| Err(Failure(error)))
}

fn join(thread: JoinHandle<Result<Written, Failure>>) -> Result<Written, Failure> {
    thread
        .join()
        .unwrap_or_else(|_| Err(Failure(io::ErrorKind::Other.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Chunk;
    use crate::hex::hex;
    use crate::wake::Signal;

    const PIECE: usize = 100 << 10;
    const PIECES: usize = 40;

    /// Everything that has come, also what the thread is still writing.
    fn read_along(pipe: &Arc<Pipe>) -> Vec<u8> {
        let (mut reader, mut all) = (pipe.reader(0, None), Vec::new());
        while reader.is_behind() {
            match reader.read(1 << 20).unwrap() {
                Chunk::Bytes(bytes) => all.extend(bytes),
                Chunk::Later(_) => std::thread::yield_now(),
                Chunk::End => panic!("it is not over"),
            }
        }
        all
    }

    #[test]
    fn large_bodies_arrive_whole_and_in_order() {
        let file = tempfile::tempfile().unwrap();
        let pipe = Arc::new(Pipe::new(
            Signal::default(),
            Some(file.try_clone().unwrap()),
            None,
        ));
        let also = Some(Box::new(Also::Sha512(sha2::Sha512::new())));
        let mut writer = Writer::new(file, Arc::clone(&pipe), also);
        let mut all = Vec::new();
        for n in 0..PIECES {
            let piece = vec![u8::try_from(n).unwrap(); PIECE];
            writer.write(&piece[..]).unwrap();
            all.extend(piece);
        }
        assert_eq!(read_along(&pipe), all);
        writer.catch_up().unwrap();
        assert_eq!(writer.size(), all.len() as u64);
        let digested = writer.finish().unwrap().digest();
        assert_eq!(hex(&digested.sha256), hex(&Sha256::digest(&all)));
        let sha512 = sha2::Sha512::digest(&all).to_vec();
        assert_eq!(digested.also, Some(sha512));
    }

    #[test]
    fn what_cannot_be_written_goes_through_memory() {
        let full = || File::options().write(true).open("/dev/full").unwrap();
        for pieces in [1, PIECES] {
            let pipe = Arc::new(Pipe::new(Signal::default(), Some(full()), None));
            let body = pipe.reader(0, None);
            let mut writer = Writer::new(full(), Arc::clone(&pipe), None);
            let piece = vec![7; PIECE];
            let failed = (0..pieces).any(|_| writer.write(&piece[..]).is_err());
            assert!(failed || writer.catch_up().is_err());
            assert_eq!(pipe.backlog(), PIECE, "from the first on");
            drop(body);
        }
    }
}
