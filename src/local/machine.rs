//! The names and addresses of this machine, as the system tells them. They change while the proxy
//! runs (DHCP, a VPN, a new host name), so they are looked at again now and then.

use std::collections::HashSet;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{is_loopback, undotted};

const HOSTS: &str = "/etc/hosts";
const RESOLVER: &str = "/etc/resolv.conf";
/// For so long what was found is taken for true.
const OFTEN: Duration = Duration::from_secs(2);

/// What this machine is called.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Names in lower case, without the dot at the end: its own, in all their forms, before others
    /// that mean loopback here.
    names: Vec<String>,
    index: HashSet<String>,
    addresses: Vec<IpAddr>,
    /// How often all that has changed.
    pub generation: u64,
}

impl Machine {
    /// By what the system says.
    ///
    /// `host` is its host name, short or full; `hosts` the text of `/etc/hosts` (hosts(5)), `resolver`
    /// that of `/etc/resolv.conf`, whose domains complete a short name (resolv.conf(5)).
    #[must_use]
    pub fn of(host: &str, hosts: &str, resolver: &str, addresses: Vec<IpAddr>) -> Self {
        let host = undotted(host.trim()).to_ascii_lowercase();
        let mut machine = Self {
            addresses,
            ..Self::default()
        };
        machine.add(&host);
        let short = host.split('.').next().unwrap_or_default();
        machine.add(short);
        if short == host {
            for domain in domains(resolver) {
                machine.add_below(short, domain);
            }
        }
        // Multicast DNS (RFC 6762 section 3).
        machine.add_below(short, "local");
        let mut others = Vec::new();
        for (address, names) in entries(hosts) {
            let named =
                |name: &&str| name.eq_ignore_ascii_case(&host) || name.eq_ignore_ascii_case(short);
            // Another machine may have the same short name in its own domain.
            let own = machine.has_address(address) && names.iter().any(|n| is_form(n, short));
            if is_loopback(address) {
                others.extend(names);
            } else if own || names.iter().any(named) {
                // The first is the full name, as `hostname --fqdn` has it.
                let first = names.first().into_iter();
                let forms = names.iter().filter(|name| is_form(name, short));
                first.chain(forms).for_each(|name| machine.add(name));
            }
        }
        for name in others {
            machine.add(name);
        }
        machine
    }

    fn add(&mut self, name: &str) {
        let name = undotted(name).to_ascii_lowercase();
        // What a URL can't name is of no use.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if !name.is_empty() && name.bytes().all(plain) && self.index.insert(name.clone()) {
            self.names.push(name);
        }
    }

    fn add_below(&mut self, short: &str, domain: &str) {
        let domain = undotted(domain);
        if !short.is_empty() && short != "localhost" && !domain.is_empty() {
            self.add(&format!("{short}.{domain}"));
        }
    }

    /// Its names: its own before others that mean loopback here.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The addresses of its interfaces.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Whether a name is one of its own.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        self.index.contains(name) || self.index.contains(&name.to_ascii_lowercase())
    }

    /// Whether an address is one of its interfaces'.
    #[must_use]
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address)
    }
}

/// Whether a name is a short one with a domain.
fn is_form(name: &str, short: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default();
    !short.is_empty() && first.eq_ignore_ascii_case(short)
}

/// The lines of a hosts file: an address, the full name, and others.
fn entries(hosts: &str) -> impl Iterator<Item = (IpAddr, Vec<&str>)> {
    hosts.lines().filter_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        // A scope says which interface (RFC 4007 section 11).
        let address = words.next()?.split('%').next()?;
        let address: IpAddr = address.parse().ok()?;
        Some((address.to_canonical(), words.collect()))
    })
}

/// The domains in which short names are looked for.
fn domains(resolver: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in resolver.lines() {
        let mut words = line.split_ascii_whitespace();
        if matches!(words.next(), Some("search" | "domain")) {
            // The last one counts.
            found = words.collect();
        }
    }
    found
}

/// What was found, and when.
#[derive(Debug, Default)]
struct Look {
    at: Option<Instant>,
    host: String,
    files: [Option<Stamp>; 2],
    machine: Arc<Machine>,
}

/// What tells that a file is another one: its device, number, size and time.
type Stamp = (u64, u64, u64, i64, i64);

static LOOK: Mutex<Option<Look>> = Mutex::new(None);

/// This machine.
#[must_use]
pub fn machine() -> Arc<Machine> {
    let mut look = LOOK.lock();
    let look = look.get_or_insert_default();
    if look.at.is_none_or(|at| at.elapsed() >= OFTEN) {
        look.again();
    }
    Arc::clone(&look.machine)
}

