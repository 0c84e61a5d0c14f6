"""By which addresses other machines reach this one."""

import ipaddress
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

#: Addresses that stand for all of the machine's.
ALL = ("", "0.0.0.0", "::")
#: Addresses for documentation (RFC 5737, RFC 3849), to which nothing is sent.
FAR = ("192.0.2.1", "2001:db8::1")


def addresses(host: str, machine: Sequence[str]) -> list[str]:
    """The addresses for others of a proxy that listens; none where only this machine reaches it.

    Args:
        host: The address that it listens on.
        machine: All addresses of this machine.
    """
    if host not in ALL:
        return [] if is_near(host) else [host]
    # What listens on all addresses of one kind has none of the other.
    kinds = {"0.0.0.0": (4,), "": (4, 6), "::": (6,)}[host]
    usable = [each for each in machine if not is_near(each)]
    return [each for kind in kinds for each in usable if version(each) == kind]


def of_this_machine() -> list[str]:
    """The addresses of this machine, with those first by which it would go to the internet. Not for a
    thread with an event loop: pyroute2 runs its own.
    """
    return list(dict.fromkeys([*preferred(), *interfaces()]))


def version(address: str) -> int:
    """4 or 6."""
    return ipaddress.ip_address(address).version


def is_near(host: str) -> bool:
    """Whether an address means nothing to other machines, or has to name an interface of theirs."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_link_local or address.is_unspecified


def preferred() -> list[str]:
    """The addresses by which this machine would go to the internet."""
    found = []
    for family, far in zip((socket.AF_INET, socket.AF_INET6), FAR, strict=True):
        # Only looks at the routes: UDP sends nothing by connecting.
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            found.append(str(probe.getsockname()[0]))
    return found


def interfaces() -> list[str]:
    """The addresses of all interfaces, where the system tells them."""
    if sys.platform != "linux":
        return []
    # Takes its time to load.
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with IPRoute() as route:
            return [str(each.get("address")) for each in route.get_addr()]
    except (OSError, NetlinkError):
        return []
