//! Trouble with the disk is said once: not for each request, each worker, or each change of an option.
//! Once it has gone and comes back it is said again. It has gone when something was stored where it was
//! met, and on a full disk, when as much was stored as did not fit.

mod board;

pub use board::Board;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::board::{Key, MOST, Said};
use crate::error::Error;
use crate::layout::RelPath;

/// Of one tree.
#[derive(Debug, Default)]
pub struct Troubles {
    root: PathBuf,
    board: Arc<Board>,
}

impl Troubles {
    /// Of the tree at `root`.
    #[must_use]
    pub fn new(root: &Path, board: Arc<Board>) -> Self {
        Self {
            root: root.to_path_buf(),
            board,
        }
    }

    /// Says it in the log, unless it was said.
    pub fn say(&self, error: &Error) {
        self.say_of(error, 0);
    }

    /// As [`Troubles::say`], of something of so many bytes.
    pub fn say_of(&self, error: &Error, size: u64) {
        if self.is_news(error, size) {
            match error {
                Error::Io { .. } => log::warn!(
                    "{error}. Requests are passed on without being stored until this is fixed"
                ),
                other => log::warn!("{other}"),
            }
        }
    }

    /// Whether it was not said yet. From now on it was.
    pub fn is_news(&self, error: &Error, size: u64) -> bool {
        let (key, at) = self.about(error);
        let new = Said {
            at,
            least: size,
            most: 0,
        };
        self.board.with(|all| {
            let full = all.len() >= MOST;
            match all.get_mut(&key) {
                // What fitted meanwhile does not any more.
                Some(said) if size < said.least && size <= said.most => *said = new,
                Some(said) => {
                    said.least = said.least.min(size);
                    return false;
                }
                None if full => return false,
                None => drop(all.insert(key, new)),
            }
            true
        })
    }

    /// So many bytes were stored there: what was refused before is news again.
    pub fn over(&self, stored: &RelPath, size: u64) {
        if self.board.is_empty() {
            return;
        }
        self.board.with(|all| {
            all.retain(|key, said| {
                if key.root != self.root || !is_below(stored.as_str(), &said.at) {
                    return true;
                }
                said.most = said.most.max(size);
                size < said.least
            });
        });
    }

    /// What tells an error from others, and where something has to be stored to show that it is over.
    fn about(&self, error: &Error) -> (Key, String) {
        let inside = |path: &Path| {
            let rel = path.strip_prefix(&self.root).unwrap_or(Path::new(""));
            let rel = rel.to_string_lossy().into_owned();
            if rel.starts_with(".cachy") {
                String::new()
            } else {
                rel
            }
        };
        let (what, at, place) = match error {
            Error::Io { path, source, .. } => {
                let kind = source.kind();
                let everywhere = matches!(
                    kind,
                    ErrorKind::StorageFull
                        | ErrorKind::QuotaExceeded
                        | ErrorKind::ReadOnlyFilesystem
                );
                let rel = if everywhere {
                    String::new()
                } else {
                    inside(path)
                };
                let folder = rel.rsplit_once('/').map(|(folder, _)| folder.to_owned());
                let place = folder.as_deref().and_then(|f| f.split('/').next());
                let place = place.unwrap_or_default().to_owned();
                (format!("{kind:?}"), folder.unwrap_or(rel), place)
            }
            // Each is worth a line: what one person did, and what one URL brought.
            Error::Barred { path, .. } | Error::NotIt { path, .. } => {
                (error.to_string(), inside(path), String::new())
            }
            other => (other.to_string(), String::new(), String::new()),
        };
        let root = self.root.clone();
        (Key { root, what, place }, at)
    }
}

