"""A mitmproxy script: the name service of the tests.

Leads every host name to the origin on loopback, below mitmproxy: what hooks
see (`server.address`, the SNI, the reuse of connections) stays as in life.
"""

import asyncio
import ipaddress
import os
import socket
from pathlib import Path
from typing import Any

from mitmproxy.proxy.server_hooks import ServerConnectionHookData


def _entries(variable: str) -> dict[str, str]:
    try:
        lines = Path(os.environ[variable]).read_text().splitlines()
    except (KeyError, FileNotFoundError):
        return {}
    return dict(line.rsplit(" ", 1) for line in lines)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Route:
    """Stands in for the loop's `getaddrinfo`."""

    def __init__(self) -> None:
        self._tls: set[tuple[str, int]] = set()

    def running(self) -> None:
        """Take the name service over."""
        loop = asyncio.get_running_loop()
        self._getaddrinfo = loop.getaddrinfo
        loop.getaddrinfo = self.getaddrinfo  # type: ignore[method-assign]
        if any(kind.__module__.startswith("uvloop") for kind in type(loop).__mro__):
            # It asks by functions of its own.
            self._create_connection: Any = loop.create_connection
            loop.create_connection = self.create_connection  # type: ignore[method-assign, assignment]

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Note whether it will be TLS; lead addresses, which nobody resolves."""
        if data.server.address is None:
            return
        host, port = data.server.address[:2]
        if data.server.tls:
            self._tls.add((host, port))
        else:
            self._tls.discard((host, port))
        if _is_address(host) and port in (80, 443):
            data.server.address = ("127.0.0.1", self.port(host, port))

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> list[tuple[Any, ...]]:
        """Every name lives on loopback."""
        name = host.decode() if isinstance(host, bytes) else host
        if not name or _is_address(name):
            return list(await self._getaddrinfo(host, port, **options))
        down = _entries("CACHY_TEST_DOWN")
        trouble = down.get(name, down.get("*"))
        if trouble == "noname":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if trouble == "nodns":
            await asyncio.Event().wait()
        target = ("127.0.0.1", self.port(name, int(port or 0)))
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", target)]

    async def create_connection(
        self, protocol: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Connects to where the name leads."""
        if host is not None:
            found = await self.getaddrinfo(host, port)
            host, port = found[0][4][:2]
        return await self._create_connection(protocol, host, port, **options)

    def port(self, host: str, port: int) -> int:
        """The port on loopback that answers for `host:port`."""
        down = _entries("CACHY_TEST_DOWN")
        trouble = down.get(host, down.get("*"))
        if trouble in ("refused", "blackhole"):
            name = "CLOSED" if trouble == "refused" else "BLACKHOLE"
            return int(os.environ[f"CACHY_TEST_{name}_PORT"])
        if found := _entries("CACHY_TEST_PORTS").get(f"{host}:{port}"):
            return int(found)
        tls = port == 443 or (host, port) in self._tls
        return int(os.environ[f"CACHY_TEST_HTTP{'S' if tls else ''}_PORT"])


addons = [Route()]
