//! Hosts that are no part of the public Internet, by their names and addresses alone: nothing is
//! resolved here, since what a name resolves to says nothing about whose answers it stands for.

pub mod machine;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use machine::{Machine, machine};

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

/// Where clouds tell a machine its secrets, beside the link-local addresses: AWS and GCE by IPv6,
/// Alibaba, Azure, Oracle.
const METADATA: [IpAddr; 6] = [
    v6(0xfd00, 0xec2, 0x254),
    v6(0xfd20, 0xce, 0x254),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// And by what names.
const METADATA_NAMES: [&str; 5] = [
    "metadata",
    "metadata.google.internal",
    "metadata.azure.internal",
    "instance-data",
    "instance-data.ec2.internal",
];

const fn v6(first: u16, second: u16, last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, last))
}

/// Why nothing that a host answers is ever stored, as the word for `Cache-Status`: it is this machine,
/// where servers come and go with every test; or it is link-local or a cloud's metadata service, which
/// are another machine's for everybody. `host`: as [`crate::key::Target::host`] gives it.
#[must_use]
pub fn unstorable(host: &str, machine: &Machine) -> Option<&'static str> {
    if let Some(address) = address(host) {
        return if is_loopback(address) || machine.has_address(address) {
            Some("this-machine")
        } else if is_link_local(address) {
            Some("link-local")
        } else {
            METADATA.contains(&address).then_some("metadata-service")
        };
    }
    let name = undotted(host);
    if name.eq_ignore_ascii_case("localhost") || is_below(name, "localhost") {
        // RFC 6761 section 6.3
        return Some("this-machine");
    }
    if METADATA_NAMES.iter().any(|n| name.eq_ignore_ascii_case(n)) {
        return Some("metadata-service");
    }
    machine.has_name(name).then_some("this-machine")
}

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

/// Loopback, or the unspecified address, by which systems connect to it.
fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// A name without the dot of the root (RFC 1034 section 3.1).
fn undotted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
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
    fn never_stored() {
        let addresses = vec!["192.0.2.5".parse().unwrap(), "2001:db8::5".parse().unwrap()];
        let machine = Machine::of("build", "", "search corp.example", addresses);
        for (host, why) in [
            ("localhost", Some("this-machine")),
            ("localhost.", Some("this-machine")),
            ("a.b.localhost", Some("this-machine")),
            ("127.0.0.1", Some("this-machine")),
            ("127.255.255.254", Some("this-machine")),
            ("0.0.0.0", Some("this-machine")),
            ("[::]", Some("this-machine")),
            ("[::1]", Some("this-machine")),
            ("[::ffff:127.0.0.2]", Some("this-machine")),
            ("192.0.2.5", Some("this-machine")),
            ("[::ffff:192.0.2.5]", Some("this-machine")),
            ("[2001:db8::5]", Some("this-machine")),
            ("build", Some("this-machine")),
            ("build.corp.example.", Some("this-machine")),
            ("build.local", Some("this-machine")),
            ("169.254.169.254", Some("link-local")),
            ("[fe80::1]", Some("link-local")),
            ("[::ffff:169.254.1.1]", Some("link-local")),
            ("metadata.google.internal", Some("metadata-service")),
            ("[fd00:ec2::254]", Some("metadata-service")),
            ("100.100.100.200", Some("metadata-service")),
            ("192.0.2.6", None),
            ("128.0.0.1", None),
            ("10.0.0.1", None),
            ("[2001:db8::6]", None),
            ("localhost.example", None),
            ("notlocalhost", None),
            ("build.example", None),
            ("registry.corp.example", None),
        ] {
            assert_eq!(unstorable(host, &machine), why, "{host}");
        }
    }

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
