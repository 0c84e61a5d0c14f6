//! What a crash left under `.cachy/tmp` goes at the next start.

use std::path::Path;

use cap_std::fs::{Dir, MetadataExt};

use crate::place::TMP;
use crate::tree::Tree;

impl Tree {
    /// Removes what a crash left under `.cachy/tmp`; what another process writes or moves is locked.
    pub fn sweep(&self) {
        let Some(_alone) = self.lock_for_sweep() else {
            return;
        };
        let Ok(Ok(dir)) = self.dir().map(|dir| dir.open_dir(TMP)) else {
            return;
        };
        for entry in dir.entries().into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            // A folder is half of a move: what it holds may be the only copy, so it stays then.
            let stale = if kind.is_file() {
                dir.open(&name)
                    .is_ok_and(|file| file.into_std().try_lock().is_ok())
            } else {
                kind.is_symlink()
            };
            if stale {
                let _ = dir.remove_file(&name);
            } else if kind.is_dir() {
                sweep_folder(&dir, Path::new(&name));
            }
        }
    }
}

fn sweep_folder(dir: &Dir, name: &Path) {
    let inner = name.join("%~self");
    let copied = dir
        .symlink_metadata(&inner)
        .is_ok_and(|m| m.is_symlink() || m.nlink() > 1);
    if copied {
        let _ = dir.remove_file(&inner);
    }
    let _ = dir.remove_dir(name);
}
