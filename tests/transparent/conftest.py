"""Clients that know of no proxy, the addresses that they dial, and who is really there.

The kernel leads 198.51.100.0/24 to the proxy. Names lead to the origin, as everywhere in the tests; the
addresses themselves to another server, the stranger, whose answers must never be taken for the site's.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import namespace
from support.ca import CA
from support.dialled import Dialled
from support.factory import ProxyFactory
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply as OriginReply

ADDRESS = "198.51.100.7"
OTHER_ADDRESS = "192.0.2.7"


@pytest.fixture(scope="module")
def transparent(start_shared_proxy: ProxyFactory) -> Proxy:
    """A proxy to which the kernel leads 198.51.100.0/24."""
    proxy = start_shared_proxy(args=["--mode", "transparent"])
    namespace.redirect("198.51.100.0/24", "80, 443, 8443", proxy.port)
    return proxy


@pytest.fixture
def plain_http(transparent: Proxy) -> Dialled:
    """Port 80 of an address."""
    return Dialled(transparent, 80, ADDRESS)


@pytest.fixture
def tls(transparent: Proxy) -> Dialled:
    """Port 443 of an address."""
    return Dialled(transparent, 443, ADDRESS)


@pytest.fixture(scope="module")
def strange_server(transparent: Proxy, ca: CA) -> Iterator[Origin]:
    """The stranger itself; tests take `stranger`."""
    with Origin(ca) as server:
        yield server


@pytest.fixture
def stranger(strange_server: Origin, network: Network, host: str) -> Iterator[Origin]:
    """What answers at the address, for any name that a test uses."""

    async def evil(_: Request, reply: OriginReply) -> None:
        await reply.head(length=4)
        await reply.send(b"evil")
        await reply.end()

    network.send(f"{ADDRESS}:80", strange_server.http_port)
    network.send(f"{ADDRESS}:443", strange_server.https_port)
    names = [host, f"other.{host}", f"{host}:8443", f"{host}:443", ""]
    for name in (*names, ADDRESS, f"{OTHER_ADDRESS}:8443"):
        strange_server.handle(name, "*", evil)
    yield strange_server
    strange_server.clear()


@pytest.fixture(scope="module")
def eager(start_shared_proxy: ProxyFactory, transparent: Proxy, strange_server: Origin) -> Dialled:
    """Behind a proxy that opens each address at once, as mitmproxy does, and verifies nothing.

    Its own connections to these addresses, which the kernel knows by their source, meet the stranger.
    """
    options = {
        "connection_strategy": "eager",
        "upstream_cert": "true",
        "ssl_insecure": "true",
        "connect_addr": "127.0.0.3",
    }
    proxy = start_shared_proxy(args=["--mode", "transparent"], options=options)
    for source, port in (("!= 127.0.0.3", proxy.port), ("127.0.0.3", strange_server.https_port)):
        namespace.redirect("192.0.2.0/24", "8443", port, f"ip saddr {source}")
    return Dialled(proxy, 8443, OTHER_ADDRESS)


@pytest.fixture
def root(transparent: Proxy) -> Path:
    """The cache."""
    return Path(str(transparent.settings.options["cachy_dir"]))