/// Whether a path is another one, or lies below it.
fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    folder.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(kind: ErrorKind, path: &str) -> Error {
        Error::io("write", path, kind.into())
    }

    fn rel(path: &str) -> RelPath {
        RelPath::checked(path).unwrap()
    }

    fn troubles() -> Troubles {
        Troubles::new(Path::new("/tree"), Arc::default())
    }

    #[test]
    fn a_full_disk() {
        let troubles = troubles();
        let full = |path, size| troubles.is_news(&io(ErrorKind::StorageFull, path), size);
        assert!(full("/tree/.cachy/tmp", 1000));
        assert!(!full("/tree/h/a", 2000) && !full("/tree/other/b/c", 900));
        for _ in 0..3 {
            // What is small fits all the time.
            troubles.over(&rel("h/small"), 10);
            assert!(!full("/tree/.cachy/tmp", 1000));
        }
        assert!(full("/tree/.cachy/tmp", 5), "and now it does not");
        assert!(!full("/tree/.cachy/tmp", 1000));
        troubles.over(&rel("h/large"), 2000);
        assert!(full("/tree/.cachy/tmp", 1000));
    }

    #[test]
    fn each_place_for_itself() {
        let troubles = troubles();
        let denied = |path| troubles.is_news(&io(ErrorKind::PermissionDenied, path), 1);
        assert!(denied("/tree/h/a") && denied("/tree/i/a"));
        assert!(!denied("/tree/h/b") && !denied("/tree/h/c/d") && !denied("/tree/i/b"));
        troubles.over(&rel("i/x"), 9);
        troubles.over(&rel("hh/x"), 9);
        assert!(!denied("/tree/h/a"));
        assert!(denied("/tree/i/a"));
        // The tree's own folder, whichever host is new there.
        assert!(denied("/tree/new") && !denied("/tree/newer"));
        troubles.over(&rel("h/a"), 9);
        assert!(!denied("/tree/newest") && denied("/tree/h/a"));
        troubles.over(&rel("new/a"), 9);
        assert!(denied("/tree/new"));
    }

    #[test]
    fn what_is_barred() {
        let troubles = troubles();
        let barred = |path: &str| {
            let path = path.into();
            troubles.is_news(
                &Error::Barred {
                    path,
                    why: "is odd",
                },
                0,
            )
        };
        assert!(barred("/tree/h/a") && barred("/tree/h/b"));
        troubles.over(&rel("h/ab"), 1);
        assert!(!barred("/tree/h/a"));
        troubles.over(&rel("h/a/c"), 1);
        assert!(barred("/tree/h/a") && !barred("/tree/h/b"));
    }

    #[test]
    fn trees_and_processes() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("troubles");
        let read_only = io(ErrorKind::ReadOnlyFilesystem, "/tree/h/a");
        let [one, two] = [(); 2].map(|()| {
            let board = Arc::new(Board::default());
            board.share(&file).unwrap();
            Troubles::new(Path::new("/tree"), board)
        });
        assert!(one.is_news(&read_only, 0));
        assert!(!two.is_news(&read_only, 0));
        let elsewhere = Troubles::new(Path::new("/other"), Arc::clone(&two.board));
        assert!(elsewhere.is_news(&read_only, 0));
        two.over(&rel("h/b"), 1);
        assert!(one.is_news(&read_only, 0));
        assert!(!elsewhere.is_news(&read_only, 0));
        // The same tree after an option was changed.
        let again = Troubles::new(Path::new("/tree"), Arc::clone(&one.board));
        assert!(!again.is_news(&read_only, 0));
        for each in [&one, &elsewhere] {
            each.over(&rel("h/b"), 1);
        }
        assert!(one.board.is_empty() && two.board.is_empty());
        std::fs::write(&file, b"broken").unwrap();
        assert!(one.is_news(&read_only, 0) && !two.is_news(&read_only, 0));
    }

    #[test]
    fn it_is_bounded() {
        let troubles = troubles();
        let told = (0..2 * MOST).filter(|n| {
            let path = format!("/tree/h{n}/a");
            troubles.is_news(&io(ErrorKind::PermissionDenied, &path), 0)
        });
        assert_eq!(told.count(), MOST);
    }
}
