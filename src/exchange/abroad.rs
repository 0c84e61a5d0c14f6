//! What other processes on the same tree have to do with a request.

use super::{Exchange, Step};
use crate::entry;
use crate::flights::{Joined, Outcome};
use crate::key::Target;
use crate::meta::Millis;

impl Exchange {
    /// Makes sure that no other process fetches what this exchange is about to lead.
    pub(super) fn join_abroad(&mut self, joined: Joined, now: Millis) -> Joined {
        let (store, settings) = (&self.store, self.settings);
        match joined {
            Joined::Lead(lead) if !(settings.chained || store.abroad.is_alone()) => {
                let joined = store.abroad.join(&store.tree, lead, settings, now);
                self.sharing.look_again = matches!(joined, Joined::Lead(_));
                joined
            }
            Joined::Lead(lead) => {
                self.sharing.look_again = store.flights.ended() != self.sharing.ended;
                Joined::Lead(lead)
            }
            joined @ Joined::Seat(_) => joined,
        }
    }

    /// Between the look at the tree and the right to fetch, another thread or process may have ended a
    /// fetch of the same: looks again, once.
    pub(super) fn looked_again(
        &mut self,
        step: Step,
        target: &Target,
        patient: bool,
        now: Millis,
    ) -> Step {
        let again = std::mem::take(&mut self.sharing.look_again) && self.is_leading();
        if !again || !matches!(step, Step::Forward(_)) {
            return step;
        }
        let Ok(found) = entry::find(&self.store, target, &self.request.headers, patient) else {
            return step;
        };
        let step = self.found(found, target, now);
        if !matches!(step, Step::Forward(_)) {
            self.finish(Outcome::Again);
        }
        step
    }
}
