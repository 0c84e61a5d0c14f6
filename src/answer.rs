//! The head and body that a client gets from the tree: RFC 9110 over a stored response, over a
//! person's file, and the texts that cachy writes itself.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::body::Body;
use crate::cache_status::CacheStatus;
use crate::conditional::{self, Outcome};
use crate::entry::{Entry, Placed};
use crate::freshness::{age, clock, format_date};
use crate::headers::Headers;
use crate::key::Target;
use crate::ledger::Meter;
use crate::link::StatusLink;
use crate::meta::{Millis, Stored};
use crate::multipart::{content_range, multipart};
use crate::range::{self, Wanted};
use crate::shape;

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header fields, framing included.
    pub headers: Headers,
    /// What follows.
    pub body: Body,
    /// What `Cache-Status` says of it.
    pub cache_status: CacheStatus,
    /// Counts what is read of the body.
    pub meter: Option<Meter>,
}

impl Answer {
    /// The reason phrase (RFC 9112 section 4) of an answer that is cachy's own: many clients print
    /// that and nothing else. `None`: the usual one. It holds nothing of the request.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match (self.status, self.cache_status.detail?) {
            (403, "offline-miss") => Some("Not in the cachy tree (offline)"),
            (504, "only-if-cached") => Some("Not in the cachy tree (only-if-cached)"),
            (502, "upstream-failed") => Some("Upstream not reached by cachy"),
            (508, "loop") => Some("Leads back to cachy"),
            _ => None,
        }
    }
}

/// A larger body, bytes, takes a while to be read: it is locked so long, see [`crate::prune`].
const AT_ONCE: u64 = 64 << 10;

/// Fields that a 304 carries (RFC 9110 section 15.4.5).
const WITH_304: [&str; 8] = [
    "cache-control",
    "content-location",
    "date",
    "etag",
    "expires",
    "vary",
    "last-modified",
    "age",
];

/// From a stored response.
#[must_use]
pub fn stored(
    entry: Entry,
    request: &Headers,
    head_only: bool,
    status: CacheStatus,
    now: Millis,
) -> Answer {
    let Entry { record, file, .. } = entry;
    let mut headers = record.headers.clone();
    if record.decoded {
        weaken(&mut headers);
    }
    if !headers.has("date") {
        // As a recipient adds it (RFC 9110 section 6.6.1).
        headers.push("Date", format_date(record.stored_at));
    }
    headers.set("Age", age(&record, now).to_string());
    let body = match (record.stored, file) {
        (Stored::File { seen, .. }, Some(file)) => {
            if seen.size > AT_ONCE {
                // Where locks are not to be had, it may be evicted while it is read, which harms
                // nobody but whoever counts bytes.
                let _ = file.try_lock_shared();
            }
            Body::File {
                file: file.into(),
                rest: 0..seen.size,
            }
        }
        (Stored::Link { body, .. } | Stored::Slash { body }, _) => Body::bytes(body),
        (Stored::File { .. }, None) => Body::bytes(Vec::new()),
    };
    finish(record.status, headers, body, request, head_only, status)
}

/// From a person's file: 200, the media type by its name, validators from the file.
#[must_use]
pub fn placed(
    placed: Placed,
    target: &Target,
    request: &Headers,
    head_only: bool,
    status: CacheStatus,
) -> Answer {
    let Placed {
        file,
        stat,
        media_type,
    } = placed;
    let mut headers = Headers::default();
    let media_type = media_type.unwrap_or_else(|| guessed(&file, target).into_bytes());
    headers.push("Content-Type", media_type);
    let now = clock();
    // A time that is still to come counts as now (RFC 9110 section 8.8.2.1).
    let modified = stat.mtime_ns.div_euclid(1_000_000).min(now);
    headers.push("Last-Modified", format_date(modified));
    headers.push("ETag", format!("\"{:x}-{:x}\"", stat.size, stat.mtime_ns));
    headers.push("Date", format_date(now));
    let body = Body::File {
        file: file.into(),
        rest: 0..stat.size,
    };
    finish(200, headers, body, request, head_only, status)
}

