"""A mitmproxy script: every name under ``.example`` lives on loopback, whichever event loop there is.

It works below mitmproxy: what hooks see of a server stays as in life.
"""

import asyncio
from typing import Any

_connect = asyncio.open_connection


async def open_connection(host: Any = None, port: Any = None, **more: Any) -> Any:
    """In the place of asyncio's."""
    if isinstance(host, str) and host.endswith(".example"):
        host = "127.0.0.1"
    return await _connect(host, port, **more)


class Route:
    """Names for those who connect by the loop itself."""

    def running(self) -> None:
        """Takes the name service over."""
        loop = asyncio.get_running_loop()
        original = loop.getaddrinfo

        async def getaddrinfo(host: Any, port: Any, **more: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            loopback = isinstance(name, str) and name.endswith(".example")
            return await original("127.0.0.1" if loopback else host, port, **more)

        loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign]


asyncio.open_connection = open_connection
addons = [Route()]
