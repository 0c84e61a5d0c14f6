//! Trouble with the disk is said once, not for each request, and again once it has gone and come back.

use std::collections::HashSet;
use std::io::ErrorKind;

use parking_lot::Mutex;

use crate::error::Error;

/// What has been said.
#[derive(Debug, Default)]
pub struct Troubles(Mutex<HashSet<(&'static str, Option<ErrorKind>, String)>>);

impl Troubles {
    /// Says it in the log, unless it was said.
    pub fn say(&self, error: &Error) {
        let key = match error {
            Error::Io { doing, source, .. } => (*doing, Some(source.kind()), String::new()),
            // A barred place is one person's doing: each is worth a line.
            other => ("", None, other.to_string()),
        };
        let mut said = self.0.lock();
        // Bounded, whatever the tree is full of.
        if said.len() < 1000 && said.insert(key) {
            match error {
                Error::Io { .. } => log::warn!(
                    "{error}. Requests are passed on without being stored until that is mended"
                ),
                other => log::warn!("{other}"),
            }
        }
    }

    /// Something was stored: what the system refused before is news again.
    pub fn over(&self) {
        let mut said = self.0.lock();
        if !said.is_empty() {
            said.retain(|(_, kind, _)| kind.is_none());
        }
    }
}
