//! What the shape of a URL tells, whatever the host: mirrors and private registries have any name.

mod good;
mod moving;
mod name;
#[cfg(test)]
mod tests;

pub(crate) use good::crate_download;

use crate::key::Target;

/// What a URL names, as far as its shape tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Bytes, by their digest or by the commit that they come from: for good.
    Digest,
    /// One version of one thing: for good.
    Version,
    /// What is there now, or the newest: an index, a tag, a branch, a page.
    Moving,
    /// None of that.
    Other,
}

impl Naming {
    /// Of a URL.
    #[must_use]
    pub fn of(target: &Target) -> Self {
        let (folders, name) = parts(target);
        let name = name.to_ascii_lowercase();
        // A query may ask for anything.
        if target.query().is_none() {
            if good::by_digest(&folders, &name) {
                return Self::Digest;
            }
            if good::by_version(&folders, &name) {
                return Self::Version;
            }
        }
        if moving::is_moving(target, &folders, &name) {
            Self::Moving
        } else {
            Self::Other
        }
    }

    /// Whether it names the same for good.
    #[must_use]
    pub fn is_for_good(self) -> bool {
        matches!(self, Self::Digest | Self::Version)
    }
}

/// Whether the URL names one version of one thing for good, or a digest, so that a stored 200 is
/// never asked for again.
#[must_use]
pub fn names_for_good(target: &Target) -> bool {
    Naming::of(target).is_for_good()
}

/// Whether the URL itself says "the newest", as `/releases/latest` does.
#[must_use]
pub fn says_newest(target: &Target) -> bool {
    let (folders, name) = parts(target);
    moving::says_newest(&folders, &name.to_ascii_lowercase()) == Some(true)
}

/// Whether the URL says a full version, a digest or a day, nearer to its end than any word for the newest.
#[must_use]
pub fn says_version(target: &Target) -> bool {
    let (folders, name) = parts(target);
    moving::says_newest(&folders, &name.to_ascii_lowercase()) == Some(false)
}

/// `/simple/` and `/simple/NAME/` (devpi: `/+simple/`), below whatever prefix: a Python index (PEP 503
/// and 691), which is HTML or JSON as the client likes, whether the origin says `Vary` or not.
#[must_use]
pub fn is_simple(target: &Target) -> bool {
    let segments: Vec<&str> = target.path().split('/').collect();
    let named = |back: usize| {
        segments
            .len()
            .checked_sub(back)
            .and_then(|at| segments.get(at))
            .is_some_and(|s| matches!(*s, "simple" | "+simple"))
    };
    let last = segments.last().copied().unwrap_or_default();
    named(1) || (named(2) && !last.contains('.')) || (named(3) && last.is_empty())
}

/// The folders of a path, and its last name.
fn parts(target: &Target) -> (Vec<&str>, &str) {
    let mut segments: Vec<&str> = target.path().split('/').skip(1).collect();
    let name = segments.pop().unwrap_or_default();
    (segments, name)
}
