//! The answer to a client that reads along while another one's fetch is arriving.

use std::ops::Range;

use crate::answer::{self, Answer};
use crate::body::Body;
use crate::cache_status::CacheStatus;
use crate::conditional::{self, Outcome};
use crate::flights::Arrival;
use crate::freshness::age;
use crate::meta::Millis;
use crate::range::Wanted;
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
        cache_status: status,
        meter: None,
    };
    match conditional::evaluate(&request.headers, &answer.headers) {
        Outcome::Send => {}
        Outcome::NotModified => return Growing::Answer(answer::not_modified(answer)),
        Outcome::Failed => return Growing::Answer(answer::bare(412, &answer)),
    }
    let length = arrival.pipe.announced();
    let wanted = answer::wanted(&request.headers, &answer.headers, length);
    let Some(length) = length else {
        if wanted != Wanted::Whole {
            return Growing::Later;
        }
        request.frame(answer.status, &mut answer.headers);
        answer.body = Body::Growing(arrival.pipe.reader(0, None));
        return Growing::Answer(answer);
    };
    if matches!(&wanted, Wanted::Parts(parts) if parts.iter().any(|part| part.start >= reach)) {
        return Growing::Far;
    }
    answer.headers.set("Accept-Ranges", "bytes");
    let slice = |part: Range<u64>| {
        let end = (part.end < length).then_some(part.end);
        Body::Growing(arrival.pipe.reader(part.start, end))
    };
    answer = answer::in_range(answer, wanted, length, slice);
    let length = answer.body.remaining().unwrap_or(0);
    answer.headers.set("Content-Length", length.to_string());
    Growing::Answer(answer)
}
