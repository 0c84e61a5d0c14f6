//! Putting things into the tree, whole or not at all: written to `.cachy/tmp`, then renamed into
//! place in one step that also proves that nobody changed the place meanwhile.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use cap_fs_ext::DirExt;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::layout::RelPath;
use crate::locks::Lock;
use crate::spare;
use crate::tree::{Lying, Stat, Tree};

pub(crate) const TMP: &str = ".cachy/tmp";
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A file or link under `.cachy/tmp`, removed when dropped unless it was placed.
#[derive(Debug)]
pub struct Temp {
    dir: Dir,
    name: String,
    /// Where the whole path is, for messages.
    path: std::path::PathBuf,
    placed: bool,
    /// Keeps a link from being swept; a file is locked itself.
    lock: Option<Lock>,
}

/// What is expected to lie at a place when something new goes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Nothing,
    /// This very file.
    File(Stat),
    /// A link with this text.
    Link(String),
}

impl Temp {
    /// Its name under `.cachy/tmp`.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Renames it over whatever lies there: for what belongs to cachy alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename_over(mut self, parent: &Dir, name: &str) -> std::io::Result<()> {
        self.dir.rename(&self.name, parent, name)?;
        self.placed = true;
        Ok(())
    }

    /// Puts it where nothing lies. Returns whether it went there.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn link_new(mut self, parent: &Dir, name: &str) -> std::io::Result<bool> {
        match self.dir.hard_link(&self.name, parent, name) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            // No hard links here.
            Err(_) => {
                match renameat_with(&self.dir, &self.name, parent, name, RenameFlags::NOREPLACE) {
                    Ok(()) => {
                        self.placed = true;
                        Ok(true)
                    }
                    Err(Errno::EXIST) => Ok(false),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.placed {
            // Gone already, or swept at the next start.
            let _ = self.dir.remove_file(&self.name);
        }
    }
}

impl Tree {
    /// A new file under `.cachy/tmp`, locked so that no other process sweeps it.
    ///
    /// # Errors
    /// `Io` where the disk is full or read-only.
    pub fn temp_file(&self) -> Result<(Temp, File)> {
        let temp = self.temp()?;
        let Some(file) = self.spares.take(&temp.dir) else {
            return self.temp_file_with(0o666);
        };
        // Before others can see it. Where locks are not to be had, nothing sweeps either.
        let _ = file.try_lock();
        if spare::link(&file, &temp.dir, &temp.name).is_ok() {
            return Ok((temp, file));
        }
        // No `/proc`, say, or another file system has come in the place of the first.
        self.spares.refuse();
        self.temp_file_with(0o666)
    }

    /// As [`Tree::temp_file`], for its owner alone.
    ///
    /// # Errors
    /// `Io` where the disk is full or read-only.
    pub(crate) fn temp_secret(&self) -> Result<(Temp, File)> {
        self.temp_file_with(0o600)
    }

    fn temp_file_with(&self, mode: u32) -> Result<(Temp, File)> {
        loop {
            let temp = self.temp()?;
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(mode);
            let file = match temp.dir.open_with(&temp.name, &options) {
                Ok(file) => file.into_std(),
                Err(error) => return Err(Error::io("write", &temp.path, error)),
            };
            // Where locks are not to be had, nothing sweeps either.
            let _ = file.try_lock();
            let links = file
                .metadata()
                .map(|m| std::os::unix::fs::MetadataExt::nlink(&m));
            if links.is_ok_and(|n| n > 0) {
                return Ok((temp, file));
            }
        }
    }

    /// A new symbolic link under `.cachy/tmp`.
    ///
    /// # Errors
    /// `Io` where the disk is full or read-only, or the text is too long for a link.
    pub fn temp_link(&self, text: &str) -> Result<Temp> {
        let mut temp = self.temp()?;
        temp.lock = Some(self.lock_links_shared()?);
        temp.dir
            .symlink_contents(text, &temp.name)
            .map_err(|e| Error::io("make link", &temp.path, e))?;
        Ok(temp)
    }

