//! What proves that nothing has changed: the very same file lies at the path, and the very same
//! metadata, or none.
//!
//! - The file is opened beneath the folder, through no link at all: `openat2` with
//!   `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`. A folder that became a link, was moved or is barred
//!   makes that fail, or leads to another file.
//! - `fstat` of it gives device, inode, mode, size, and the times of the last change of its bytes
//!   and of anything about it. What is edited, replaced, given other rights or put in its place
//!   differs in one of them. The answer is read from that open file.
//! - The metadata is looked at by its name. That its folders are still those of the tree tells the
//!   way back: `ROOT/.cachy/meta/XX/../../..` is the folder itself, where no link led away.
//!
//! The times are as coarse as the system's clock: what changed just before it was looked at may
//! change again within the same tick, and nothing would tell. So nothing is remembered of what is so
//! young ([`Mark::is_settled`]). By a mapping, a program may go on to write without the times being
//! set again; what it writes is served, since bytes are never remembered.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Stat, fstat, statat};
use rustix::io::Errno;

use crate::meta::Millis;

/// Times of a change are this fine at worst where they are fine at all, nanoseconds.
const TICK: i128 = 100_000_000;
/// And this where they have no fraction: FAT counts by two seconds.
const COARSE: i128 = 3_000_000_000;

/// What tells one state of a file from all others.
#[derive(Debug, Clone, Copy)]
pub struct Mark(Stat);

impl PartialEq for Mark {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        a.st_ino == b.st_ino
            && a.st_dev == b.st_dev
            && a.st_mode == b.st_mode
            && a.st_size == b.st_size
            && (a.st_mtime, a.st_mtime_nsec) == (b.st_mtime, b.st_mtime_nsec)
            && (a.st_ctime, a.st_ctime_nsec) == (b.st_ctime, b.st_ctime_nsec)
    }
}

impl Eq for Mark {}

impl Mark {
    /// Of an open file.
    #[must_use]
    pub fn of(file: impl AsFd) -> Option<Self> {
        fstat(file).ok().map(Self)
    }

    /// Of what lies at a path, not followed where it is a link. `Some(None)`: nothing.
    #[allow(clippy::option_option)]
    #[must_use]
    pub fn at(dir: BorrowedFd<'_>, path: &CStr) -> Option<Option<Self>> {
        match statat(dir, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(Some(Self(stat))),
            Err(Errno::NOENT) => Some(None),
            Err(_) => None,
        }
    }

    /// Of what a path leads to.
    #[must_use]
    pub fn at_end(path: &CStr) -> Option<Self> {
        rustix::fs::stat(path).ok().map(Self)
    }

    /// Whether whatever changes from now on has another mark.
    #[must_use]
    pub fn is_settled(&self, now: Millis) -> bool {
        let second = 1_000_000_000;
        let changed = i128::from(self.0.st_ctime) * second + i128::from(self.0.st_ctime_nsec);
        let least = if changed % second == 0 { COARSE } else { TICK };
        i128::from(now) * 1_000_000 - changed > least
    }

    /// What kind of file it is.
    #[must_use]
    pub fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.0.st_mode)
    }

    /// Device and inode.
    #[must_use]
    pub fn id(&self) -> (u64, u64) {
        #[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions)]
        let plain = (u64::try_from(self.0.st_dev), u64::try_from(self.0.st_ino));
        (plain.0.unwrap_or_default(), plain.1.unwrap_or_default())
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        u64::try_from(self.0.st_size).unwrap_or(0)
    }
}

/// Opens what lies at a path beneath a folder, where no link is on the way; a link itself, to be
/// looked at only. `None` also where the system can't tell.
#[cfg(target_os = "linux")]
#[must_use]
pub fn open(dir: BorrowedFd<'_>, path: &CStr, link: bool) -> Option<File> {
    use rustix::fs::{Mode, ResolveFlags, openat2};
    let way = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(dir, path, how(link), Mode::empty(), way) {
        Ok(file) => Some(file.into()),
        // An old system, or a container that knows no new calls.
        Err(Errno::NOSYS | Errno::PERM) => open_by_steps(dir, path, link),
        Err(_) => None,
    }
}

/// As [`open`], folder by folder.
#[cfg(target_os = "linux")]
fn open_by_steps(dir: BorrowedFd<'_>, path: &CStr, link: bool) -> Option<File> {
    use rustix::fs::{Mode, OFlags, openat};
    let (folders, name) = path.to_str().ok()?.rsplit_once('/')?;
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = dir.try_clone_to_owned().ok()?;
    for part in folders.split('/') {
        folder = openat(&folder, part, step, Mode::empty()).ok()?;
    }
    let file = openat(&folder, name, how(link), Mode::empty()).ok()?;
    Some(file.into())
}

#[cfg(target_os = "linux")]
fn how(link: bool) -> rustix::fs::OFlags {
    use rustix::fs::OFlags;
    let way = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if link {
        way | OFlags::PATH
    } else {
        // A named pipe in the tree must not block us.
        way | OFlags::RDONLY | OFlags::NONBLOCK
    }
}

/// As on Linux, which alone can tell.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn open(_: BorrowedFd<'_>, _: &CStr, _: bool) -> Option<File> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn by_steps_as_at_once() {
        let folder = tempfile::TempDir::new().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), b"x").unwrap();
        symlink("b", root.join("a/link")).unwrap();
        symlink("404", root.join("a/b/404")).unwrap();
        symlink("..", root.join("out")).unwrap();
        let dir = File::open(&root).unwrap();
        for (path, link, there) in [
            (c"a/b/file", false, true),
            (c"a/b/none", false, false),
            (c"a/b/404", true, true),
            (c"a/b/404", false, false),
            (c"a/link/file", false, false),
            (c"out/root/a/b/file", false, false),
            (c"a/b", false, true),
        ] {
            let mark = |file: Option<File>| file.map(|file| Mark::of(&file).unwrap());
            let at_once = mark(open(dir.as_fd(), path, link));
            assert_eq!(at_once.is_some(), there, "{path:?}");
            assert_eq!(mark(open_by_steps(dir.as_fd(), path, link)), at_once);
        }
    }

    #[test]
    fn what_has_just_changed_is_not_settled() {
        let file = tempfile::tempfile().unwrap();
        let now = crate::freshness::clock();
        let mark = Mark::of(&file).unwrap();
        assert!(!mark.is_settled(now));
        assert!(mark.is_settled(now + 200) && !mark.is_settled(now - 3_600_000));
        let mut coarse = mark;
        coarse.0.st_ctime_nsec = 0;
        assert!(!coarse.is_settled(now + 1500) && coarse.is_settled(now + 4000));
    }
}
