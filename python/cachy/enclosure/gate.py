"""Accepts every connection to some ports, of whatever address, and hands it out of the namespace."""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

from cachy.enclosure.names import Names
from cachy.enclosure.orders import tell


def listeners(ports: Iterable[int]) -> list[socket.socket]:
    """Listens on these ports of all addresses.

    Raises:
        OSError: The kernel forbids it.
    """
    found = []
    for port in ports:
        if socket.has_dualstack_ipv6():
            listener = socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096
            )
        else:
            listener = socket.create_server(("", port), backlog=4096)
        listener.setblocking(False)
        found.append(listener)
    return found


def is_loopback(host: str) -> bool:
    """Whether an address is the machine itself."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return address.is_loopback or address.is_unspecified


def authority(names: Names, host: str, port: int) -> str:
    """What ``CONNECT`` names for an address (RFC 9110, section 9.3.6): its name, if it has one."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    name = names.name(address)
    if name is None:
        name = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    return f"{name}:{port}"


def open_to(names: Names, listeners: Iterable[socket.socket], channel: socket.socket) -> None:
    """Hands on what comes from now on, in the running loop."""

    def accept(listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:  # It went away again.
            return
        with client:
            host, port = client.getsockname()[:2]
            # There loopback is the proxy's, which is nobody's business here.
            if not is_loopback(host):
                tell(channel, {"to": authority(names, host, port)}, (client.fileno(),))

    loop = asyncio.get_running_loop()
    for listener in listeners:
        loop.add_reader(listener, accept, listener)