    fn temp(&self) -> Result<Temp> {
        let dir = if let Ok(Ok(dir)) = self.dir().map(|dir| dir.open_dir(TMP)) {
            dir
        } else {
            // Somebody removed the folder, or `.cachy` in it, under us.
            self.prepare()?;
            let made = self.dir()?.open_dir(TMP);
            made.map_err(|e| Error::io("open", self.path(TMP), e))?
        };
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let time = SystemTime::now().duration_since(UNIX_EPOCH);
        let name = format!(
            "{:x}-{count:x}-{:x}",
            std::process::id(),
            time.map_or(0, |t| t.as_nanos())
        );
        let path = self.path(TMP).join(&name);
        Ok(Temp {
            dir,
            name,
            path,
            placed: false,
            lock: None,
        })
    }

    /// Renames `temp` to `at`. Returns whether it went there: not where something else lies there
    /// than was expected, or the folder went with the last entry in it; then nothing has changed.
    ///
    /// # Errors
    /// `Barred` where a folder on the way is a link out of the tree, `Io` for what the system refuses.
    pub fn place(&self, temp: &mut Temp, at: &RelPath, expected: &Expected) -> Result<bool> {
        match self.rename_to(temp, at, expected) {
            Err(error) if error.kind() == Some(ErrorKind::NotFound) => Ok(false),
            placed => placed,
        }
    }

    fn rename_to(&self, temp: &mut Temp, at: &RelPath, expected: &Expected) -> Result<bool> {
        let parent = self.folder(at.parent().unwrap_or("."))?;
        let name = at.file_name();
        let failed = |e: Errno| Error::io("rename to", self.path(at.as_str()), e.into());
        let rename = |flags| renameat_with(&temp.dir, &temp.name, &parent, name, flags);
        if *expected == Expected::Nothing {
            match rename(RenameFlags::NOREPLACE) {
                Ok(()) => {}
                Err(Errno::EXIST) => return Ok(false),
                Err(error) if unsupported(error) => {
                    if parent.symlink_metadata(name).is_ok() {
                        return Ok(false);
                    }
                    rename(RenameFlags::empty()).map_err(failed)?;
                }
                Err(error) => return Err(failed(error)),
            }
            temp.placed = true;
            return Ok(true);
        }
        match rename(RenameFlags::EXCHANGE) {
            Ok(()) if is_expected(&temp.dir, &temp.name, expected) => {
                // What lay there is now the temporary file, removed by the drop.
                return Ok(true);
            }
            Ok(()) => {
                rename(RenameFlags::EXCHANGE).map_err(failed)?;
                return Ok(false);
            }
            Err(Errno::NOENT) => return Ok(false),
            Err(error) if unsupported(error) => {}
            Err(error) => return Err(failed(error)),
        }
        if !is_expected(&parent, name, expected) {
            return Ok(false);
        }
        rename(RenameFlags::empty()).map_err(failed)?;
        temp.placed = true;
        Ok(true)
    }

    /// Takes away what lies at `at`, for good. Returns whether it did: not where something else lies
    /// there than was expected, which stays.
    ///
    /// # Errors
    /// As [`Tree::place`].
    pub fn take_away(&self, at: &RelPath, expected: &Expected) -> Result<bool> {
        let parent = self.folder(at.parent().unwrap_or("."))?;
        let name = at.file_name();
        let failed = |e: Errno| Error::io("remove", self.path(at.as_str()), e.into());
        let temp = self.temp()?;
        match renameat_with(&parent, name, &temp.dir, &temp.name, RenameFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(failed(error)),
        }
        if is_expected(&temp.dir, &temp.name, expected) {
            return Ok(true);
        }
        // Somebody put something else there at this very moment.
        let mut temp = temp;
        temp.placed = true;
        let back = |flags| renameat_with(&temp.dir, &temp.name, &parent, name, flags);
        match back(RenameFlags::NOREPLACE) {
            Err(error) if unsupported(error) => back(RenameFlags::empty()).map_err(failed)?,
            done => done.map_err(failed)?,
        }
        Ok(false)
    }

    /// Makes the folders above a path; a file or status in the way moves to `%~self` in the folder
    /// that takes its name.
    ///
    /// # Errors
    /// `Barred` where something else is in the way, `Io` for what the system refuses.
    pub fn make_parents(&self, rel: &RelPath) -> Result<()> {
        let Some(parent) = rel.parent() else {
            return Ok(());
        };
        if self.folder(parent).is_ok() {
            return Ok(());
        }
        let dir = self.dir()?;
        for _ in 0..4 {
            match self.make_folders(&dir, parent) {
                // Whoever took the last entry out of a folder above took that one too.
                Err(error) if error.kind() == Some(ErrorKind::NotFound) => {}
                made => return made,
            }
        }
        self.make_folders(&dir, parent)
    }

