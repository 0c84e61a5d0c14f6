//! What the tree has for a URL, without ever asking upstream.

use super::text;
use super::upload::failed;
use super::visit::Context;
use crate::answer::Answer;
use crate::key::Target;
use crate::layout::path_of;
use crate::present::{Present, present};
use crate::removal;

/// The answer to GET and HEAD; `None`: a large file has to be read first, see
/// [`crate::entry::Found::Undecided`].
#[must_use]
pub fn read(context: &Context<'_>, target: &Target) -> Option<Answer> {
    let (store, request) = (context.store, context.request);
    let (fields, head) = (&request.headers, request.is_head());
    Some(
        match present(store, target, fields, head, context.patient, context.now) {
            Ok(Present::Undecided) => return None,
            Ok(Present::Answer(answer)) => *answer,
            Ok(Present::Other | Present::Nothing) => nothing(context, target),
            Err(error) => failed(&error),
        },
    )
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
