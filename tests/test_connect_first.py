"""CONNECT to servers that speak first, and to those that don't, by clients that take their time."""

import socket
import threading
import time

import pytest

from support.client import Connection, fetch
from support.factory import ProxyFactory
from support.listener import Listener
from support.message import Url
from support.network import Network, Trouble
from support.origin import Origin
from support.proxy import Proxy
from support.tree import wait_until
from support.wire import Wire

#: Longer than the silence after which the proxy listens to the server.
LATE = 0.8


def tunnel(proxy: Proxy, host: str, port: int) -> Wire:
    """A tunnel without TLS, in which nothing has been sent yet."""
    return Wire(proxy, Url("http", f"{host}:{port}", "/"), tunnel=True)


def mail(sock: socket.socket) -> None:
    """Greets, and answers line by line, until one says QUIT."""
    sock.sendall(b"220 mail.example ready\r\n")
    with sock.makefile("rb") as lines:
        for line in lines:
            sock.sendall(b"250 " + line)
            if line == b"QUIT\r\n":
                return


def test_server_speaks_first(shared_proxy: Proxy, network: Network, host: str) -> None:
    """The greeting comes through to a client that waits for it, and the tunnel is raw both ways."""
    with Listener(mail) as server:
        network.send(f"{host}:25", server.port)
        wire = tunnel(shared_proxy, host, 25)
        assert wire.read_until(b"\r\n") == b"220 mail.example ready\r\n"
        for line in (b"EHLO client\r\n", b"\x16\x03\x01 is not TLS here\r\n", b"QUIT\r\n"):
            wire.sock.sendall(line)
            assert wire.read_until(b"\r\n") == b"250 " + line
        assert not wire.fill(), "the end of the server is the end of the tunnel"
        wire.close()
        assert server.accepted == 1


def test_both_speak(shared_proxy: Proxy, network: Network, host: str) -> None:
    """A client that speaks at once, and doesn't wait for the greeting, gets it too."""
    with Listener(mail) as server:
        network.send(f"{host}:22", server.port)
        wire = tunnel(shared_proxy, host, 22)
        wire.sock.sendall(b"SSH-2.0-client\r\n")
        assert wire.read_until(b"\r\n") == b"220 mail.example ready\r\n"
        assert wire.read_until(b"\r\n") == b"250 SSH-2.0-client\r\n"
        wire.close()
        assert server.accepted == 1


def test_client_that_is_late(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """TLS that begins late is intercepted all the same: miss and hit."""
    url = f"https://{host}/a"
    origin.route(url, b"body")
    for status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
        with Connection(shared_proxy, url, pause=LATE) as client:
            reply = client.fetch()
            assert (reply.body, reply.cache_status) == (b"body", status)
    assert origin.count(url) == 1


def test_plain_http_that_is_late(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """HTTP in a tunnel, behind a silence in which the origin was connected to, is cached."""
    origin.route(f"http://{host}/a", b"body")
    for status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
        wire = tunnel(shared_proxy, host, 80)
        wait_until(lambda: origin.open_connections)
        wire.sock.sendall(f"GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        _, _, headers = wire.read_head()
        assert dict(headers)["Cache-Status"] == status
        assert wire.read_until(b"body") == b"body"
        wire.close()
        wait_until(lambda: origin.open_connections == 0)


@pytest.mark.parametrize("trouble", ["refused", "blackhole", "noname", "nodns"])
def test_late_hit_without_a_line(
    shared_proxy: Proxy, origin: Origin, network: Network, host: str, trouble: Trouble
) -> None:
    """A hit doesn't wait for a connection that fails, or never ends."""
    url = f"https://{host}/a"
    origin.route(url, b"body")
    fetch(shared_proxy, url)
    network.down(host, trouble)
    with Connection(shared_proxy, url, pause=LATE) as client:
        before = time.monotonic()
        assert client.fetch().cache_status == "cachy; hit"
        assert time.monotonic() - before < 1.5
        network.up(host)
        origin.route(f"https://{host}/b", b"other")
        assert client.fetch(f"https://{host}/b").body == b"other", "nothing of it is remembered"


@pytest.mark.parametrize("words", [b"", b"HTTP/1.0 408 Request Time-out\r\n\r\n", b"\x15\x03\x01"])
def test_server_that_tires(
    shared_proxy: Proxy, origin: Origin, network: Network, host: str, words: bytes
) -> None:
    """A server that closes since nobody speaks is no server that speaks first."""
    url = f"https://{host}/a"
    origin.route(url, b"body")
    fetch(shared_proxy, url)
    with Listener(lambda sock: sock.sendall(words)) as server:
        network.send(f"{host}:443", server.port)
        with Connection(shared_proxy, url, pause=LATE) as client:
            assert client.fetch().cache_status == "cachy; hit"
        assert server.accepted == 1


def test_offline(
    start_shared_proxy: ProxyFactory, origin: Origin, network: Network, host: str
) -> None:
    """Offline, nothing is connected to while the client is silent, and it may speak later."""
    proxy = start_shared_proxy(options={"cachy_mode": "offline"})
    with Listener(mail) as server:
        network.send(f"{host}:443", server.port)
        with Connection(proxy, f"https://{host}/a", pause=LATE) as client:
            assert client.fetch().status == 403
        assert server.accepted == 0


def test_client_that_leaves(shared_proxy: Proxy, network: Network, host: str) -> None:
    """A client that leaves without a word takes the listening with it."""
    gone = threading.Event()

    def silent(sock: socket.socket) -> None:
        assert sock.recv(1) == b""
        gone.set()

    with Listener(silent) as server:
        network.send(f"{host}:443", server.port)
        wire = tunnel(shared_proxy, host, 443)
        wait_until(lambda: server.accepted)
        wire.close()
        assert gone.wait(10)
