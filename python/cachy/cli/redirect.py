"""Leads what arrives on an interface for the web to a proxy in transparent mode."""

import errno
import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cachy.cli.firewall import FIREWALLS, Firewall
from cachy.cli.terminal import Failure

#: Where a proxy in transparent mode listens, beside one in regular mode on 8080.
DEFAULT_PORT = 8081

_INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
_CAP_NET_ADMIN = 1 << 12


@dataclass(frozen=True)
class State:
    """What there is."""

    interface: str
    backend: str | None
    """``nft`` or ``iptables``; None where nothing is redirected."""
    port: int | None
    """Where connections are led."""
    listening: bool
    """Whether somebody listens there."""


def valid_interface(name: str) -> bool:
    """Whether it may be an interface's name, in fifteen letters that no tool takes for anything else."""
    return _INTERFACE.fullmatch(name) is not None


class Redirect:
    """The rules for one interface, as a context or by hand.

    They concern TCP to ports 80 and 443 of other machines, of IPv4 and IPv6, and nothing else: not what is addressed
    to this machine, and not the names that clients ask for.

    Args:
        interface: Its name, such as ``br0``.
        port: Where the proxy listens.
        backend: ``nft`` or ``iptables``; the first that is installed where not given.

    Raises:
        ValueError: That is no interface's name.
        Failure: Neither is installed.
    """

    def __init__(
        self, interface: str, port: int = DEFAULT_PORT, backend: str | None = None
    ) -> None:
        if not valid_interface(interface):
            raise ValueError(f"not an interface's name: {interface!r}")
        self.interface = interface
        self.port = port
        self._backend = backend

    def rules(self) -> str:
        """The rules as a person would write them; needs no right, and no interface."""
        return FIREWALLS[self._backend or "nft"](self.interface).text(self.port)

    def up(self) -> str:
        """Makes these rules what there is, whatever was there for the interface; which backend it was.

        Raises:
            Failure: No such interface, no right, or the tool refused.
        """
        try:
            socket.if_nametoindex(self.interface)
        except OSError:
            raise Failure(
                f"no interface {self.interface} on this machine; `ip link` lists them"
            ) from None
        _need_right()
        chosen = self._chosen()
        chosen.up(self.port)
        for other in self._all():
            if other.name != chosen.name:
                other.down()
        return chosen.name

    def down(self) -> bool:
        """Removes the interface's rules; whether there were any.

        Raises:
            Failure: No right, or the tool refused.
        """
        _need_right()
        removed = [firewall.down() for firewall in self._all()]
        return any(removed)

    def state(self) -> State:
        """What there is now, whatever this object was made for.

        Raises:
            Failure: No right, or the tool refused.
        """
        _need_right()
        for firewall in self._all():
            if port := firewall.port():
                listening = listens(self.interface, port)
                return State(self.interface, firewall.name, port, listening)
        return State(self.interface, None, None, False)

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def _all(self) -> list[Firewall]:
        return [kind(self.interface) for kind in FIREWALLS.values() if kind.available()]

    def _chosen(self) -> Firewall:
        if self._backend:
            kind = FIREWALLS[self._backend]
            if not kind.available():
                raise Failure(f"{self._backend} is not installed")
            return kind(self.interface)
        found = self._all()
        if not found:
            raise Failure("neither nft nor iptables is installed; try: apt-get install nftables")
        return found[0]


def listens(interface: str, port: int) -> bool:
    """Whether a connection that arrives on an interface finds somebody at a port of it."""
    # The kernel leads it to the interface's own address, and lets nobody else have a port
    # on which somebody listens.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_address(interface), port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _address(interface: str) -> str:
    import fcntl

    get_address = 0x8915  # SIOCGIFADDR
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            found = fcntl.ioctl(any_socket, get_address, interface.encode().ljust(256, b"\0"))
        except OSError:  # It has none, or is gone.
            return ""
    return socket.inet_ntoa(found[20:24])


def _need_right() -> None:
    if sys.platform != "linux":
        raise Failure("only Linux has nft and iptables")
    status = Path("/proc/self/status").read_text()
    held = re.search(r"^CapEff:\s+([0-9a-f]+)$", status, re.MULTILINE)
    if not held or not int(held[1], 16) & _CAP_NET_ADMIN:
        raise Failure(
            "only root may see and change these rules: run it by sudo, "
            "or see `cachy transparent print`"
        )
