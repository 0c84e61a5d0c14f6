"""SIGTERM and Ctrl-C: what is being downloaded is finished, and nobody new is let in."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.client import Connection, Incomplete, fetch
from support.client_h2 import H2Client
from support.command import Cachy
from support.gated import before_head, in_two
from support.origin import Origin
from support.pattern import Pattern
from support.served import Served
from support.tree import tree, wait_until

MB = 1 << 20
COUNTS = pytest.mark.parametrize("count", ["1", "2"])
PATTERN = Pattern(3 * MB, seed=7)


@contextmanager
def ending(served: Served, number: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """Asks it to end, and goes on when nobody new is let in."""
    served.process.send_signal(number)
    wait_until(lambda: refuses(served.port))
    yield


def refuses(port: int) -> bool:
    """Whether nobody listens."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def closed(client: Connection) -> bool:
    """Waits until the proxy closes a connection."""
    client.wire.sock.settimeout(10)
    return client.wire.sock.recv(1) == b""


@COUNTS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_downloads_are_finished(
    command: Cachy,
    origin: Origin,
    host: str,
    tmp_path: Path,
    count: str,
    number: signal.Signals,
) -> None:
    """A body on its way, and a request that waits for its head; both over TLS, and stored."""
    urls = [f"https://{host}/{name}" for name in ("body", "head")]
    body, finish = in_two(origin, PATTERN, MB)
    origin.handle(host, "/body", body)
    head, answer = before_head(origin, origin.route(urls[1], b"late"))
    origin.handle(host, "/head", head, scheme="https")
    with (
        Served(command, tmp_path, ["--workers", count]) as served,
        Connection(served, urls[0]) as one,
        Connection(served, urls[1]) as two,
    ):
        for client in (one, two):
            client.send_request()
        one.read_head()
        wait_until(lambda: origin.count(urls[1]))
        with ending(served, number):
            assert served.process.poll() is None
            finish()
            answer()
            assert one.read_to_end() == PATTERN.slice(0, PATTERN.size)
            reply = two.read_head()
            # So that the client asks for nothing more on this connection.
            assert reply.header("connection") == "close"
            assert two.read_to_end() == b"late"
        assert served.process.wait(10) == 0
    stored = tree(tmp_path)
    assert stored[f"{host}/body"] == PATTERN.slice(0, PATTERN.size)
    assert stored[f"{host}/head"] == b"late"


@COUNTS
def test_idle_connections_are_closed(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, count: str
) -> None:
    """Those that were kept, a tunnel in which nothing was said, and one with nothing at all."""
    url = f"https://{host}/a"
    origin.route(url, b"body")
    with (
        Served(command, tmp_path, ["--workers", count, "--grace", "60s"]) as served,
        Connection(served, url) as miss,
        Connection(served, url) as hit,
        Connection(served, f"http://{host}/a") as plain,
        H2Client(served, url) as multiplexed,
        socket.create_connection((served.host, served.port)) as silent,
    ):
        for client in (miss, hit, plain):
            assert client.fetch().body == b"body"
        assert multiplexed.fetch().body == b"body"
        with ending(served):
            for client in (miss, hit, plain):
                assert closed(client)
            silent.settimeout(10)
            assert silent.recv(1) == b""
        assert served.process.wait(10) == 0


def test_without_the_lane(command: Cachy, origin: Origin, host: str, tmp_path: Path) -> None:
    """Also where all is mitmproxy's: idle connections are closed, what is asked is answered."""
    url = f"https://{host}/a"
    origin.route(url, b"body")
    handler, go_on = before_head(origin, origin.route(f"{url}2", b"late"))
    origin.handle(host, "/a2", handler, scheme="https")
    with (
        Served(command, tmp_path, ["--grace", "60s"], ["--set", "cachy_lane=off"]) as served,
        Connection(served, url) as idle,
        H2Client(served, url) as multiplexed,
        H2Client(served, url) as asking,
    ):
        assert idle.fetch().body == b"body"
        assert multiplexed.fetch().body == b"body"
        stream = asking.send_request(f"{url}2")
        wait_until(lambda: origin.count(f"{url}2"))
        with ending(served):
            assert closed(idle)
            with pytest.raises((Incomplete, ConnectionError)):
                multiplexed.pump(lambda: False)
            go_on()
            assert asking.read_head(stream).status == 200
            assert asking.read_to_end(stream) == b"late"
        assert served.process.wait(10) == 0


@COUNTS
def test_large_hits_are_finished(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, count: str
) -> None:
    """Of clients that take them slowly, over HTTP/1.1 and HTTP/2."""
    url, pattern = f"https://{host}/a.bin", Pattern(24 * MB, seed=8)
    origin.route(url, pattern)
    with (
        Served(command, tmp_path, ["--workers", count]) as served,
        Connection(served, url, rcvbuf=65536) as one,
        H2Client(served, url, window=65536, automatic=False) as two,
    ):
        fetch(served, url)
        one.send_request()
        assert one.read_head().cache_status == "cachy; hit"
        stream = two.send_request()
        assert two.read_head(stream).cache_status == "cachy; hit"
        with ending(served):
            assert one.read_to_end() == pattern.slice(0, pattern.size)
            two.open_window(stream, pattern.size)
            assert two.read_to_end(stream) == pattern.slice(0, pattern.size)
        assert served.process.wait(10) == 0


