//! Answers from what was remembered of the tree, where that is still so: the same rules over the same
//! record, and the same bytes.

use std::fs::File;
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

use super::parse::Read;
use super::serve::Served;
use super::{Lane, SMALL};
use crate::cache_status::CacheStatus;
use crate::conditional::is_plain;
use crate::exchange::Plan;
use crate::key::Target;
use crate::meta::Millis;
use crate::options::Mode;
use crate::recall::{Kind, Known};
use crate::select;

impl Lane {
    /// Answers from what is remembered. `None`: the tree has to be looked at.
    pub(super) fn recalled(
        &mut self,
        read: &Read<'_>,
        out: &mut Vec<u8>,
        now: Millis,
    ) -> Option<Served> {
        if self.place.settings.mode == Mode::Off {
            return None;
        }
        let store = Arc::clone(&self.place.store);
        let known = store.recall.get(self.key(read.host))?;
        let status = self.status_of(&known, now)?;
        let Some(file) = known.prove(&store.tree) else {
            store.recall.forget(&self.key);
            return None;
        };
        let head = self.request.is_head();
        let request = &self.request.headers;
        let length = known.length();
        let hit = CacheStatus::hit();
        let served = if head || length > SMALL || status != hit || !is_plain(request) {
            let answer = known.answer(file, request, head, status, now)?;
            super::head::write(out, &answer, &self.place.reasons, None);
            self.send(answer.body, out, read.last)?
        } else {
            known.write_head(out, now);
            match known.own_body() {
                Some(body) => out.extend_from_slice(body),
                None => read_whole(&file, out, length)?,
            }
            self.count().read(usize::try_from(length).unwrap_or(0));
            if read.last {
                Served::Last
            } else {
                Served::Small
            }
        };
        if matches!(known.kind, Kind::Stored(..)) {
            known.use_at(now, || store.used(&known.slot, now));
        }
        Some(served)
    }

    /// The status of the answer, where it is one.
    fn status_of(&mut self, known: &Known, now: Millis) -> Option<CacheStatus> {
        let Kind::Stored(record, terms) = &known.kind else {
            return Some(CacheStatus::hit());
        };
        self.request.connect_by_name(&known.target);
        if !select::matches(record, &known.target, &self.request.headers) {
            return None;
        }
        match self.rules().plan(record, terms, &known.target, None, now) {
            Plan::Serve(status) => Some(status),
            Plan::Behind | Plan::Pass(_) | Plan::Ask(_) => None,
        }
    }

    /// Remembers what lies at the path of a URL, under the key of the request.
    pub(super) fn remember(&self, target: &Target, now: Millis) {
        let store = &self.place.store;
        if store.recall.get(&self.key).is_some() {
            // It is so still, but no answer to this request.
            return;
        }
        if let Some(known) = Known::learn(store, target, &self.place.reasons, now) {
            store.recall.put(&self.key, known);
        }
    }
}

/// Reads a file of this length from its beginning. `None`: it was cut short in this moment.
fn read_whole(file: &File, out: &mut Vec<u8>, length: u64) -> Option<()> {
    let begun = out.len();
    let length = usize::try_from(length).ok()?;
    out.reserve(length);
    while out.len() - begun < length {
        let at = u64::try_from(out.len() - begun).ok()?;
        match pread(file, spare_capacity(out), at) {
            Ok(0) => return None,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    out.truncate(begun + length);
    Some(())
}
