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

    /// What to do with a request to the proxy itself. `None`: it is for somebody else.
    pub(super) fn receive_visit(&mut self, patient: bool, now: Millis) -> Option<Step> {
        let context = Context {
            store: &self.store,
            mode: self.settings.mode,
            request: &self.request,
            patient,
            now,
        };
        Some(self.visit.as_mut()?.decide(&context))
    }
}
