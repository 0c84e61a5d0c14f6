//! The head of a request, read strictly: what mitmproxy, or RFC 9112, might take otherwise is not
//! for the lane.

use httparse::Status;

use crate::headers::Headers;
use crate::request::Request;

/// The longest head, bytes.
pub const MOST: usize = 64 << 10;
/// More fields than this aren't counted.
const FIELDS: usize = 64;
/// What a request for the lane begins with.
const METHODS: [&[u8]; 3] = [b"GET ", b"HEAD ", b"CONNECT "];
/// Fields that make it more than a head, or another protocol (RFC 9110 sections 7.8, 8.6 and 10.1.1,
/// RFC 9112 section 6.1).
const NOT_PLAIN: [&str; 5] = [
    "content-length",
    "transfer-encoding",
    "upgrade",
    "expect",
    "trailer",
];
/// The field that says which run a connection belongs to, for the proxy alone.
const RUN: &str = "cachy-run";

/// How far a head is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// So many bytes, the empty line included.
    Head(usize),
    /// Its beginning.
    Beginning,
    /// It isn't one for the lane.
    Odd,
}

/// Looks for the end of a head. The first `seen` bytes were looked at before.
#[must_use]
pub fn find(bytes: &[u8], seen: usize) -> Found {
    if !METHODS.iter().any(|method| begins(bytes, method)) {
        return Found::Odd;
    }
    // The empty line may have begun before.
    let from = seen.min(bytes.len());
    for at in memchr::memchr_iter(b'\n', &bytes[from..]) {
        let at = from + at;
        // A bare LF ends lines for mitmproxy too, and for nobody here.
        if at == 0 || bytes[at - 1] != b'\r' {
            return Found::Odd;
        }
        if at >= 3 && &bytes[at - 3..at] == b"\r\n\r" {
            return if at < MOST {
                Found::Head(at + 1)
            } else {
                Found::Odd
            };
        }
    }
    if bytes.len() > MOST {
        Found::Odd
    } else {
        Found::Beginning
    }
}

/// Whether they begin with `method`, or may still do.
fn begins(bytes: &[u8], method: &[u8]) -> bool {
    let length = bytes.len().min(method.len());
    bytes[..length] == method[..length]
}

/// What a head says beside the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read<'a> {
    /// GET, HEAD or CONNECT.
    pub method: Method,
    /// The run that it names.
    pub run: Option<&'a [u8]>,
    /// What it says as `Host`.
    pub host: &'a [u8],
    /// It is the last request of its connection (RFC 9112 section 9.6).
    pub last: bool,
}

/// Reads heads into one request after the other, in the same memory.
#[derive(Debug, Default)]
pub struct Reader {
    /// Fields that are not in use.
    spare: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Methods that the lane knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// RFC 9110 section 9.3.1
    Get,
    /// RFC 9110 section 9.3.2
    Head,
    /// RFC 9110 section 9.3.6
    Connect,
}

impl Method {
    /// As it is sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Connect => "CONNECT",
        }
    }
}

impl Reader {
    /// Reads a head, its empty line included, into method, path and fields of a request; the path is
    /// the target as sent. Fields for the proxy alone are left out. `None`: it isn't one for the lane.
    pub fn read<'a>(&mut self, bytes: &'a [u8], request: &mut Request) -> Option<Read<'a>> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        if parsed.parse(bytes) != Ok(Status::Complete(bytes.len())) || parsed.version != Some(1) {
            return None;
        }
        let method = match parsed.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            Some("CONNECT") => Method::Connect,
            _ => return None,
        };
        let fields = parsed.headers.iter();
        let fields = fields.map(|field| (field.name.as_bytes(), field.value));
        self.fill(method, parsed.path?.as_bytes(), fields, request)
    }

    /// As [`Reader::read`], of what did not come as a head.
    pub fn fill<'a>(
        &mut self,
        method: Method,
        target: &[u8],
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        request: &mut Request,
    ) -> Option<Read<'a>> {
        if !target.is_ascii() {
            return None;
        }
        method.as_str().clone_into(&mut request.method);
        request.path.clear();
        request.path.extend_from_slice(target);
        let mut read = Read {
            method,
            run: None,
            host: b"",
            last: false,
        };
        let (mut count, mut hosts) = (0, 0);
        for (name, value) in fields {
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            match name.len() {
                4 if is("host") => {
                    hosts += 1;
                    read.host = value;
                }
                10 if is("connection") => read.last |= closes(value),
                9 if is(RUN) => {
                    if read.run.replace(value).is_some() {
                        return None;
                    }
                    continue;
                }
                6 | 7 | 14 | 17 if NOT_PLAIN.iter().any(|odd| is(odd)) => return None,
                _ => {}
            }
            self.put(&mut request.headers, count, name, value);
            count += 1;
        }
        self.spare.extend(request.headers.0.drain(count..));
        // CONNECT says its host once already.
        (hosts == 1 || (hosts == 0 && method == Method::Connect)).then_some(read)
    }

    /// Sets a field, in memory that was used before where there is some.
    fn put(&mut self, headers: &mut Headers, at: usize, name: &[u8], value: &[u8]) {
        if at == headers.0.len() {
            headers.0.push(self.spare.pop().unwrap_or_default());
        }
        let pair = &mut headers.0[at];
        pair.0.clear();
        pair.0.extend_from_slice(name);
        pair.1.clear();
        pair.1.extend_from_slice(value);
    }
}

/// Whether a `Connection` field asks to close.
fn closes(value: &[u8]) -> bool {
    let mut options = value.split(|byte| *byte == b',');
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// Host and port of an authority as nearly all are written; the port is `default` where none is
/// spelt. `None`: it is one that mitmproxy may read otherwise, or refuse.
#[must_use]
pub fn authority(text: &str, default: Option<u16>) -> Option<(&str, u16)> {
    let (host, port) = match text.split_once(':') {
        None => (text, default?),
        Some((host, digits)) => {
            let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
            (host, digits.parse().ok().filter(|_| plain)?)
        }
    };
    let label = |label: &str| {
        // A name in punycode, mitmproxy takes for what it stands for.
        let foreign = label
            .get(..4)
            .is_some_and(|l| l.eq_ignore_ascii_case("xn--"));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..64).contains(&label.len()) && !foreign && label.bytes().all(plain)
    };
    (host.len() < 250 && host.split('.').all(label)).then_some((host, port))
}
