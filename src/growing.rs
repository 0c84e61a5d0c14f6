//! The answer to a client that reads along while another one's fetch is arriving.

use crate::answer::{self, Answer};
use crate::body::Body;
use crate::cache_status::CacheStatus;
use crate::conditional;
use crate::flights::Arrival;
use crate::freshness::age;
use crate::meta::Millis;
use crate::range::{self, Wanted};
use crate::request::Request;

/// What can be answered so far.
#[derive(Debug)]
pub enum Growing {
    /// This, from now on.
    Answer(Answer),
    /// A range of a body whose length is not known: when it is there.
    Later,
    /// A range that lies far behind what has arrived.
    Far,
}

/// Answers a GET from a body that is arriving; ranges that begin at byte `reach` or behind it are far.
#[must_use]
pub fn growing(
    arrival: &Arrival,
    request: &Request,
    status: CacheStatus,
    now: Millis,
    reach: u64,
) -> Growing {
    let record = &arrival.record;
    let mut headers = record.headers.clone();
    if record.decoded {
        answer::weaken(&mut headers);
    }
    headers.set("Age", age(record, now).to_string());
    headers.push("Cache-Status", status.to_string());
    let mut answer = Answer {
        status: record.status,
        headers,
        body: Body::bytes(Vec::new()),
    };
    if conditional::not_modified(&request.headers, &answer.headers) {
        return Growing::Answer(answer::not_modified(answer));
    }
    let field = request.headers.text("range");
    let field = field.filter(|field| {
        range::is_wanted(Some(field)) && conditional::if_range(&request.headers, &answer.headers)
    });
    let length = arrival.pipe.announced();
    let (first, end) = match (field, length) {
        (Some(_), None) => return Growing::Later,
        (Some(field), Some(length)) => match range::wanted(Some(field), length) {
            Wanted::Whole => (0, None),
            Wanted::Part(part) if part.start >= reach => return Growing::Far,
            Wanted::Part(part) => {
                answer::set_part(&mut answer, &part, length);
                (part.start, Some(part.end))
            }
            Wanted::Unsatisfiable => {
                return Growing::Answer(answer::unsatisfiable(&answer, length));
            }
        },
        (None, _) => (0, None),
    };
    if let Some(end) = end.or(length) {
        let length = end.saturating_sub(first).to_string();
        answer.headers.set("Content-Length", length);
        answer.headers.set("Accept-Ranges", "bytes");
    }
    request.frame(answer.status, &mut answer.headers);
    answer.body = Body::Growing(arrival.pipe.reader(first, end));
    Growing::Answer(answer)
}
