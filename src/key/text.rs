//! The text of paths and queries.

use percent_encoding::percent_encode_byte;

/// One spelling for all equivalent ones (RFC 3986 section 6.2.2): escapes in upper case, those of
/// unreserved characters decoded, and whatever may not stand raw escaped. The result is a fixed
/// point: a `%` gets in only with its two digits.
pub(super) fn canonical(raw: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let mut byte = *first;
        let mut escaped = false;
        if byte == b'%'
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            byte = high << 4 | low;
            escaped = true;
            rest = after;
        }
        if is_unreserved(byte) || (!escaped && is_delimiter(byte)) {
            text.push(char::from(byte));
        } else {
            text.push_str(percent_encode_byte(byte));
        }
    }
    text
}

/// A path without its `.` segments (RFC 3986 section 5.2.4); the last leaves its slash.
pub(super) fn without_dots(path: String) -> String {
    if !path.contains("/.") {
        return path;
    }
    let mut kept = String::with_capacity(path.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment != "." {
            kept.push('/');
            kept.push_str(segment);
        } else if segments.peek().is_none() {
            kept.push('/');
        }
    }
    kept
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Section 2.3: these mean the same raw and escaped.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Section 2.2: these mean one thing raw and may mean another escaped, so each stays as it came.
/// `[` and `]` are not allowed in a path or query, but clients send them and origins take them.
fn is_delimiter(byte: u8) -> bool {
    b":/?@[]!$&'()*+,;=".contains(&byte)
}