@COUNTS
def test_a_slow_client_gets_the_end(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, count: str
) -> None:
    """What waits for its socket when mitmproxy has closed the connection is sent."""
    url, pattern = f"http://{host}/a", Pattern(8 * MB, seed=9)
    handler, go_on = before_head(origin, origin.route(url, pattern))
    origin.handle(host, "/a", handler, scheme="http")
    with (
        Served(command, tmp_path, ["--workers", count]) as served,
        Connection(served, url, rcvbuf=2048) as client,
    ):
        client.send_request()
        wait_until(lambda: origin.count(url))
        with ending(served):
            go_on()
            with pytest.raises(subprocess.TimeoutExpired):
                served.process.wait(3)
            client.read_head()
            assert client.read_to_end() == pattern.slice(0, pattern.size)
        assert served.process.wait(10) == 0


def test_http2_is_told(command: Cachy, origin: Origin, host: str, tmp_path: Path) -> None:
    """When all that it has asked is answered, and not before: some clients can't bear it."""
    url = f"https://{host}/a"
    handler, go_on = before_head(origin, origin.route(url, b"body"))
    origin.handle(host, "/a", handler, scheme="https")
    with Served(command, tmp_path) as served, H2Client(served, url) as client:
        stream = client.send_request()
        wait_until(lambda: origin.count(url))
        with ending(served):
            with pytest.raises(TimeoutError):
                client.pump(lambda: client.going_away, timeout=2)
            go_on()
            assert client.read_head(stream).status == 200
            assert client.read_to_end(stream) == b"body"
            client.pump(lambda: client.going_away)
        assert served.process.wait(10) == 0


def test_what_nobody_waits_for_is_finished(
    command: Cachy, origin: Origin, host: str, tmp_path: Path
) -> None:
    """The whole behind a range, which is fetched without a client."""
    url = f"https://{host}/a.bin"
    handler, go_on = in_two(origin, PATTERN, MB)
    origin.handle(host, "/a.bin", handler)
    with Served(command, tmp_path) as served:
        fields = {"Range": "bytes=0-9"}
        assert fetch(served, url, headers=fields).body == PATTERN.slice(0, 10)
        with ending(served):
            assert served.process.poll() is None
            go_on()
        assert served.process.wait(10) == 0
    assert tree(tmp_path)[f"{host}/a.bin"] == PATTERN.slice(0, PATTERN.size)


def test_what_others_wait_for_is_finished(
    command: Cachy, origin: Origin, host: str, tmp_path: Path
) -> None:
    """By a client that has left, for one that reads along."""
    url = f"https://{host}/a.bin"
    handler, go_on = in_two(origin, PATTERN, MB)
    origin.handle(host, "/a.bin", handler)
    with Served(command, tmp_path) as served, Connection(served, url) as two:
        with Connection(served, url) as one:
            for client in (one, two):
                client.send_request()
                client.read_head()
        with ending(served):
            go_on()
            assert two.read_to_end() == PATTERN.slice(0, PATTERN.size)
        assert served.process.wait(10) == 0


@COUNTS
def test_a_second_signal_ends_it_at_once(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, count: str
) -> None:
    """Whatever there is to be finished."""
    url = f"https://{host}/a.bin"
    handler, _ = in_two(origin, PATTERN, MB)
    origin.handle(host, "/a.bin", handler)
    with (
        Served(command, tmp_path, ["--workers", count, "--grace", "5m"]) as served,
        Connection(served, url) as client,
    ):
        client.send_request()
        client.read_head()
        with ending(served):
            served.wait_for_line("ends when 1 transfers are over, or in 300 s", log=True)
            assert served.process.poll() is None
            served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(10) == 0
        with pytest.raises((Incomplete, ConnectionError)):
            client.read_to_end()


@COUNTS
@pytest.mark.parametrize("grace", ["0", "2s"])
def test_no_longer_than_the_grace(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, count: str, grace: str
) -> None:
    """Then what is left is broken off."""
    url = f"https://{host}/a.bin"
    handler, _ = in_two(origin, PATTERN, MB)
    origin.handle(host, "/a.bin", handler)
    with (
        Served(command, tmp_path, ["--workers", count, "--grace", grace]) as served,
        Connection(served, url) as client,
    ):
        client.send_request()
        client.read_head()
        begun = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(20) == 0
        assert time.monotonic() - begun >= float(grace.strip("s"))
        with pytest.raises((Incomplete, ConnectionError)):
            client.read_to_end()


@pytest.mark.parametrize("grace", ["ten", "-1s", "30", ""])
def test_no_time_span(command: Cachy, grace: str) -> None:
    """It says what one looks like."""
    done = command.run("serve", f"--grace={grace}")
    assert done.status == 2
    assert f'"{grace}" is no time span' in done.output