/// From a person's link.
#[must_use]
pub fn placed_status(link: StatusLink, head_only: bool, status: CacheStatus) -> Answer {
    let mut headers = Headers::default();
    let mut text = format!("{}: a link in the cache says so\n", link.status);
    if let Some(location) = link.location {
        text = format!("{} {location}: a link in the cache says so\n", link.status);
        headers.push("Location", location);
    }
    with_text(link.status, headers, &text, head_only, status)
}

/// The redirect to `NAME/`.
#[must_use]
pub fn slash(target: &Target, head_only: bool, status: CacheStatus) -> Answer {
    let mut headers = Headers::default();
    let location = target.with_slash().unwrap_or_else(|| target.clone()).url();
    let text = format!("{location}\n");
    headers.push("Location", location);
    with_text(301, headers, &text, head_only, status)
}

/// A text of cachy's own.
#[must_use]
pub fn text(code: u16, text: &str, head_only: bool, status: CacheStatus) -> Answer {
    let mut headers = Headers::default();
    headers.push("Cache-Control", "no-store");
    with_text(code, headers, text, head_only, status)
}

fn with_text(
    code: u16,
    mut headers: Headers,
    text: &str,
    head_only: bool,
    status: CacheStatus,
) -> Answer {
    headers.push("Content-Type", "text/plain; charset=utf-8");
    let body = Body::bytes(text.as_bytes().to_vec());
    finish(code, headers, body, &Headers::default(), head_only, status)
}

fn finish(
    code: u16,
    mut headers: Headers,
    body: Body,
    request: &Headers,
    head_only: bool,
    status: CacheStatus,
) -> Answer {
    headers.push("Cache-Status", status.to_string());
    let mut answer = Answer {
        status: code,
        headers,
        body,
        cache_status: status,
        meter: None,
    };
    if code == 200 {
        match conditional::evaluate(request, &answer.headers) {
            Outcome::Send => {}
            Outcome::NotModified => return not_modified(answer),
            Outcome::Failed => return bare(412, &answer),
        }
        if matches!(answer.body, Body::File { .. }) {
            answer.headers.set("Accept-Ranges", "bytes");
            // A range of a HEAD means nothing (RFC 9110 section 14.2).
            if !head_only {
                answer = in_file(answer, request);
            }
        }
    }
    let length = answer.body.remaining().unwrap_or(0);
    answer.headers.set("Content-Length", length.to_string());
    if head_only {
        answer.body = Body::bytes(Vec::new());
    }
    answer
}

/// What of a whole file a request's `Range` asks for.
fn in_file(mut answer: Answer, request: &Headers) -> Answer {
    let Body::File { file, rest } = &answer.body else {
        return answer;
    };
    let (file, length) = (Arc::clone(file), rest.end - rest.start);
    let wanted = wanted(request, &answer.headers, Some(length));
    let slice = |rest| Body::File {
        file: Arc::clone(&file),
        rest,
    };
    if wanted == Wanted::Whole {
        return answer;
    }
    answer = in_range(answer, wanted, length, slice);
    answer
}

/// What a request's `Range` asks of a representation of `length` bytes, if it still is the one that
/// the client means.
pub(crate) fn wanted(request: &Headers, stored: &Headers, length: Option<u64>) -> Wanted {
    if !request.has("range") || !conditional::if_range(request, stored) {
        return Wanted::Whole;
    }
    // More than one field is a broken one.
    range::wanted(Some(&request.list("range")), length.unwrap_or(u64::MAX))
}

