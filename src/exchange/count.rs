//! What becomes of a request, for the ledger.

use super::Exchange;
use crate::answer::Answer;
use crate::ledger::{self, Tally};
use crate::redirect;
use crate::request::Request;
use crate::way::Way;

impl Exchange {
    /// Has what becomes of it counted.
    #[must_use]
    pub fn counted(mut self, tally: Tally) -> Self {
        self.tally = tally;
        self
    }

    /// The URL as people know it.
    pub(super) fn url(&self) -> String {
        url_of(&self.request, self.target.as_ref())
    }

    /// It is answered by this.
    pub(super) fn count_answer(&mut self, answer: &mut Answer) {
        // What the proxy asks itself is counted by who asked it.
        if self.request.way != Way::Circular {
            let (request, target) = (&self.request, self.target.as_ref());
            let url = || url_of(request, target);
            self.tally.answered(request, &url, answer);
        }
    }

    /// It is answered by upstream's body.
    pub(super) fn count_body(&mut self) {
        let (request, target) = (&self.request, self.target.as_ref());
        let url = || url_of(request, target);
        self.tally.tell(request, &url, self.code, self.status);
    }

    /// It ends without having been counted. `left`: the word for that, where nothing was answered.
    pub(super) fn count_rest(&mut self, left: Option<&'static str>) {
        if self.visit.is_some() || self.request.way == Way::Circular {
            return;
        }
        if !self.tally.is_told() {
            let (request, target) = (&self.request, self.target.as_ref());
            let url = || url_of(request, target);
            let why = left.filter(|_| self.flight.is_none());
            let why = why.or_else(|| ledger::reason(self.status));
            self.tally
                .tell_why(request, &url, self.code, self.status, why);
        }
        self.tally.over(crate::freshness::clock);
    }
}

/// The URL as people know it; of a signed one, what isn't a secret.
fn url_of(request: &Request, target: Option<&crate::key::Target>) -> String {
    let mut url = target.map_or_else(
        || {
            let path = String::from_utf8_lossy(&request.path);
            format!("{}{path}", request.site())
        },
        crate::key::Target::url,
    );
    if target.is_some_and(redirect::names_signature)
        && let Some(mark) = url.find('?')
    {
        url.truncate(mark);
    }
    url
}
