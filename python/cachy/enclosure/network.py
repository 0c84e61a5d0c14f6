"""The network inside: no way out, and every address is this machine's."""

import errno
import socket
from ipaddress import IPv4Network

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

#: The addresses that stand for names: those of RFC 2544, which no network uses.
NAMED = IPv4Network("198.18.0.0/15")

_LOCAL_TABLE = 255
_HOST_SCOPE = 254


def bring_up() -> None:
    """Starts loopback and leads everything there.

    Raises:
        OSError: The kernel forbids it.
    """
    try:
        with IPRoute() as ip:
            loopback = ip.link_lookup(ifname="lo")[0]
            ip.link("set", index=loopback, state="up")
            # Resolvers ask for addresses of a family alone that has one beyond 127.0.0.1.
            ip.addr("add", index=loopback, address=str(NAMED[1]), prefixlen=NAMED.prefixlen)
            for family, everything in ((socket.AF_INET, "0.0.0.0/0"), (socket.AF_INET6, "::/0")):
                if family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
                    continue
                ip.route(
                    "add",
                    family=family,
                    dst=everything,
                    oif=loopback,
                    type="local",
                    table=_LOCAL_TABLE,
                    scope=_HOST_SCOPE,
                )
    except NetlinkError as error:
        raise OSError(error.code or errno.EPERM, f"the network inside: {error}") from error
