//! A request to the proxy itself.

use super::{Exchange, Step};
use crate::internal::Context;
use crate::meta::Millis;

impl Exchange {
    /// Whether it is for the proxy itself.
    #[must_use]
    pub fn is_visit(&self) -> bool {
        self.visit.is_some()
    }

    pub(super) fn receive_visit(&mut self, patient: bool, now: Millis) -> Step {
        let context = Context {
            store: &self.store,
            mode: self.settings.mode,
            request: &self.request,
            patient,
            now,
        };
        match &mut self.visit {
            Some(visit) => visit.decide(&context),
            None => Step::Wait,
        }
    }
}
