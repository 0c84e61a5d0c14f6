//! What the tree has for a URL, without ever asking upstream.

use super::text;
use super::upload::failed;
use super::visit::Context;
use crate::answer::{self, Answer};
use crate::cache_status::CacheStatus;
use crate::entry::{Found, find};
use crate::key::Target;
use crate::layout::path_of;
use crate::removal;

/// The answer to GET and HEAD; `None`: a large file has to be read first, see
/// [`Found::Undecided`].
#[must_use]
pub fn read(context: &Context<'_>, target: &Target) -> Option<Answer> {
    let (store, request) = (context.store, context.request);
    let (fields, head, hit) = (&request.headers, request.is_head(), CacheStatus::hit());
    let found = match find(store, target, fields, context.patient) {
        Ok(found) => found,
        Err(error) => return Some(failed(&error)),
    };
    Some(match found {
        Found::Undecided => return None,
        Found::Stored(entry) => answer::stored(entry, fields, head, hit, context.now),
        // Whatever it was stored for: it is what lies there.
        Found::Nothing {
            other: Some(entry), ..
        } => answer::stored(*entry, fields, head, hit, context.now),
        Found::Placed(placed) => answer::placed(placed, target, fields, head, hit),
        Found::PlacedStatus(link) => answer::placed_status(link, head, hit),
        Found::PlacedIndex => answer::slash(target, head, hit),
        Found::Nothing { .. } => nothing(context, target),
    })
}

/// The answer to DELETE.
#[must_use]
pub fn remove(context: &Context<'_>, target: &Target) -> Answer {
    match removal::remove_target(context.store, target) {
        Ok(true) => text::empty(),
        Ok(false) => nothing(context, target),
        Err(error) => failed(&error),
    }
}

fn nothing(context: &Context<'_>, target: &Target) -> Answer {
    let path = context.store.tree.path(path_of(target).as_str());
    let url = target.url();
    text::plain(
        404,
        &format!(
            "{url} is not in the cache. It would lie at\n  {}\n",
            path.display()
        ),
    )
}
