//! The secret that lets people change the tree over HTTP: 32 random bytes as hex in
//! `.cachy/token`, which only its owner reads.

use std::io::{ErrorKind, Write};

use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::hex::hex;
use crate::tree::Tree;

/// Where it lies.
pub const TOKEN: &str = ".cachy/token";
/// A shorter one, bytes, which only a person can have written, is none.
const SHORTEST: usize = 16;

/// Makes one where there is none.
///
/// # Errors
/// `Io` where the disk is full or read-only: nobody has the right token then.
pub fn ensure(tree: &Tree) -> Result<()> {
    let failed = |e| Error::io("write", tree.path(TOKEN), e);
    let Ok(dir) = tree.dir() else {
        // Without a tree there is nothing to protect, and whoever opened it has said so.
        return Ok(());
    };
    match dir.symlink_metadata(TOKEN) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return found.map(|_| ()).map_err(failed),
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|e| failed(e.into()))?;
    let (temp, mut file) = tree.temp_secret()?;
    writeln!(file, "{}", hex(&secret)).map_err(failed)?;
    file.sync_data().map_err(failed)?;
    let folder = dir.open_dir(".cachy").map_err(failed)?;
    // Whoever starts beside us may have been faster: theirs is the one.
    temp.link_new(&folder, "token").map(|_| ()).map_err(failed)
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
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn made_once_and_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, _) = Tree::open(folder.path()).unwrap();
        let path = folder.path().join(TOKEN);
        assert!(!is_right(&tree, b""));
        ensure(&tree).unwrap();
        let first = std::fs::read_to_string(&path).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!((first.trim().len(), mode & 0o777), (64, 0o600));
        ensure(&tree).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
        assert!(is_right(&tree, first.trim().as_bytes()));
        assert!(!is_right(&tree, first.as_bytes()));
        assert!(!is_right(&tree, &first.as_bytes()[..63]));
        std::fs::write(&path, "a token of one's own\n").unwrap();
        assert!(is_right(&tree, b"a token of one's own"));
        for short in ["", "\n", "short"] {
            std::fs::write(&path, short).unwrap();
            assert!(!is_right(&tree, short.trim().as_bytes()));
        }
    }
}
