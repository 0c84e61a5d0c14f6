//! The secret that lets people change the tree over HTTP: 32 random bytes as hex in
//! `.cachy/token`, which only its owner reads.

use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;

use cap_std::fs::{OpenOptions, OpenOptionsExt};
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::hex::hex;
use crate::tree::Tree;

/// Where it lies.
pub const TOKEN: &str = ".cachy/token";
/// A shorter one, bytes, which only a person can have written, is none.
const SHORTEST: usize = 16;

/// Makes one where there is none, or a short one, and keeps others from reading it.
///
/// # Errors
/// `Io` where the disk is full or read-only: nobody has the right token then, or others may read it.
pub fn ensure(tree: &Tree) -> Result<()> {
    let failed = |e| Error::io("write", tree.path(TOKEN), e);
    let Ok(dir) = tree.dir() else {
        // Without a tree there is nothing to protect, and whoever opened it has said so.
        return Ok(());
    };
    let mut options = OpenOptions::new();
    // A named pipe must not block us.
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let short = match dir.open_with(TOKEN, &options) {
        Ok(found) => {
            if is_long(tree, &mut found.into_std())? {
                return Ok(());
            }
            true
        }
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(Error::io("read", tree.path(TOKEN), error)),
    };
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|e| failed(e.into()))?;
    let (temp, mut file) = tree.temp_secret()?;
    writeln!(file, "{}", hex(&secret)).map_err(failed)?;
    file.sync_data().map_err(failed)?;
    let folder = dir.open_dir(".cachy").map_err(failed)?;
    if short {
        temp.rename_over(&folder, "token").map_err(failed)?;
        log::warn!(
            "{}: the token in it was shorter than {SHORTEST} bytes; there is a new one now",
            tree.path(TOKEN).display()
        );
        return Ok(());
    }
    // Whoever starts beside us may have been faster: theirs is the one.
    temp.link_new(&folder, "token").map(|_| ()).map_err(failed)
}

/// Whether one that lies there is long enough; then it is closed to others.
fn is_long(tree: &Tree, file: &mut File) -> Result<bool> {
    let path = tree.path(TOKEN);
    let mut bytes = Vec::new();
    let read = file.read_to_end(&mut bytes);
    let mode = read.and_then(|_| file.metadata());
    let mode = mode.map_err(|e| Error::io("read", &path, e))?;
    let mode = mode.permissions().mode();
    if bytes.trim_ascii().len() < SHORTEST {
        return Ok(false);
    }
    if mode & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(|e| Error::io("close to others", &path, e))?;
        log::warn!(
            "{} was open to others (mode {:03o}), who may have read the token; it is closed to them now. To have a new token, remove that file",
            path.display(),
            mode & 0o777
        );
    }
    Ok(true)
}

/// Whether this is the token, as it is now.
#[must_use]
pub fn is_right(tree: &Tree, presented: &[u8]) -> bool {
    let Ok(Ok(bytes)) = tree.dir().map(|dir| dir.read(TOKEN)) else {
        return false;
    };
    let token = bytes.trim_ascii();
    token.len() >= SHORTEST && bool::from(token.ct_eq(presented))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, _) = Tree::open(folder.path()).unwrap();
        let path = folder.path().join(TOKEN);
        assert!(!is_right(&tree, b""));
        ensure(&tree).unwrap();
        let first = std::fs::read_to_string(&path).unwrap();
        assert_eq!((first.trim().len(), mode_of(&path)), (64, 0o600));
        ensure(&tree).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
        assert!(is_right(&tree, first.trim().as_bytes()));
        assert!(!is_right(&tree, first.as_bytes()));
        assert!(!is_right(&tree, &first.as_bytes()[..63]));
        std::fs::write(&path, "a token of one's own\n").unwrap();
        assert!(is_right(&tree, b"a token of one's own"));
        ensure(&tree).unwrap();
        assert!(is_right(&tree, b"a token of one's own"));
        for short in ["", "\n", "short", "  fifteen bytes..  "] {
            std::fs::write(&path, short).unwrap();
            assert!(!is_right(&tree, short.trim().as_bytes()));
            ensure(&tree).unwrap();
            let new = std::fs::read_to_string(&path).unwrap();
            assert_eq!((new.trim().len(), mode_of(&path)), (64, 0o600));
            assert!(is_right(&tree, new.trim().as_bytes()));
        }
        let left = std::fs::read_dir(folder.path().join(".cachy/tmp")).unwrap();
        assert_eq!(left.count(), 0);
    }

    fn mode_of(path: &std::path::Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, _) = Tree::open(folder.path()).unwrap();
        let path = folder.path().join(TOKEN);
        ensure(&tree).unwrap();
        let token = std::fs::read(&path).unwrap();
        for (mode, then) in [
            (0o644, 0o600),
            (0o640, 0o600),
            (0o602, 0o600),
            (0o400, 0o400),
        ] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            ensure(&tree).unwrap();
            assert_eq!(mode_of(&path), then, "{mode:o}");
            assert_eq!(std::fs::read(&path).unwrap(), token);
        }
    }
}
