//! The totals of all processes that used a tree, in `.cachy/stats.json`.

use std::io::Write;

use super::{Ledger, Totals};
use crate::error::{Error, Result};
use crate::tree::Tree;

/// Where they lie.
const STATS: &str = "stats.json";

impl Ledger {
    /// Adds what has come since the last time to what is written down. Waits for the disk.
    ///
    /// # Errors
    /// `Io` where the disk is full or read-only: then it is added the next time.
    pub fn save(&self, tree: &Tree) -> Result<()> {
        let mut saved = self.saved.lock();
        let now = self.totals();
        // A folder that somebody removed isn't made again for this.
        if now == *saved || !tree.dir()?.is_dir(".cachy") {
            return Ok(());
        }
        let _alone = tree.lock_alone("stats")?;
        let mut all = read(tree).unwrap_or_default();
        all.add(&now, &saved);
        let path = tree.path(".cachy").join(STATS);
        let failed = |e| Error::io("write", &path, e);
        let text = serde_json::to_vec(&all).map_err(|e| failed(e.into()))?;
        let (temp, mut file) = tree.temp_file()?;
        file.write_all(&text).map_err(failed)?;
        let folder = tree.dir()?.open_dir(".cachy").map_err(failed)?;
        temp.rename_over(&folder, STATS).map_err(failed)?;
        *saved = now;
        Ok(())
    }
}

/// What is written down; `None` where nothing is that can be read.
#[must_use]
pub fn read(tree: &Tree) -> Option<Totals> {
    let bytes = tree.dir().ok()?.read(format!(".cachy/{STATS}")).ok()?;
    serde_json::from_slice(&bytes).ok()
}
