//! How a request came to the proxy, and so what it means by its host.

/// The way of a request to the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// Somebody named the host: the client, or who set the proxy up.
    #[default]
    Named,
    /// The client went to an address, and the system led it here. Whose address that is, only the
    /// name that the client means can tell.
    Addressed,
    /// It is the proxy itself that asks.
    Circular,
    /// The client takes the proxy for the site: it asks the proxy itself.
    Straight,
}

impl Way {
    /// By the type of mitmproxy's mode, such as `transparent`; `own`: the connection is one of the
    /// proxy's own; `straight`: the request is for the proxy itself. In a mode that isn't known, an
    /// address is taken for nobody's but its own.
    #[must_use]
    pub fn of(mode: &str, own: bool, straight: bool) -> Self {
        match mode {
            _ if own => Self::Circular,
            _ if straight => Self::Straight,
            "transparent" | "local" | "wireguard" | "tun" => Self::Addressed,
            _ => Self::Named,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_tells() {
        for mode in ["transparent", "local", "wireguard", "tun"] {
            assert_eq!(Way::of(mode, false, false), Way::Addressed);
        }
        for mode in ["regular", "upstream", "reverse", "socks5", "of-tomorrow"] {
            assert_eq!(Way::of(mode, false, false), Way::Named);
            assert_eq!(Way::of(mode, false, true), Way::Straight);
            assert_eq!(Way::of(mode, true, true), Way::Circular);
        }
        assert_eq!(Way::of("transparent", true, false), Way::Circular);
    }
}
