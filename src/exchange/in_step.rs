//! What belongs to a set, see [`crate::in_step`], on its way.

use super::{Exchange, Fallback};
use crate::key::Target;
use crate::layout::path_of;
use crate::meta::{Bond, Millis, Record};
use crate::options::{Mode, Policy};
use crate::shape::names_for_good;

impl Exchange {
    /// Whether sets count.
    pub(super) fn is_kept_in_step(&self) -> bool {
        self.settings.policy == Policy::Auto && self.settings.mode != Mode::Offline
    }

    /// Whether what there is in case of failure is older than what it belongs to.
    pub(super) fn is_outdated(&self, now: Millis) -> bool {
        match (&self.fallback, &self.target) {
            (Fallback::Entry(entry), Some(target)) => {
                self.rules().is_outdated(&entry.record, target, now)
            }
            _ => false,
        }
    }

    /// When what a URL belongs to became what it is: nobody may be given what was asked for before.
    pub(super) fn moved_at(&self, target: &Target) -> Millis {
        if self.is_kept_in_step() && !names_for_good(target) {
            self.store.moved_at(target)
        } else {
            Millis::MIN
        }
    }

    /// Upstream has other bytes than the tree of something that leads: a client may have them, and ask
    /// for what belongs to them, before they are stored, and also where they never are.
    pub(super) fn note_arrival(&self, now: Millis) {
        if let (Fallback::Entry(entry), Some(target)) = (&self.fallback, &self.target)
            && entry.record.leads()
        {
            self.store.moved(path_of(target).as_str(), now);
        }
    }

    /// What a new record says of it as one of a set.
    pub(super) fn bond(&self, target: &Target, status: u16, now: Millis) -> Option<Box<Bond>> {
        if names_for_good(target) {
            return None;
        }
        Some(Box::new(Bond {
            asked_at: self.sent_at,
            since: now,
            before: None,
            leads: status == 200 && self.is_kept_in_step() && self.store.finds_beside(target),
        }))
    }

    /// A record that a 304 confirms.
    pub(super) fn asked(&self, mut record: Record) -> Record {
        if let Some(bond) = &mut record.bond {
            bond.asked_at = self.sent_at;
        }
        record
    }

    /// What arrived is in the tree.
    pub(super) fn stored_in_step(&self) {
        if let Some(target) = self.target.as_ref().filter(|_| self.is_kept_in_step()) {
            self.store.arrived(path_of(target).as_str());
            // What it belongs to may have come meanwhile.
            self.store.lead(target);
        }
    }
}
