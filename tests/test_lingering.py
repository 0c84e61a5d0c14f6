"""Uploads to an origin that is dead: the client can read the answer, whatever it still sends."""

import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from support.ca import CA
from support.client import Connection, Reply
from support.factory import ProxyFactory
from support.listener import Listener
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.tree import wait_until

MB = 1 << 20
#: More than the sockets on the way hold.
BODY = bytes(24 * MB)
#: A mitmproxy script that makes the bounds short: seconds of silence, and in all.
SHORT = "from cachy import lingering\nlingering.SILENCE, lingering.LONGEST = {}, {}\n"


@pytest.fixture
def make(network: Network, ca: CA, host: str) -> Iterator[Callable[[str], None]]:
    """Makes an origin dead: one of the network's troubles, or one that hangs up in the middle."""

    def hang_up(sock: socket.socket) -> None:
        sock.recv(1000)
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    with Listener(hang_up) as plain, Listener(hang_up, ca.context(host, ("http/1.1",))) as secure:

        def trouble(name: str) -> None:
            if name == "hang-up":
                network.send(f"{host}:80", plain.port)
                network.send(f"{host}:443", secure.port)
            else:
                network.down(host, "refused" if name == "refused" else "noname")

        yield trouble


def chunked(body: bytes) -> bytes:
    """A body in chunks of 64 KB, without its end."""
    piece = 65536
    cut = [body[at : at + piece] for at in range(0, len(body), piece)]
    return b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in cut)


@pytest.mark.parametrize("trouble", ["refused", "noname", "hang-up"])
@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_sends_all_before_reading(
    shared_proxy: Proxy,
    make: Callable[[str], None],
    host: str,
    scheme: str,
    framing: str,
    trouble: str,
) -> None:
    """Gets a 502 that says why, and then the end of the connection."""
    url = f"{scheme}://{host}/upload"
    make(trouble)
    if framing == "chunked":
        fields, sent = {"Transfer-Encoding": "chunked"}, chunked(BODY) + b"0\r\n\r\n"
    else:
        fields, sent = {"Content-Length": str(len(BODY))}, BODY
    with Connection(shared_proxy, url, timeout=30) as client:
        client.send_request(method="PUT", headers=fields)
        client.wire.sock.sendall(sent)
        reply = client.read_head()
        reply.body = client.read_to_end()
        assert (reply.status, b"can't be reached" in reply.body) == (502, True)
        assert client.wire.sock.recv(1) == b""


@pytest.mark.parametrize("trouble", ["refused", "hang-up"])
@pytest.mark.parametrize("how", ["chunked", "length", "http2"])
def test_curl(
    shared_proxy: Proxy,
    origin: Origin,
    make: Callable[[str], None],
    host: str,
    tmp_path: Path,
    how: str,
    trouble: str,
) -> None:
    """It reads while it sends, and goes on with its next request."""
    make(trouble)
    origin.route(f"https://{host}.other/a", b"1")
    (tmp_path / "file").write_bytes(BODY)
    options = {
        "chunked": ["--http1.1", "-H", "Transfer-Encoding: chunked"],
        "length": ["--http1.1"],
        "http2": ["--http2"],
    }
    command = ["curl", "-sS", "-x", shared_proxy.url, "--cacert", str(shared_proxy.ca_pem)]
    command += ["--max-time", "30", "-H", "Expect:", "-w", " %{http_code}\n", *options[how]]
    command += ["-T", str(tmp_path / "file"), f"https://{host}/upload"]
    command += ["--next", *command[1:6], "--max-time", "30", f"https://{host}.other/a"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert f"https://{host}" in done.stdout and done.stdout.endswith(" 502\n1")


def is_all_closed(proxy: Proxy, fds: int) -> bool:
    """Whether it has no more open than before."""
    return proxy.open_fds() <= fds


def begin_upload(proxy: Proxy, url: str) -> Connection:
    """A client that has sent half, and has read the answer."""
    client = Connection(proxy, url, timeout=20)
    client.send_request(method="PUT", headers={"Transfer-Encoding": "chunked"})
    client.wire.sock.sendall(chunked(bytes(MB)))
    reply: Reply = client.read_head()
    reply.body = client.read_to_end()
    assert (reply.status, reply.header("connection")) == (502, "close")
    return client


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_never_ends(
    start_proxy: ProxyFactory, network: Network, host: str, tmp_path: Path, scheme: str
) -> None:
    """Who falls silent, or goes on for ever, is not waited for for long."""
    network.down(host)
    script = tmp_path / "short.py"
    for silence, longest in ((0.5, 60), (60, 1.5)):
        script.write_text(SHORT.format(silence, longest))
        proxy = start_proxy(args=["-s", str(script)])
        fds = proxy.open_fds()
        with begin_upload(proxy, f"{scheme}://{host}/upload") as client:
            begun = time.monotonic()
            sock = client.wire.sock
            if longest < silence:
                with pytest.raises((ConnectionError, ssl.SSLError)):
                    while time.monotonic() - begun < 15:
                        sock.sendall(chunked(b"x"))
                        time.sleep(0.05)
                assert time.monotonic() - begun > 1
            else:
                assert sock.recv(1) == b""
                assert time.monotonic() - begun > 0.4
        wait_until(partial(is_all_closed, proxy, fds))


def test_who_leaves(shared_proxy: Proxy, network: Network, host: str) -> None:
    """Leaves nothing behind."""
    network.down(host)
    fds = shared_proxy.open_fds()
    for how in ("closes", "resets"):
        with begin_upload(shared_proxy, f"http://{host}/upload") as client:
            if how == "resets":
                linger = b"\1\0\0\0\0\0\0\0"
                client.wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    wait_until(partial(is_all_closed, shared_proxy, fds), 3)
