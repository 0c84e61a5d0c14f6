//! The head of an answer on the wire, byte for byte as mitmproxy assembles it.

use std::collections::HashMap;
use std::ops::Range;

use crate::answer::Answer;

/// Reason phrases by status, as mitmproxy has them; other statuses get an empty one.
#[derive(Debug, Clone, Default)]
pub struct Reasons(HashMap<u16, String>);

impl FromIterator<(u16, String)> for Reasons {
    fn from_iter<T: IntoIterator<Item = (u16, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Reasons {
    fn of(&self, status: u16) -> &str {
        self.0.get(&status).map_or("", String::as_str)
    }
}

/// Writes status line and fields (RFC 9112 sections 4 and 5). Returns where the value of `field` is.
pub fn write(
    out: &mut Vec<u8>,
    answer: &Answer,
    reasons: &Reasons,
    field: Option<&str>,
) -> Option<Range<usize>> {
    let mut found = None;
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(answer.status.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(reasons.of(answer.status).as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in &answer.headers.0 {
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        if field.is_some_and(|field| name.eq_ignore_ascii_case(field.as_bytes())) {
            found = Some(out.len()..out.len() + value.len());
        }
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    found
}