/// Makes a 200 the answer of the ranges that are wanted, of `length` bytes; `slice` gives the bytes
/// of one.
pub(crate) fn in_range(
    mut answer: Answer,
    wanted: Wanted,
    length: u64,
    mut slice: impl FnMut(Range<u64>) -> Body,
) -> Answer {
    let parts = match wanted {
        // A client would undo the coding over the whole message, boundaries and all.
        Wanted::Parts(parts) if parts.len() == 1 || !answer.headers.has("content-encoding") => {
            parts
        }
        Wanted::Whole | Wanted::Parts(_) => {
            answer.body = slice(0..length);
            return answer;
        }
        Wanted::Unsatisfiable => {
            let mut none = bare(416, &answer);
            let of = format!("bytes */{length}");
            none.headers.push("Content-Range", of);
            return none;
        }
    };
    if let [part] = parts.as_slice() {
        let of = content_range(part, length);
        answer.headers.set("Content-Range", of);
        answer.body = slice(part.clone());
    } else {
        let media_type = answer.headers.get("content-type");
        let made = multipart(&parts, length, media_type, slice);
        answer.headers.set("Content-Type", made.content_type);
        answer.body = made.body;
    }
    // Of the whole content, and this is a part of it (RFC 9530 section 2).
    answer.headers.remove("content-digest");
    answer.headers.remove("content-md5");
    answer.status = 206;
    answer
}

/// The answer to the conditions of a request for a 200 with these fields, where it isn't the 200.
#[must_use]
pub fn settled(fields: &Headers, request: &Headers, status: CacheStatus) -> Option<Answer> {
    let outcome = conditional::evaluate(request, fields);
    if outcome == Outcome::Send {
        return None;
    }
    let mut headers = fields.clone();
    headers.push("Cache-Status", status.to_string());
    let answer = Answer {
        status: 200,
        headers,
        body: Body::bytes(Vec::new()),
        cache_status: status,
        meter: None,
    };
    Some(match outcome {
        Outcome::Failed => bare(412, &answer),
        Outcome::NotModified | Outcome::Send => not_modified(answer),
    })
}

/// A redirect that the client is to follow itself.
#[must_use]
pub fn redirect(code: u16, response: &Headers, status: CacheStatus) -> Answer {
    let mut headers = response.storable();
    headers.remove("content-type");
    headers.remove("content-encoding");
    let text = format!("{}\n", headers.text("location").unwrap_or_default());
    with_text(code, headers, &text, false, status)
}

pub(crate) fn not_modified(answer: Answer) -> Answer {
    let mut headers = answer.headers;
    headers.0.retain(|(name, _)| {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        WITH_304.contains(&name.as_str()) || name == "cache-status"
    });
    Answer {
        status: 304,
        headers,
        body: Body::bytes(Vec::new()),
        cache_status: answer.cache_status,
        meter: None,
    }
}

/// A status without content in the place of an answer.
pub(crate) fn bare(code: u16, answer: &Answer) -> Answer {
    let mut headers = Headers::default();
    headers.push("Cache-Status", answer.headers.list("cache-status"));
    headers.push("Content-Length", "0");
    Answer {
        status: code,
        headers,
        body: Body::bytes(Vec::new()),
        cache_status: answer.cache_status,
        meter: None,
    }
}

/// What was decoded is another representation than the tag was made for, though an equivalent one
/// (RFC 9110 section 8.8.3).
pub fn weaken(headers: &mut Headers) {
    if let Some(tag) = headers.text("etag").filter(|tag| tag.starts_with('"')) {
        let weak = format!("W/{tag}");
        headers.set("ETag", weak);
    }
}

/// The media type of a person's file: by its name, but for a Python index, whose name is the same
/// for HTML and for JSON (PEP 691).
fn guessed(file: &File, target: &Target) -> String {
    let mut first = [0; 64];
    let json = shape::is_simple(target)
        && file
            .read_at(&mut first, 0)
            .is_ok_and(|read| first[..read].trim_ascii_start().starts_with(b"{"));
    if json {
        "application/vnd.pypi.simple.v1+json".to_owned()
    } else {
        by_name(target)
    }
}

/// The media type by the last name in the URL.
fn by_name(target: &Target) -> String {
    let name = target.path().rsplit('/').next().unwrap_or_default();
    let name = if name.is_empty() && target.query().is_none() {
        "index.html"
    } else {
        name
    };
    mime_guess::from_path(name)
        .first_or_octet_stream()
        .to_string()
}
