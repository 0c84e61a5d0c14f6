"""Clients of transparent mode that nobody led to the proxy: what they ask it for is the proxy itself."""

import socket

from mitmproxy import ctx
from mitmproxy.connection import Address, Client


def is_straight(client: Client, destination: Address | None) -> bool:
    """Whether a client came to the proxy's own port by itself.

    Args:
        client: The client.
        destination: Where it wanted to go.
    """
    mode = client.proxy_mode
    if mode.type_name != "transparent" or destination is None:
        return False
    own = mode.listen_port(ctx.options.listen_port)
    return destination[1] == own and is_here(destination[0])


def is_here(host: str) -> bool:
    """Whether an address is one of this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True
