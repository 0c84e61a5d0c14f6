//! The one error type of the store. Every variant that comes from the disk names the path.

use std::io;
use std::path::{Path, PathBuf};

use crate::key::Target;
use crate::layout::path_of;
use crate::tree::Tree;

/// What can go wrong in the store. None of these fails a request: the caller passes it upstream.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// A verb: `open`, `write`, `rename` ...
        doing: &'static str,
        /// The path as a person would type it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A link in the tree leads out of it, or something in the way is neither a file nor a folder.
    #[error("{} {why}; cachy neither reads nor writes through it. Remove it to have this URL cached again", path.display())]
    Barred {
        /// The path as a person would type it.
        path: PathBuf,
        /// The rest of a sentence that begins with the path.
        why: &'static str,
    },
    /// What is there is not what a condition of the request wants (RFC 9110 section 13.1).
    #[error("{url}: {why}")]
    Condition {
        /// The URL that was to be answered otherwise.
        url: String,
        /// Which condition, and why.
        why: &'static str,
    },
    /// What upstream sent is not what its URL says.
    #[error("{url} is not stored: {why}")]
    NotIt {
        /// The URL.
        url: String,
        /// Where it would lie.
        path: PathBuf,
        /// What came, in words.
        why: String,
    },
    /// The folder was written by a cachy that this one doesn't know.
    #[error("{} says format {found:?}, and this cachy knows format {known:?}: use another cachy_dir, or the cachy that made this one", path.display())]
    Format {
        /// The file that says so.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What this version writes.
        known: &'static str,
    },
    /// `cachy_dir` names something that can't be a folder.
    #[error(
        "cachy_dir: {path:?} is not a folder. Name a folder (it is made when missing), or remove that file"
    )]
    NotAFolder {
        /// What the option says.
        path: PathBuf,
    },
}

impl Error {
    /// Wraps an operating system's error with what was tried and where.
    pub fn io(doing: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::Io {
            doing,
            path: path.as_ref().to_path_buf(),
            source,
        }
    }

    /// What upstream sent for a URL is not what that says. `why`: the rest of the sentence.
    #[must_use]
    pub fn not_it(tree: &Tree, target: &Target, why: String) -> Self {
        Self::NotIt {
            url: target.url(),
            path: tree.path(path_of(target).as_str()),
            why,
        }
    }

    /// The operating system's error kind, where there is one.
    #[must_use]
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}

/// Shorthand for this crate's results.
pub type Result<T> = std::result::Result<T, Error>;
