//! Hosts and authorities (RFC 3986 section 3.2).

use url::Host;

/// The longest folder name; DNS itself ends at 253.
pub(super) const MAX_AUTHORITY: usize = 255;

/// The host in lower case, IDN as punycode, addresses in their one spelling (RFC 5952 in brackets).
pub(super) fn canonical(host: &str) -> Option<String> {
    // `Host::parse` would decode escapes; a host that needs them is nobody's DNS name.
    if host.contains('%') {
        return None;
    }
    let parsed = if host.contains(':') && !host.starts_with('[') {
        Host::parse(&format!("[{host}]"))
    } else {
        Host::parse(host)
    };
    match parsed.ok()? {
        // A folder that begins with a dot is cachy's own.
        Host::Domain(name) => {
            (!name.is_empty() && !name.starts_with('.') && name.bytes().all(is_reg_name))
                .then_some(name)
        }
        address => Some(address.to_string()),
    }
}

/// What a reg-name may hold beside escapes (section 3.2.2): unreserved and sub-delims.
fn is_reg_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

/// Host and port of an authority without userinfo; no port where none is spelt, or an empty one
/// (section 6.2.3).
pub(super) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_end = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(host_end);
    if rest.is_empty() {
        return Some((host, None));
    }
    let digits = rest.strip_prefix(':')?;
    if digits.is_empty() {
        return Some((host, None));
    }
    // `parse` alone would take "+80".
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((host, Some(digits.parse().ok()?)))
}
