//! The folder `cachy_dir`: what lies at a path, seen without ever leaving the folder.
//!
//! | path | what |
//! |---|---|
//! | `HOST/...` | stored bodies and links, see [`crate::layout`] |
//! | `.cachy/format` | the version of all this |
//! | `.cachy/CACHEDIR.TAG` | tells backup programs what this is |
//! | `.cachy/meta/XX/...` | metadata, see [`crate::meta`] |
//! | `.cachy/settled` | what is on disk for good, see [`crate::settled`] |
//! | `.cachy/tmp/...` | what is being written, see [`crate::place`] |
//! | `.cachy/locks/...` | see [`crate::locks`] |
//! | `.cachy/misses` | what was asked for in vain, see [`crate::misses`] |
//!
//! Every path goes through `cap_std::fs::Dir`, which refuses whatever leads out of the folder.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::MetadataExt as OsMetadataExt;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use parking_lot::RwLock;
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::layout::RelPath;
use crate::link::StatusLink;
use crate::recall::Mark;
use crate::spare::Spares;

/// Version of the tree, in `.cachy/format`.
const FORMAT: &str = "1";
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
# This folder is kept by cachy: metadata of the cache around it.\n";

/// The folder, opened. It may be removed, moved or made again while we run.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    open: RwLock<Option<Arc<Opened>>>,
    /// See [`Tree::changes`].
    changes: AtomicU64,
    /// For what will be written.
    pub(crate) spares: Spares,
    /// It is not looked for again, see [`Tree::still`].
    fixed: Option<Held>,
}

#[derive(Debug)]
struct Opened {
    dir: Dir,
    id: (u64, u64),
}

/// Size and time of a file, by which it is told whether somebody changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stat {
    /// Bytes.
    pub size: u64,
    /// Time of the last change, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Device and inode.
    pub id: (u64, u64),
}

impl Stat {
    /// Reads it from an open file's metadata.
    #[must_use]
    pub fn of(meta: &std::fs::Metadata) -> Self {
        Self {
            size: meta.size(),
            mtime_ns: meta
                .mtime()
                .saturating_mul(1_000_000_000)
                .saturating_add(meta.mtime_nsec()),
            id: (meta.dev(), meta.ino()),
        }
    }

    /// As [`Stat::of`], for what was looked at without being opened.
    #[must_use]
    pub fn seen(meta: &cap_std::fs::Metadata) -> Self {
        use cap_std::fs::MetadataExt;
        Self {
            size: meta.size(),
            mtime_ns: meta
                .mtime()
                .saturating_mul(1_000_000_000)
                .saturating_add(meta.mtime_nsec()),
            id: (meta.dev(), meta.ino()),
        }
    }
}

/// What lies at a path.
#[derive(Debug)]
pub enum Lying {
    /// Nothing.
    Nothing,
    /// A folder without a file of its own (`%~self`).
    Folder,
    /// A regular file.
    File {
        /// Open for reading.
        file: File,
        /// As it is now.
        stat: Stat,
        /// Where: the path itself, or `%~self` in the folder of that name.
        at: RelPath,
        /// Reached through a symbolic link, which only people make.
        linked: bool,
    },
    /// A link whose text is a status.
    Status {
        /// What it says.
        link: StatusLink,
        /// Its text.
        text: String,
        /// Where: the path itself, or `%~self` in the folder of that name.
        at: RelPath,
    },
}

impl Tree {
    /// Opens the folder and makes what is missing.
    ///
    /// # Errors
    /// `NotAFolder` and `Format` are for the user to mend. Anything else (no right to write, a full
    /// disk) comes back beside the tree, which then serves what it can.
    pub fn open(root: &Path) -> Result<(Self, Option<Error>)> {
        if root.as_os_str().is_empty() {
            let path = root.to_path_buf();
            return Err(Error::NotAFolder { path });
        }
        let tree = Self {
            root: root.to_path_buf(),
            open: RwLock::new(None),
            changes: AtomicU64::default(),
            spares: Spares::default(),
            fixed: None,
        };
        match tree.prepare() {
            Ok(()) => Ok((tree, None)),
            Err(error @ (Error::NotAFolder { .. } | Error::Format { .. })) => Err(error),
            Err(error) => Ok((tree, Some(error))),
        }
    }

