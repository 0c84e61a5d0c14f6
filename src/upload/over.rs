//! What an upload may take the place of.

use crate::conditional::{self, Outcome, PARTIAL};
use crate::error::{Error, Result};
use crate::freshness::clock;
use crate::headers::Headers;
use crate::key::Target;
use crate::present::{Present, present};
use crate::store::Store;

/// Fields by which a PUT says what it may replace (RFC 9110 sections 13.1.1, 13.1.2 and 13.1.4).
const CONDITIONS: [&str; 3] = ["if-match", "if-none-match", "if-unmodified-since"];

/// What an upload may take the place of.
#[derive(Debug, Clone)]
pub enum Over {
    /// Of what is cachy's, or of nothing.
    Cachys,
    /// Also of a person's file.
    Anything,
    /// Of what the conditions of this request allow, person's or not.
    Allowed(Headers),
}

impl Over {
    /// As a PUT asks.
    #[must_use]
    pub fn of(request: &Headers) -> Self {
        if CONDITIONS.iter().any(|name| request.has(name)) {
            Self::Allowed(request.clone())
        } else {
            Self::Anything
        }
    }

    /// Compares the conditions with what GET would answer now. Waits for the disk.
    ///
    /// # Errors
    /// `Condition` where they don't hold; else see [`crate::entry::find`].
    pub(super) fn check(&self, store: &Store, target: &Target) -> Result<()> {
        let Self::Allowed(request) = self else {
            return Ok(());
        };
        // What is there has to be seen whole.
        let mut asks = request.clone();
        for name in PARTIAL {
            asks.remove(name);
        }
        let there = match present(store, target, &asks, true, true, clock())? {
            Present::Nothing => None,
            Present::Answer(answer) => Some(answer.headers),
            Present::Other | Present::Undecided => Some(Headers::default()),
        };
        let why = match there {
            None if request.has("if-match") => {
                "nothing in the tree answers it, and If-Match wants something there"
            }
            None => return Ok(()),
            Some(there) => {
                // That one is for reading alone (RFC 9110 section 13.1.3).
                let mut request = request.clone();
                request.remove("if-modified-since");
                match conditional::evaluate(&request, &there) {
                    Outcome::Send => return Ok(()),
                    Outcome::NotModified => {
                        "something in the tree answers it already, which If-None-Match rules out"
                    }
                    Outcome::Failed => {
                        "what the tree answers is not what If-Match or If-Unmodified-Since wants there"
                    }
                }
            }
        };
        let url = target.url();
        Err(Error::Condition { url, why })
    }
}
