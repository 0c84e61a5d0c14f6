//! A path in the tree, relative to `cachy_dir`, and how names are cut to fit.

use std::{fmt, path::Path};

use sha2::{Digest, Sha256};

use crate::hex::hex;

use super::{MARK, MAX_NAME, MAX_PATH, SELF, VARIANT, VARIANT_HEX};

/// Hex digits of the hash in a cut name: 128 bits, so that nobody finds two URLs for one.
pub(super) const CUT_HEX: usize = 32;

/// A relative path in the tree.
///
/// Invariant: `/`-separated and not absolute, no segment empty, `.` or `..`, no NUL, the first
/// segment is an authority's folder and does not begin with `.`, every segment is at most
/// 255 bytes, the whole at most [`MAX_PATH`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelPath(String);

impl RelPath {
    /// `None` where the text breaks the invariant.
    pub(crate) fn checked(text: &str) -> Option<Self> {
        let mut segments = text.split('/');
        let sound = text.len() <= MAX_PATH
            && !text.starts_with('.')
            && !text.contains('\0')
            && segments.all(|s| !s.is_empty() && s.len() <= MAX_NAME && s != "." && s != "..");
        sound.then(|| Self(text.to_owned()))
    }

    /// The caller vouches for the invariant.
    pub(super) fn vouched(text: String) -> Self {
        debug_assert!(Self::checked(&text).is_some(), "{text:?}");
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder that holds it; `None` for an authority's folder itself.
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }

    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// Where the file of this nominal path lies once the path is a folder too: `NAME/%~self`.
    #[must_use]
    pub fn as_self(&self) -> Self {
        if self.file_name() == SELF {
            return self.clone();
        }
        Self::vouched(format!("{}/{SELF}", self.0))
    }

    /// Where a further variant of this nominal path lies: `NAME%~v-HASH`, NAME cut if need be.
    /// `hash16hex` is 16 lower-case hex digits; any other text is hashed into such.
    ///
    /// Always beside the nominal path, also when that has become a folder: asked of `NAME/%~self`,
    /// the answer is the same.
    #[must_use]
    pub fn variant(&self, hash16hex: &str) -> Self {
        let hash = if is_hex(hash16hex, VARIANT_HEX) {
            hash16hex.to_owned()
        } else {
            digest(hash16hex, VARIANT_HEX)
        };
        let own = match self.0.rsplit_once('/') {
            Some((nominal, SELF)) => nominal,
            _ => &self.0,
        };
        let (folder, name) = own.rsplit_once('/').unwrap_or(("", own));
        let name = cut_name(name, MAX_NAME - VARIANT.len() - VARIANT_HEX);
        let slash = if folder.is_empty() { "" } else { "/" };
        Self::vouched(format!("{folder}{slash}{name}{VARIANT}{hash}"))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<Path> for RelPath {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

/// `name` where it fits into `limit` bytes, else as much of it as leaves room for the mark and the
/// hash of the whole.
pub(super) fn cut_name(name: &str, limit: usize) -> String {
    if name.len() <= limit {
        return name.to_owned();
    }
    let mut end = limit - MARK.len() - CUT_HEX;
    // Not inside an escape (3 bytes) or a marked slash (4): back to its `%`.
    if let Some(percent) = name[..end].rfind('%') {
        let escape = if name[percent..].starts_with(MARK) {
            4
        } else {
            3
        };
        if percent + escape > end {
            end = percent;
        }
    }
    format!("{}{}", &name[..end], cut_mark(name))
}

/// What stands for all that was cut off.
pub(super) fn cut_mark(whole: &str) -> String {
    format!("{MARK}{}", digest(whole, CUT_HEX))
}

/// Whether `cut_name` or `cut_mark` made this segment.
pub(super) fn is_cut(segment: &str) -> bool {
    segment
        .rsplit_once(MARK)
        .is_some_and(|(_, hash)| is_hex(hash, CUT_HEX))
}

/// Whether `text` is `digits` lower-case hex digits.
pub(super) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The first hex digits of SHA-256.
fn digest(text: &str, digits: usize) -> String {
    let mut hex = hex(&Sha256::digest(text));
    hex.truncate(digits);
    hex
}
