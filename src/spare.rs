//! Empty files made ahead. To find a free inode can take a file system longer than all else that a small
//! miss takes (a journal that is being written, an ext4 without one where much was deleted lately), so
//! while there are misses a thread does that for the next ones.
//!
//! Such a file has no name until it is taken: nothing of it is left when the process dies.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use cap_std::fs::Dir;
use parking_lot::{Condvar, Mutex, MutexGuard};

/// So many files are there at first, and at most, where they prove too few. More are made when a quarter
/// is left, so that the thread is seldom woken.
const FEW: usize = 16;
const MANY: usize = 32;
/// When none was taken for so long, all go: a file that is open for writing would keep people from
/// making the file system read-only.
const IDLE: Duration = Duration::from_secs(1);

/// The files.
#[derive(Debug, Default, Clone)]
pub(crate) struct Spares(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    taken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<File>,
    /// How many there should be.
    wanted: usize,
    /// A thread makes them.
    busy: bool,
    /// There are none to be had here.
    refused: bool,
}

impl Spares {
    /// A file, as if it had just been made with the mode 0666 in that folder; `None` where none is
    /// there yet.
    pub(crate) fn take(&self, folder: &Dir) -> Option<File> {
        let mut state = self.0.state.lock();
        if state.refused {
            return None;
        }
        let found = state.files.pop();
        if found.is_none() {
            state.wanted = (state.wanted * 2).clamp(FEW, MANY);
        }
        if state.files.len() * 4 <= state.wanted {
            if state.busy {
                self.0.taken.notify_one();
            } else {
                state.busy = self.begin(folder).is_ok();
            }
        }
        found
    }

    /// They are of no use here.
    pub(crate) fn refuse(&self) {
        self.0.state.lock().refused = true;
    }

    fn begin(&self, folder: &Dir) -> io::Result<()> {
        let folder = folder.try_clone()?;
        let shared = Arc::clone(&self.0);
        std::thread::Builder::new()
            .name("cachy-spares".into())
            .spawn(move || shared.work(&folder))
            .map(|_| ())
    }
}

impl Shared {
    /// Makes files until none is taken any more.
    fn work(&self, folder: &Dir) {
        let mut state = self.state.lock();
        loop {
            if state.files.len() >= state.wanted
                && self.taken.wait_for(&mut state, IDLE).timed_out()
            {
                break;
            }
            let missing = state.wanted > state.files.len();
            let made = MutexGuard::unlocked(&mut state, || missing.then(|| make(folder)));
            match made {
                Some(Ok(file)) => state.files.push(file),
                Some(Err(error)) => {
                    state.refused |= error.kind() == io::ErrorKind::Unsupported;
                    break;
                }
                None => {}
            }
        }
        *state = State {
            refused: state.refused,
            ..State::default()
        };
    }
}

#[cfg(target_os = "linux")]
fn make(folder: &Dir) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, openat};
    let how = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(File::from(openat(folder, ".", how, Mode::from(0o666))?))
}

#[cfg(not(target_os = "linux"))]
fn make(_: &Dir) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Gives a file its name.
#[cfg(target_os = "linux")]
pub(crate) fn link(file: &File, folder: &Dir, name: &str) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    // By its number alone, which asks for no privilege, a descriptor can't be linked.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, path, folder, name, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn link(_: &File, _: &Dir, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_std::ambient_authority;
    use std::io::{Read, Seek, Write};
    use std::time::Instant;

    fn count(spares: &Spares) -> usize {
        spares.0.state.lock().files.len()
    }

    fn wait_until(done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < 20 * IDLE, "in time");
            std::thread::sleep(IDLE / 100);
        }
    }

    #[test]
    fn there_are_some_after_the_first_and_none_when_nobody_wants_them() {
        let folder = tempfile::TempDir::new().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        let spares = Spares::default();
        assert!(spares.take(&dir).is_none(), "it made none yet");
        if make(&dir).is_err() {
            return; // Not to be had on this file system.
        }
        wait_until(|| count(&spares) == FEW);
        assert!(folder.path().read_dir().unwrap().next().is_none());
        let mut file = spares.take(&dir).unwrap();
        file.write_all(b"abc").unwrap();
        link(&file, &dir, "a").unwrap();
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(
            (text.as_str(), dir.read("a").unwrap()),
            ("abc", b"abc".to_vec())
        );
        assert!(link(&file, &dir, "a").is_err(), "it is there");
        wait_until(|| count(&spares) == 0);
        wait_until(|| !spares.0.state.lock().busy);
    }

    #[test]
    fn more_where_they_are_too_few() {
        let folder = tempfile::TempDir::new().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        let spares = Spares::default();
        for _ in 0..99 {
            if count(&spares) == 0 {
                spares.take(&dir);
            }
        }
        let wanted = spares.0.state.lock().wanted;
        assert!((FEW..=MANY).contains(&wanted), "{wanted}");
        spares.refuse();
        assert!(spares.take(&dir).is_none());
    }
}
