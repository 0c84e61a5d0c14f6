//! A variant that was selected by other fields than a request has, and is better than nothing where
//! upstream can't be asked.

use super::{is_readable, normalised, weighted};
use crate::headers::Headers;
use crate::key::Target;
use crate::meta::{Millis, Record};

/// Fields that tell who asks, and by which an origin suits its answer to that: another one's can still
/// be read. Not those that say what is understood, or who may have it.
const SUITING: [&str; 12] = [
    "accept-charset",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "dnt",
    "from",
    "origin",
    "referer",
    "save-data",
    "upgrade-insecure-requests",
    "user-agent",
    "x-requested-with",
];

/// How well one does, the best last.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Fitness {
    /// It was selected by what the request accepts.
    accepted: bool,
    /// How much the request wants its media type.
    quality: f32,
    /// How many fields agree.
    agreeing: usize,
    stored_at: Millis,
}

/// How well a stored response does for a request that it was not selected by. `None`: not at all.
#[must_use]
pub fn fitness(record: &Record, target: &Target, request: &Headers) -> Option<Fitness> {
    // That there is nothing for one says nothing about what there is for another.
    if record.status >= 400 || !is_readable(record, target, request) {
        return None;
    }
    let (mut accepted, mut agreeing) = (true, 0);
    for (name, value) in &record.selecting {
        if normalised(target, request, name) == *value {
            agreeing += 1;
        } else if name == "accept" || name.starts_with("accept:") {
            accepted = false;
        } else if !SUITING.contains(&name.as_str()) && !name.starts_with("sec-") {
            return None;
        }
    }
    let quality = if accepted {
        1.0
    } else {
        quality(record, request)
    };
    (quality > 0.0).then_some(Fitness {
        accepted,
        quality,
        agreeing,
        stored_at: record.stored_at,
    })
}

/// How much a request wants what is stored, by its media type (RFC 9110 section 12.5.1).
fn quality(record: &Record, request: &Headers) -> f32 {
    let media_type = record.headers.text("content-type").unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let family = essence.split('/').next().unwrap_or_default();
    let accepted = weighted(&request.list("accept"));
    if accepted.is_empty() {
        return 1.0;
    }
    [&essence, &format!("{family}/*"), "*/*"]
        .into_iter()
        .find_map(|range: &str| accepted.iter().find(|(name, _)| name == range))
        .map_or(0.0, |(_, quality)| *quality)
}
