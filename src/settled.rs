//! What is on disk for good, and what only as long as the system runs.
//!
//! To wait for the disk three times for each entry costs more than all else that a miss takes, and a
//! cache need not keep what it fetched in the last minute through a power failure. What it owes is
//! that nothing torn is served, and that nothing of its own passes for a person's. So a new entry is
//! renamed into place without waiting, and its record names the boot of the system in which that
//! was. While that boot lasts, the system itself answers for the bytes, whatever becomes of the
//! process. In a later boot the record's digest decides (see [`crate::owner`]): once, and then the
//! record is as good as any. [`Settled`] spares the reading where all that was stored up to some time
//! is known to have reached the disk.
//!
//! After a power failure there may be less than the record says, in this order, which the journal of
//! the file system keeps (ext4, XFS, Btrfs and the like; elsewhere cachy waits for the disk): a record
//! without a body, which is nothing; a cut or empty record beside a body, whole or not; a record
//! beside a body that is cut. The last two are [`crate::owner::Owner::Torn`], which is as if nothing
//! lay there. What a person has changed since is theirs all the same: it is younger than its record, or
//! another file.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::sync::LazyLock;

use parking_lot::Mutex;
use rustix::fs::{fstatfs, syncfs};
use rustix::time::{ClockId, clock_gettime};

use crate::error::{Error, Result};
use crate::meta::{Millis, Record, Unsettled};
use crate::tree::{Held, Tree};

/// Where it is written down.
const PATH: &str = ".cachy/settled";
/// So many boots are remembered.
const BOOTS: usize = 32;

/// The boot of the system, where it has a name.
static BOOT: LazyLock<Option<String>> = LazyLock::new(|| {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = text.trim();
    (!id.is_empty()).then(|| id.to_owned())
});

/// File systems that keep the order of renames through a crash, by their magic number (statfs(2)):
/// ext4, XFS, Btrfs, F2FS, ZFS, bcachefs, tmpfs, and overlayfs, which has one of them below.
const ORDERED: [u64; 8] = [
    0xEF53,
    0x5846_5342,
    0x9123_683E,
    0xF2F5_2010,
    0x2FC1_2FC1,
    0xCA45_1A4E,
    0x0102_1994,
    0x794C_7630,
];

/// Up to when all that was stored is on disk, by boot; milliseconds since that boot, which no change
/// of the clock moves.
#[derive(Debug, Default)]
pub struct Settled {
    known: Mutex<HashMap<String, Millis>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the file system keeps the order, by the device on which the tree lies.
    ordered: Option<(u64, bool)>,
    /// Something was stored without waiting.
    dirty: bool,
}

impl Settled {
    /// Whether something new can be stored without waiting.
    pub fn is_possible(&self, tree: &Tree) -> bool {
        let Ok(dir) = tree.dir() else {
            return false;
        };
        BOOT.is_some() && self.is_ordered(&dir)
    }

    fn is_ordered(&self, dir: &Held) -> bool {
        let mut state = self.state.lock();
        if let Some((device, ordered)) = state.ordered
            && device == dir.device()
        {
            return ordered;
        }
        #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)] // Its type is the platform's.
        let kind = fstatfs(&**dir).ok().map(|stat| stat.f_type as u64);
        let ordered = kind.is_some_and(|kind| ORDERED.contains(&kind));
        state.ordered = Some((dir.device(), ordered));
        ordered
    }

    /// For the record of what is stored now without waiting; `None` where one has to wait.
    pub fn begin(&self, tree: &Tree, body: &File) -> Option<Unsettled> {
        let boot = BOOT.as_deref()?;
        let inode = body.metadata().ok()?.ino();
        let dir = tree.dir().ok()?;
        if !self.is_ordered(&dir) {
            return None;
        }
        self.state.lock().dirty = true;
        Some(Unsettled {
            boot: boot.to_owned(),
            at: since_boot(),
            inode,
        })
    }

    /// Whether a record's file is what the record says as long as nobody changed it.
    #[must_use]
    pub fn covers(&self, tree: &Tree, record: &Record) -> bool {
        let Some(unsettled) = &record.unsettled else {
            return true;
        };
        if BOOT.as_ref() == Some(&unsettled.boot) {
            return true;
        }
        let is_known = |known: &HashMap<String, Millis>| {
            let until = known.get(&unsettled.boot);
            until.is_some_and(|until| unsettled.at < *until)
        };
        let mut known = self.known.lock();
        if !is_known(&known) {
            // The tree, or a part of it, may have come from elsewhere meanwhile.
            known.extend(load(tree));
        }
        is_known(&known)
    }

    /// Waits until all that was stored is on disk, and writes that down.
    ///
    /// # Errors
    /// `Io` where the tree can't be written.
    pub fn settle(&self, tree: &Tree) -> Result<()> {
        let Some(boot) = BOOT.as_deref() else {
            return Ok(());
        };
        if !std::mem::take(&mut self.state.lock().dirty) {
            return Ok(());
        }
        let failed = |e| Error::io("write", tree.path(PATH), e);
        let done = (|| {
            let now = since_boot();
            let (temp, mut file) = tree.temp_file()?;
            // All of the file system at once.
            syncfs(&file).map_err(|e| failed(e.into()))?;
            let mut known = load(tree);
            known.insert(boot.to_owned(), now);
            while known.len() > BOOTS {
                let oldest = known.iter().min_by_key(|(_, until)| **until);
                let oldest = oldest.map(|(boot, _)| boot.clone()).unwrap_or_default();
                known.remove(&oldest);
            }
            let text = serde_json::to_vec(&known).map_err(|e| failed(e.into()))?;
            file.write_all(&text).map_err(failed)?;
            file.sync_data().map_err(failed)?;
            let dir = tree.dir()?;
            temp.rename_over(&dir, PATH).map_err(failed)
        })();
        if done.is_err() {
            self.state.lock().dirty = true;
        }
        done
    }
}

fn since_boot() -> Millis {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec * 1000 + now.tv_nsec / 1_000_000
}

/// What is written down; what can't be read is nothing.
fn load(tree: &Tree) -> HashMap<String, Millis> {
    let bytes = tree.dir().ok().and_then(|dir| dir.read(PATH).ok());
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}
