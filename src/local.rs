//! Hosts that are no part of the public Internet, by their names and addresses alone: nothing is
//! resolved here.

use std::net::{IpAddr, Ipv4Addr};

/// Names that only private networks have: RFC 6762 section 3 and appendix G, RFC 8375, RFC 6761
/// section 6.2 (`.test`), `.internal` as reserved by ICANN in 2024, and what routers and C
/// libraries add.
const PRIVATE: [&str; 12] = [
    "local",
    "lan",
    "internal",
    "home.arpa",
    "home",
    "corp",
    "intranet",
    "intra",
    "private",
    "localdomain",
    "localhost",
    "test",
];

/// Whether a host belongs to a private network: a name without a dot or below a suffix that the
/// public DNS doesn't have, or an address of RFC 1918, RFC 4193, RFC 6598 (100.64/10), loopback or
/// link-local. `host`: as [`crate::key::Target::host`] gives it.
#[must_use]
pub fn is_private(host: &str) -> bool {
    if let Some(address) = address(host) {
        return match address {
            IpAddr::V4(v4) => {
                v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_shared(v4)
            }
            IpAddr::V6(v6) => {
                v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local()
            }
        };
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    !name.contains('.') || PRIVATE.iter().any(|suffix| is_below(name, suffix))
}

/// Shared address space of carriers and overlay networks (RFC 6598).
fn is_shared(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && second & 0xc0 == 64
}

/// Whether a name is below a suffix, whatever the case.
fn is_below(name: &str, suffix: &str) -> bool {
    name.len() > suffix.len()
        && name.is_char_boundary(name.len() - suffix.len())
        && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
        && name.as_bytes()[name.len() - suffix.len() - 1] == b'.'
}

/// The address that a host is, where it is one; an IPv4-mapped one is the IPv4 address (RFC 4291
/// section 2.5.5.2).
fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let address: IpAddr = bare.unwrap_or(host).parse().ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks() {
        for host in [
            "nexus",
            "nexus.",
            "printer.local",
            "nas.LAN",
            "a.b.internal",
            "x.home.arpa",
            "x.home.arpa.",
            "git.corp",
            "wiki.intranet",
            "web.test",
            "a.localhost",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.2",
            "169.254.169.254",
            "[fd00::1]",
            "fc00::1",
            "[fe80::1]",
            "[::1]",
            "[::ffff:10.0.0.1]",
        ] {
            assert!(is_private(host), "{host}");
        }
        for host in [
            "h.example",
            "local.example",
            "mylocal.example.com",
            "xhome.arpa",
            "home.arpa.example",
            "thelan.example",
            "1.in-addr.arpa",
            "172.32.0.1",
            "192.169.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "8.8.8.8",
            "[2001:db8::1]",
            "[::ffff:8.8.8.8]",
        ] {
            assert!(!is_private(host), "{host}");
        }
    }
}