    /// The folder as it is; it need not be there.
    ///
    /// # Errors
    /// `Format`, and `Io` where it is there and can't be read.
    pub fn look_into(root: &Path) -> Result<Self> {
        let tree = Self {
            root: root.to_path_buf(),
            open: RwLock::new(None),
            changes: AtomicU64::default(),
            spares: Spares::default(),
            fixed: None,
        };
        match tree.dir() {
            Ok(dir) => tree.check_format(&dir)?,
            Err(error) if error.kind() == Some(ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
        Ok(tree)
    }

    /// Makes the folder and `.cachy` in it, or checks that they are what we know.
    ///
    /// # Errors
    /// See [`Tree::open`].
    pub fn prepare(&self) -> Result<()> {
        if let Err(error) = std::fs::create_dir_all(&self.root) {
            let other = std::fs::metadata(&self.root).is_ok_and(|m| !m.is_dir());
            if other || error.kind() == ErrorKind::NotADirectory {
                let path = self.root.clone();
                return Err(Error::NotAFolder { path });
            }
            return Err(Error::io("make", &self.root, error));
        }
        let dir = self.dir()?;
        self.check_format(&dir)?;
        for part in ["tmp", "meta", "locks"] {
            let path = format!(".cachy/{part}");
            dir.create_dir_all(&path)
                .map_err(|e| Error::io("make", self.path(&path), e))?;
        }
        for (path, text) in [(".cachy/CACHEDIR.TAG", TAG), (".cachy/format", FORMAT)] {
            if dir.metadata(path).map_or(0, |m| m.len()) == 0 {
                dir.write(path, text)
                    .map_err(|e| Error::io("write", self.path(path), e))?;
            }
        }
        Ok(())
    }

    fn check_format(&self, dir: &Dir) -> Result<()> {
        match dir.read_to_string(".cachy/format") {
            // Empty: somebody starts beside us, or a crash came in between.
            Ok(found) if matches!(found.trim(), FORMAT | "") => Ok(()),
            Ok(found) => Err(Error::Format {
                path: self.path(".cachy/format"),
                found: found.trim().to_owned(),
                known: FORMAT,
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("read", self.path(".cachy/format"), error)),
        }
    }

    /// The folder as the options name it.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path as a person would type it, for messages.
    #[must_use]
    pub fn path(&self, rel: &str) -> PathBuf {
        self.root.join(rel)
    }

    /// The open folder; opened again where it was removed, moved or made anew.
    ///
    /// # Errors
    /// `Io` where there is no such folder.
    pub fn dir(&self) -> Result<Held> {
        if let Some(fixed) = &self.fixed {
            return Ok(fixed.clone());
        }
        let found = self.dir_now();
        if found.is_err() && self.open.write().take().is_some() {
            self.changes.fetch_add(1, Ordering::Release);
        }
        found.map_err(|e| Error::io("open", &self.root, e))
    }

    fn dir_now(&self) -> io::Result<Held> {
        let now = std::fs::metadata(&self.root)?;
        let id = (now.dev(), now.ino());
        if let Some(open) = self.open.read().as_ref().filter(|open| open.id == id) {
            return Ok(Held(Arc::clone(open)));
        }
        let dir = Dir::open_ambient_dir(&self.root, ambient_authority())?;
        // It may be another one by now.
        let now = dir.dir_metadata()?;
        let id = (OsMetadataExt::dev(&now), OsMetadataExt::ino(&now));
        let open = Arc::new(Opened { dir, id });
        let mut known = self.open.write();
        self.changes.fetch_add(1, Ordering::Release);
        *known = Some(Arc::clone(&open));
        Ok(Held(open))
    }

    /// How often the folder at the root turned out to be another one: where that has not changed from
    /// one look to a later one, all that was looked at between them was in one folder.
    #[must_use]
    pub fn changes(&self) -> u64 {
        // Whether it is there is for others to say.
        let _ = self.dir();
        self.changes.load(Ordering::Acquire)
    }

    /// The same tree, for what is done in one go: it is where it is now, wherever it goes meanwhile.
    ///
    /// # Errors
    /// As [`Tree::dir`].
    pub(crate) fn still(&self) -> Result<Self> {
        Ok(Self {
            root: self.root.clone(),
            open: RwLock::new(None),
            changes: AtomicU64::default(),
            spares: self.spares.clone(),
            fixed: Some(self.dir()?),
        })
    }

    /// The open folder, where a path still leads to it. `None`: it has to be asked for by
    /// [`Tree::dir`].
    #[must_use]
    pub fn dir_by(&self, path: &CStr) -> Option<Held> {
        let now = Mark::at_end(path)?;
        let open = self.open.read();
        let open = open.as_ref().filter(|open| open.id == now.id())?;
        Some(Held(Arc::clone(open)))
    }

    /// Looks at a path. Files come back open, so that what is read is what was looked at.
    ///
    /// # Errors
    /// `Barred` for what cachy neither reads nor writes, `Io` for what the system refuses.
    pub fn look(&self, rel: &RelPath) -> Result<Lying> {
        match self.look_at(rel)? {
            Lying::Folder => match self.look_at(&rel.as_self())? {
                Lying::Nothing | Lying::Folder => Ok(Lying::Folder),
                lying => Ok(lying),
            },
            lying => Ok(lying),
        }
    }

    fn look_at(&self, rel: &RelPath) -> Result<Lying> {
        let dir = match self.dir() {
            Err(error) if error.kind() == Some(ErrorKind::NotFound) => return Ok(Lying::Nothing),
            dir => dir?,
        };
        let name = rel.as_str();
        match dir.open_with(name, reading().follow(FollowSymlinks::No)) {
            Ok(file) => self.opened(file.into_std(), rel, false),
            Err(error) if is_nothing(&error) => Ok(Lying::Nothing),
            Err(error) => match dir.read_link_contents(name) {
                Ok(text) => self.follow(&dir, rel, &text),
                Err(_) => Err(self.refused(name, error)),
            },
        }
    }

    fn follow(&self, dir: &Dir, rel: &RelPath, text: &Path) -> Result<Lying> {
        let name = rel.as_str();
        if let Some((text, link)) = text
            .to_str()
            .and_then(|t| StatusLink::parse(t).map(|link| (t, link)))
        {
            return Ok(Lying::Status {
                link,
                text: text.to_owned(),
                at: rel.clone(),
            });
        }
        let opened = dir.open_with(name, &reading()).or_else(|error| {
            // An absolute link may still lead to a place inside.
            let inside = self.inside(name).ok_or(error)?;
            dir.open_with(inside, reading().follow(FollowSymlinks::No))
        });
        match opened {
            Ok(file) => self.opened(file.into_std(), rel, true),
            Err(error) if is_nothing(&error) || is_errno(&error, Errno::LOOP) => {
                Err(self.barred(name, "is a link that leads nowhere"))
            }
            Err(error) => Err(self.refused(name, error)),
        }
    }

    /// Where a link leads, relative to the root, if it leads to a place inside.
    fn inside(&self, name: &str) -> Option<PathBuf> {
        let root = self.root.canonicalize().ok()?;
        let place = root.join(name).canonicalize().ok()?;
        place.strip_prefix(&root).ok().map(Path::to_path_buf)
    }

    fn opened(&self, file: File, rel: &RelPath, linked: bool) -> Result<Lying> {
        let meta = file
            .metadata()
            .map_err(|e| Error::io("stat", self.path(rel.as_str()), e))?;
        if meta.is_dir() {
            return Ok(Lying::Folder);
        }
        if !meta.is_file() {
            return Err(self.barred(rel.as_str(), "is neither a file nor a folder"));
        }
        Ok(Lying::File {
            stat: Stat::of(&meta),
            file,
            at: rel.clone(),
            linked,
        })
    }

    /// Whether a file or a link lies at exactly this path.
    #[must_use]
    pub fn has(&self, rel: &RelPath) -> bool {
        self.dir().is_ok_and(|dir| {
            dir.symlink_metadata(rel.as_str())
                .is_ok_and(|meta| !meta.is_dir())
        })
    }

    pub(crate) fn barred(&self, rel: &str, why: &'static str) -> Error {
        Error::Barred {
            path: self.path(rel),
            why,
        }
    }

    /// Tells a way out of the tree, which cap-std reports without an error number, from the system's no.
    pub(crate) fn refused(&self, rel: &str, error: io::Error) -> Error {
        if error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
            self.barred(rel, "leads out of cachy_dir")
        } else if is_errno(&error, Errno::LOOP) {
            self.barred(rel, "lies behind links that go round")
        } else if is_errno(&error, Errno::NXIO) {
            self.barred(rel, "is neither a file nor a folder")
        } else {
            Error::io("open", self.path(rel), error)
        }
    }
}

/// The open folder, kept open while this is held.
#[derive(Debug, Clone)]
pub struct Held(Arc<Opened>);

impl Held {
    /// The device on which it lies.
    #[must_use]
    pub fn device(&self) -> u64 {
        self.0.id.0
    }
}

impl std::ops::Deref for Held {
    type Target = Dir;
    fn deref(&self) -> &Dir {
        &self.0.dir
    }
}

fn reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    // A named pipe in the tree must not block us.
    options.read(true).custom_flags(libc::O_NONBLOCK);
    options
}

fn is_errno(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
    )
}
