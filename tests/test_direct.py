"""Hosts of `cachy_no_proxy` are asked directly, past the proxy of `--mode upstream:`."""

import re

import pytest

from support.client import Connection, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.listener import Listener
from support.message import Url
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.tree import wait_until
from support.wire import Wire

LOGIN = "user:secret"


@pytest.fixture
def company(start_proxy: ProxyFactory) -> Proxy:
    """Another proxy, which wants a password."""
    return start_proxy(scripts=[], options={"proxyauth": LOGIN, "ignore_hosts": ":443$"})


@pytest.fixture
def proxy(start_proxy: ProxyFactory, company: Proxy) -> Proxy:
    """Ours, that goes by it but for `inside.example`."""
    return start_proxy(
        args=["--mode", f"upstream:{company.url}"],
        options={"upstream_auth": LOGIN, "cachy_no_proxy": "127.0.0.0/8,inside.example"},
    )


def asked(company: Proxy, host: str) -> int:
    """How many connections it has made to a host."""
    return len(re.findall(rf"server connect {re.escape(host)}:", company.log()))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_each_its_own_way(proxy: Proxy, company: Proxy, origin: Origin, scheme: str) -> None:
    """One that is inside, one that is not, and in turns on one connection of a client."""
    inside, outside = f"{scheme}.inside.example", f"{scheme}.outside.example"
    for host in (inside, outside):
        for name in "ab":
            origin.route(f"{scheme}://{host}/{name}", host.encode())
    client = Connection(proxy, f"{scheme}://{inside}/a") if scheme == "http" else None
    for name in "ab":
        for host in (inside, outside):
            url = f"{scheme}://{host}/{name}"
            reply = fetch(proxy, url) if client is None else client.fetch(url)
            assert (reply.body, reply.cache_status) == (
                host.encode(),
                "cachy; fwd=uri-miss; stored",
            )
            assert origin.asked(url)[-1].header("proxy-authorization") is None
    if client is not None:
        client.close()
    assert asked(company, inside) == 0
    assert asked(company, outside) > 0


def test_post_and_http2(proxy: Proxy, company: Proxy, origin: Origin) -> None:
    """What is streamed upstream, and what came and goes by HTTP/2."""
    for scheme in ("http", "https"):
        url = f"{scheme}://inside.example/post"
        origin.route(url, b"done")
        assert fetch(proxy, url, "POST", body=b"x" * 100_000).body == b"done"
        assert len(origin.asked(url)[-1].body) == 100_000
        assert origin.asked(url)[-1].header("proxy-authorization") is None
    origin.http2_hosts.add("h2.inside.example")
    url = "https://h2.inside.example/a"
    origin.route(url, b"1")
    with H2Client(proxy, url) as client:
        assert client.fetch().body == b"1"
    assert origin.asked(url)[-1].version == "2"
    assert asked(company, "inside.example") + asked(company, "h2.inside.example") == 0


def test_without_a_client(proxy: Proxy, company: Proxy, origin: Origin, cachy_dir: object) -> None:
    """The whole behind a range, and what a redirect leads to: from inside and from outside."""
    for scheme in ("http", "https"):
        for host in ("inside.example", "outside.example"):
            site = f"{scheme}://{host}"
            origin.route(f"{site}/a-1.0.zip", b"PK\3\4" + b"x" * 100)
            reply = fetch(proxy, f"{site}/a-1.0.zip", headers={"Range": "bytes=4-9"})
            assert (reply.status, reply.body) == (206, b"xxxxxx")
            origin.route(f"{site}/b-1.0.zip", b"", 302, [("Location", f"{site}/c")])
            origin.route(f"{site}/c", b"PK\3\4")
            assert fetch(proxy, f"{site}/b-1.0.zip").body == b"PK\3\4"
    assert asked(company, "inside.example") == 0
    assert asked(company, "outside.example") > 0
    assert not [r for r in origin.requests if r.header("proxy-authorization")]


def test_tunnels(proxy: Proxy, company: Proxy, network: Network) -> None:
    """What is neither HTTP nor TLS, also where the server speaks first."""

    def mail(sock: object) -> None:
        sock.sendall(b"220 ready\r\n")  # type: ignore[attr-defined]
        sock.recv(100)  # type: ignore[attr-defined]

    with Listener(mail) as server:
        network.send("mail.inside.example:25", server.port)
        wire = Wire(proxy, Url("http", "mail.inside.example:25", "/"), tunnel=True)
        assert wire.read_until(b"\r\n") == b"220 ready\r\n"
        wire.sock.sendall(b"QUIT\r\n")
        wire.close()
        wait_until(lambda: server.accepted == 1)
    assert asked(company, "mail.inside.example") == 0
