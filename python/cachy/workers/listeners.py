"""The sockets that all workers listen on, bound once."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import Any

#: Connections that may wait, as the system allows.
BACKLOG = 1024


@dataclass
class Place:
    """What one server of mitmproxy listens on."""

    number: int
    sockets: list[socket.socket]

    @property
    def addresses(self) -> list[Any]:
        """Where: what `getsockname` tells."""
        return [each.getsockname() for each in self.sockets]

    def close(self) -> None:
        """Listens no more."""
        for each in self.sockets:
            each.close()


async def bind(number: int, host: str, port: int) -> Place:
    """Listens where mitmproxy would, and does not accept yet.

    Args:
        number: Tells places apart.
        host: The address; all of them where it is empty.
        port: The port; 0 for a free one, the same for IPv4 and IPv6 where there is one.

    Raises:
        OSError: Nobody can listen there.
    """
    if port == 0:
        with contextlib.suppress(OSError):
            return await bind(number, host, free_port())
    loop = asyncio.get_running_loop()
    # It knows about names, and about both kinds of addresses.
    server = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
    try:
        sockets = [socket.socket(fileno=socket.dup(each.fileno())) for each in server.sockets]
    finally:
        server.close()
    for each in sockets:
        each.setblocking(False)
        each.listen(BACKLOG)
    return Place(number, sockets)


def free_port() -> int:
    """A port that was free a moment ago.

    Raises:
        OSError: There is none.
    """
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port
