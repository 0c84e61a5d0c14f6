//! What is known of one URL, and what a request for it would get now: asked of the very code that
//! decides, which leaves no trace where the store is only looked at ([`Store::look_at`]).

use std::sync::Arc;

use crate::cache_status::{CacheStatus, Forwarded};
use crate::conditional::validators;
use crate::entry::{self, Found};
use crate::error::Result;
use crate::exchange::{Exchange, Settings, Step};
use crate::freshness::Terms;
use crate::headers::Headers;
use crate::key::Target;
use crate::layout::{RelPath, path_of};
use crate::meta::{Millis, Record};
use crate::options::{Mode, Policy};
use crate::outlook::Outlook;
use crate::request::Request;
use crate::store::Store;
use crate::survey::Item;

/// All that is known of a URL.
#[derive(Debug)]
pub struct Shown {
    /// The canonical URL.
    pub url: String,
    /// Where its file lies, or would.
    pub path: RelPath,
    /// What lies there.
    pub entry: Option<Item>,
    /// Its variants.
    pub variants: Vec<Item>,
    /// What a request would get.
    pub forecast: Forecast,
}

/// What a request would get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// The tree answers, without upstream.
    pub hit: bool,
    /// The status, where upstream isn't asked first.
    pub status: Option<u16>,
    /// What the answer's `Cache-Status` would say, as far as is known before upstream is asked.
    pub cache_status: String,
    /// The same in words.
    pub words: String,
}

/// Looks at a URL. `headers`: fields of the request that is thought of.
///
/// # Errors
/// `Barred` and `Io` where it can't be looked at.
pub fn show(
    store: &Arc<Store>,
    target: &Target,
    headers: Headers,
    settings: Settings,
    now: Millis,
) -> Result<Shown> {
    let nominal = path_of(target);
    let is_variant = |item: &Item| item.named.as_ref().is_ok_and(|n| n.variant.is_some());
    let parts = store.parts(&nominal, &[])?;
    let (variants, mut own): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_variant);
    let entry = own.pop();
    Ok(Shown {
        url: target.url(),
        path: entry.as_ref().map_or(nominal, |item| item.path.clone()),
        entry,
        variants,
        forecast: forecast(store, target, headers, settings, now)?,
    })
}

/// What a request would get.
///
/// # Errors
/// `Barred` and `Io` where it can't be looked at.
pub fn forecast(
    store: &Arc<Store>,
    target: &Target,
    mut headers: Headers,
    settings: Settings,
    now: Millis,
) -> Result<Forecast> {
    if !headers.has("host") {
        headers.0.insert(
            0,
            (b"Host".to_vec(), target.authority().as_bytes().to_vec()),
        );
    }
    let found = entry::find(store, target, &headers, true)?;
    let request = Request::get(target, headers);
    let mut exchange = Exchange::new(Arc::clone(store), settings, request);
    let step = exchange.decide(true, now);
    let behind = exchange.work().is_some();
    let why = reason(store, &found, target, settings, now);
    Ok(match step {
        Step::Answer(answer) => {
            let cache_status = answer.headers.list("cache-status");
            let hit = cache_status.starts_with("cachy; hit");
            let words = match (hit, behind) {
                (true, true) => format!("hit, and asks upstream behind it: {why}"),
                (true, false) => format!("hit: {why}"),
                (false, _) => format!("{} without asking upstream: {why}", answer.status),
            };
            Forecast {
                hit,
                status: Some(answer.status),
                cache_status,
                words,
            }
        }
        Step::Forward(_) | Step::Read | Step::Wait(_) | Step::Take => {
            let status = exchange.status();
            Forecast {
                hit: false,
                status: None,
                cache_status: status.to_string(),
                words: asked(status, &found, &why),
            }
        }
    })
}

/// Why upstream is asked, and how.
fn asked(status: CacheStatus, found: &Found, why: &str) -> String {
    let record = match found {
        Found::Stored(entry) => Some(&entry.record),
        _ => None,
    };
    match status.forwarded {
        Some(Forwarded::Bypass | Forwarded::Method) => {
            let detail = status.detail.unwrap_or("this request is not for a cache");
            format!("passes by the tree: {detail}")
        }
        Some(Forwarded::Request) => {
            let with = record.map_or_else(String::new, |r| format!(", {}", has(r)));
            format!("asks upstream: the request or the mode asks for a check{with}")
        }
        _ => match record {
            Some(record) => format!("asks upstream: {why}, {}", has(record)),
            None => format!("asks upstream: {why}"),
        },
    }
}

fn has(record: &Record) -> String {
    let names = validators(&record.headers);
    let has = |name| names.iter().any(|(n, _)| *n == name);
    match (has("if-none-match"), has("if-modified-since")) {
        (true, true) => "has an ETag and a Last-Modified".to_owned(),
        (true, false) => "has an ETag".to_owned(),
        (false, true) => "has a Last-Modified".to_owned(),
        (false, false) => "has no validator, so the whole is fetched".to_owned(),
    }
}

/// What is there, in words.
fn reason(
    store: &Store,
    found: &Found,
    target: &Target,
    settings: Settings,
    now: Millis,
) -> String {
    match found {
        Found::Placed(_) => "a person's file".to_owned(),
        Found::PlacedStatus(link) => format!("a person's link says {}", link.status),
        Found::PlacedIndex => "the folder of that name has a person's index.html".to_owned(),
        Found::Stored(_) if settings.mode == Mode::Offline => "offline".to_owned(),
        Found::Stored(entry) => {
            let record = &entry.record;
            let set = settings.policy == Policy::Auto && Terms::of(record, target).set;
            let due = set.then(|| store.why_due(target, record)).flatten();
            due.map_or_else(
                || Outlook::of(record, target, settings.policy, now).to_string(),
                str::to_owned,
            )
        }
        Found::Nothing {
            vary: Some(names), ..
        } => format!(
            "stored only for requests with other fields ({})",
            names.join(", ")
        ),
        Found::Nothing { index: true, .. } => {
            "not in the tree, but the folder of that name has an index".to_owned()
        }
        Found::Nothing { .. } => "not in the tree".to_owned(),
        Found::Undecided => "whose it is takes long to tell".to_owned(),
    }
}
