//! What the tree has for a URL, whether or not a request of its own would get it.

use crate::answer::{self, Answer};
use crate::cache_status::CacheStatus;
use crate::entry::{Found, find};
use crate::error::Result;
use crate::headers::Headers;
use crate::key::Target;
use crate::meta::Millis;
use crate::store::Store;

/// What is there.
pub enum Present {
    /// Nothing.
    Nothing,
    /// This.
    Answer(Box<Answer>),
    /// Only what is stored for other request fields.
    Other,
    /// See [`Found::Undecided`].
    Undecided,
}

/// Looks for it; what it was stored for is no matter, nor how old it is.
///
/// # Errors
/// See [`find`].
pub fn present(
    store: &Store,
    target: &Target,
    fields: &Headers,
    head: bool,
    patient: bool,
    now: Millis,
) -> Result<Present> {
    let hit = CacheStatus::hit();
    let answer = match find(store, target, fields, patient)? {
        Found::Undecided => return Ok(Present::Undecided),
        Found::Stored(entry) => answer::stored(entry, fields, head, hit, now),
        Found::Nothing {
            other: Some(entry), ..
        } => answer::stored(*entry, fields, head, hit, now),
        Found::Placed(placed) => answer::placed(placed, target, fields, head, hit),
        Found::PlacedStatus(link) => answer::placed_status(link, head, hit),
        Found::PlacedIndex => answer::slash(target, head, hit),
        Found::Nothing { vary: Some(_), .. } => return Ok(Present::Other),
        Found::Nothing { .. } => return Ok(Present::Nothing),
    };
    Ok(Present::Answer(Box::new(answer)))
}
