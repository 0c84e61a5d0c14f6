//! URL <-> path in the tree: the only code that knows the names on disk.
//!
//! All paths are relative to `cachy_dir`. `https` and `http` of the same text share a path.
//!
//! | URL | path | rule |
//! |---|---|---|
//! | `https://h/a/b.deb` | `h/a/b.deb` | as the URL spells it |
//! | `https://h:8443/a` | `h:8443/a` | the port where it isn't the scheme's own |
//! | `https://h/a/` | `h/a/index.html` | a path that ends in `/` |
//! | `https://h/a?x=1` | `h/a?x=1` | a query belongs to the name |
//! | `https://h/a/?x=1` | `h/a/?x=1` | also of an empty one |
//! | `https://h/a?` | `h/a?` | also an empty query |
//! | `https://h/a?u=b/c` | `h/a?u=b%~2Fc` | `/` in a query (`%2F` stays) |
//! | `https://h/a/index.html` | `h/a/%~index.html` | the URL really spells it |
//! | `https://h/a/index.html?x` | `h/a/index.html?x` | with a query nothing is in its way |
//! | `https://h/a//b` | `h/a/%~/b` | an empty segment |
//! | `https://h/a//` | `h/a/%~/index.html` | likewise, before the last |
//! | a segment over 255 bytes | `PREFIX%~HASH32` | hash of the segment |
//! | a path over [`MAX_PATH`], less room for the next two | `h/a/.../%~HASH32` | hash of the path |
//! | file and folder at once | `NAME/%~self` | NAME being any path above |
//! | a further variant | `NAME%~v-HASH16` | NAME cut as above where it doesn't fit |
//!
//! Everything that no URL spells begins with the mark `%~`, and canonical URLs ([`crate::key`])
//! never hold it: so every path above is the path of one URL alone. The text after the mark tells
//! the rules apart: nothing, `2F`, `index.html`, `self`, `v-` or 32 lower-case hex digits.
//! Names beginning with a dot at the top are cachy's own; no authority does.

mod decode;
mod rel_path;

#[cfg(test)]
mod tests;

pub use decode::{LayoutError, Named, target_of};
pub use rel_path::RelPath;

use crate::key::Target;
use rel_path::{cut_mark, cut_name};

/// The longest relative path, in bytes: `PATH_MAX` (4096) with room for `cachy_dir` before it.
pub const MAX_PATH: usize = 3500;

/// The longest name that file systems take (`NAME_MAX`), in bytes.
const MAX_NAME: usize = 255;

/// Begins everything that no URL spells; also the whole name of an empty segment.
const MARK: &str = "%~";
/// A `/` in a query.
const SLASH: &str = "%~2F";
/// What answers for a folder.
const INDEX: &str = "index.html";
/// The last segment of a URL that really spells `index.html`.
const REAL_INDEX: &str = "%~index.html";
/// The file of a path that is a folder too.
const SELF: &str = "%~self";
/// Stands between a name and the hash of its variant.
const VARIANT: &str = "%~v-";
/// Hex digits in the name of a variant.
const VARIANT_HEX: usize = 16;

/// A nominal path ends early enough for a variant's suffix, the longer of the two (`/%~self`).
const MAX_NOMINAL: usize = MAX_PATH - VARIANT.len() - VARIANT_HEX;

/// The nominal path of a URL: where its file lies as long as it isn't a folder too.
pub fn path_of(target: &Target) -> RelPath {
    let path = target.path();
    let (folders, last) = path.rsplit_once('/').unwrap_or(("", path));
    let leaf = match (target.query(), last) {
        (Some(query), name) => format!("{name}?{}", query.replace('/', SLASH)),
        (None, "") => INDEX.to_owned(),
        (None, INDEX) => REAL_INDEX.to_owned(),
        (None, name) => name.to_owned(),
    };
    let mut rel = target.authority().to_owned();
    // `folders` is "" or begins with the slash that follows the authority.
    for folder in folders.split('/').skip(1) {
        let name = if folder.is_empty() { MARK } else { folder };
        push(&mut rel, &cut_name(name, MAX_NAME));
    }
    push(&mut rel, &cut_name(&leaf, MAX_NAME));
    RelPath::vouched(cut_path(rel))
}

/// The leading segments that fit, then the hash of all.
fn cut_path(rel: String) -> String {
    if rel.len() <= MAX_NOMINAL {
        return rel;
    }
    let mark = cut_mark(&rel);
    let room = MAX_NOMINAL - mark.len() - 1;
    // The slash may be the first byte after what fits. All is ASCII, and the authority always fits.
    let end = rel[..=room].rfind('/').unwrap_or(room);
    format!("{}/{mark}", &rel[..end])
}

fn push(rel: &mut String, segment: &str) {
    rel.push('/');
    rel.push_str(segment);
}
