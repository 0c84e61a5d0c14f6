//! A request to the proxy itself.

use std::sync::Arc;

use super::{Exchange, Step};
use crate::internal::{Context, Host, Visit};
use crate::meta::Millis;

impl Exchange {
    /// Has it answered by the proxy itself.
    #[must_use]
    pub fn visiting(mut self, host: Arc<Host>) -> Self {
        self.visit = Some(Box::new(Visit::new(host)));
        self
    }

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