impl Look {
    /// Asks the system; files that are as before aren't read.
    fn again(&mut self) {
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy().into_owned();
        let files = [HOSTS, RESOLVER].map(stamp);
        // Where the system won't tell, what was known is better than nothing.
        let addresses = addresses().unwrap_or_else(|| self.machine.addresses.clone());
        let first = self.at.replace(Instant::now()).is_none();
        let same = self.host == host && self.files == files && self.machine.addresses == addresses;
        if first || !same {
            let [hosts, resolver] = [HOSTS, RESOLVER].map(text);
            let mut machine = Machine::of(&host, &hosts, &resolver, addresses);
            (self.host, self.files) = (host, files);
            machine.generation = self.machine.generation;
            if machine != *self.machine {
                machine.generation += 1;
                self.machine = Arc::new(machine);
            }
        }
    }
}

fn text(path: &str) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn stamp(path: &str) -> Option<Stamp> {
    let found = fs::metadata(Path::new(path)).ok()?;
    let time = (found.mtime(), found.mtime_nsec());
    Some((found.dev(), found.ino(), found.size(), time.0, time.1))
}

/// The addresses of all interfaces, each once and in order.
fn addresses() -> Option<Vec<IpAddr>> {
    let found = if_addrs::get_if_addrs().ok()?;
    let mut found: Vec<IpAddr> = found.iter().map(if_addrs::Interface::ip).collect();
    found.sort_unstable();
    found.dedup();
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str, hosts: &str, resolver: &str) -> Machine {
        Machine::of(host, hosts, resolver, vec!["192.0.2.5".parse().unwrap()])
    }

    #[test]
    fn names_of_a_short_host_name() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1\tbuild.corp.example build # ours\n\
                     ::1 ip6-localhost ip6-loopback\nfe80::1%eth0 other\n\
                     198.51.100.1 registry.corp.example registry\n\
                     0.0.0.0 blocked.example\n#127.0.0.1 commented\n127.0.0.1 bad/name Web.Example.\n";
        let machine = of(
            "Build",
            hosts,
            "domain a.example\nsearch b.example c.example.\n",
        );
        let expected = [
            "build",
            "build.b.example",
            "build.c.example",
            "build.local",
            "localhost",
            "build.corp.example",
            "ip6-localhost",
            "ip6-loopback",
            "blocked.example",
            "web.example",
        ];
        assert_eq!(machine.names(), expected);
        assert!(machine.has_name("BUILD.corp.example"));
        assert!(!machine.has_name("registry.corp.example"));
    }

    #[test]
    fn names_of_a_full_host_name() {
        let machine = of("build.corp.example.", "", "search b.example");
        assert_eq!(
            machine.names(),
            ["build.corp.example", "build", "build.local"]
        );
    }

    #[test]
    fn the_line_of_its_address() {
        for (hosts, full) in [
            ("192.0.2.5 build.corp.example", true),
            ("192.0.2.5 build.corp.example registry.corp.example", true),
            ("198.51.100.7 build.corp.example build", true),
            // The same short name in another domain, and another name of the same machine.
            ("198.51.100.7 build.corp.example", false),
            ("192.0.2.5 registry.corp.example", false),
        ] {
            let machine = of("build", hosts, "");
            assert_eq!(machine.has_name("build.corp.example"), full, "{hosts}");
            assert!(!machine.has_name("registry.corp.example"), "{hosts}");
        }
        assert!(of("build", "192.0.2.5 s1.example build", "").has_name("s1.example"));
    }

    #[test]
    fn what_says_nothing_names_nothing() {
        for host in ["", ".", "(none)"] {
            assert_eq!(
                of(host, "garbage\n1.2.3.4\n\0", "search").names().len(),
                0,
                "{host}"
            );
        }
        assert_eq!(
            of("localhost", "", "search a.example").names(),
            ["localhost"]
        );
    }

    #[test]
    fn the_system_is_asked_now_and_then() {
        let first = machine();
        assert!(first.has_address(std::net::Ipv4Addr::LOCALHOST.into()));
        assert!(!first.names().is_empty());
        let mut look = Look::default();
        look.again();
        assert_eq!(look.machine.generation, 1);
        look.host = "renamed".to_owned();
        look.again();
        // Nothing else is there than before.
        assert_eq!(look.machine.generation, 1);
        look.machine = Arc::default();
        look.host = "renamed".to_owned();
        look.again();
        assert_eq!(look.machine.generation, 1);
        assert_eq!(look.machine.names(), first.names());
    }
}