    fn make_folders(&self, dir: &Dir, parent: &str) -> Result<()> {
        let ends = parent.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([parent.len()]) {
            let folder = &parent[..end];
            match dir.create_dir(folder) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if !dir.symlink_metadata(folder).is_ok_and(|m| m.is_dir()) {
                        self.turn_into_folder(folder)?;
                    }
                }
                Err(error) => return Err(self.refused(folder, error)),
            }
        }
        Ok(())
    }

    /// Opens a folder of the tree for writing into it: through no link, as what is written would
    /// lie under a name that the link's owner didn't ask for.
    fn folder(&self, rel: &str) -> Result<Dir> {
        if let Some(dir) = at_once(&*self.dir()?, rel) {
            return Ok(dir);
        }
        let mut dir = self
            .dir()?
            .try_clone()
            .map_err(|e| Error::io("open", self.root(), e))?;
        for name in rel.split('/') {
            dir = match dir.open_dir_nofollow(name) {
                Ok(inner) => inner,
                Err(error) => {
                    let link = dir.symlink_metadata(name).is_ok_and(|m| m.is_symlink());
                    return Err(if link {
                        self.barred(rel, "lies behind a link to a folder")
                    } else {
                        self.refused(rel, error)
                    });
                }
            };
        }
        Ok(dir)
    }

    fn turn_into_folder(&self, folder: &str) -> Result<()> {
        let _alone = self.lock_shape()?;
        let site = !folder.contains('/');
        let Some(rel) = RelPath::checked(folder).filter(|_| !site) else {
            return Err(self.barred(folder, "is a file where a site's folder has to be"));
        };
        let text = match self.look(&rel)? {
            Lying::Folder => return Ok(()),
            // Gone meanwhile: the folder is made by whoever asks again.
            Lying::Nothing => return Err(self.barred(folder, "changes while it is looked at")),
            Lying::File { linked: true, .. } => {
                return Err(self.barred(folder, "is a link to a file where a folder has to be"));
            }
            Lying::File { .. } => None,
            Lying::Status { text, .. } => Some(text),
        };
        let mut temp = self.temp()?;
        let inner = Path::new(&temp.name).join(rel.as_self().file_name());
        let failed = |doing, e| Error::io(doing, self.path(folder), e);
        temp.dir
            .create_dir(&temp.name)
            .map_err(|e| failed("make a folder for", e))?;
        let parent = self.folder(rel.parent().unwrap_or("."))?;
        let copied = match text {
            Some(text) => temp.dir.symlink_contents(text, &inner),
            None => parent.hard_link(rel.file_name(), &temp.dir, &inner),
        };
        let swapped = copied.is_ok()
            && renameat_with(
                &temp.dir,
                &temp.name,
                &parent,
                rel.file_name(),
                RenameFlags::EXCHANGE,
            )
            .is_ok();
        if swapped {
            return Ok(());
        }
        // No hard links or no exchange here: two steps, with a moment in between without the file.
        temp.placed = true;
        let _ = temp.dir.remove_file(&inner);
        parent
            .rename(rel.file_name(), &temp.dir, &inner)
            .map_err(|e| failed("move", e))?;
        temp.dir
            .rename(&temp.name, &parent, rel.file_name())
            .map_err(|e| failed("move", e))
    }
}

/// Opens a folder through no link, in one step where the system has one for it (openat2(2)).
#[cfg(target_os = "linux")]
fn at_once(dir: &Dir, rel: &str) -> Option<Dir> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
    let how = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let opened = openat2(dir, rel, how, Mode::empty(), within).ok()?;
    Some(Dir::from_std_file(File::from(opened)))
}

#[cfg(not(target_os = "linux"))]
fn at_once(_: &Dir, _: &str) -> Option<Dir> {
    None
}

fn is_expected(dir: &Dir, name: &str, expected: &Expected) -> bool {
    match expected {
        Expected::Nothing => false,
        Expected::Link(text) => dir
            .read_link_contents(name)
            .is_ok_and(|found| found == Path::new(text)),
        Expected::File(stat) => dir
            .symlink_metadata(name)
            .is_ok_and(|meta| meta.is_file() && Stat::seen(&meta) == *stat),
    }
}

fn unsupported(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)
}
