"""An origin that ends a connection without a word: a safe request is sent again, and one alone may fail."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest

from support.ca import CA
from support.client import Reply
from support.client import fetch as plain_fetch
from support.either import Either, Version
from support.factory import ProxyFactory
from support.listener import Listener
from support.network import Network
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy

BODY = b"answered"


class Reticent:
    """Says nothing to the first requests, closes behind each of them, and answers the others."""

    version: Version = "h1"

    def __init__(self, silent: int, *, hold: float = 0, words: bytes = b"") -> None:
        self.silent = silent
        self.hold = hold
        """Seconds before it closes."""
        self.words = words
        """What it says before."""
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.underway = self.most = 0
        self.lock = threading.Lock()

    def is_silent(self, request: str) -> bool:
        """Takes note of a request, and says whether it gets nothing."""
        with self.lock:
            self.asked.append(request)
            number = len(self.asked)
            self.underway += 1
            self.most = max(self.most, self.underway)
        self.gate.wait(20)
        silent = number <= self.silent
        if silent:
            time.sleep(self.hold)
        with self.lock:
            self.underway -= 1
        return silent


class Http1(Reticent):
    """Over HTTP/1.1."""

    def __call__(self, sock: socket.socket) -> None:
        """Serves one connection."""
        read = b""
        while data := sock.recv(65536):
            read += data
            while b"\r\n\r\n" in read:
                head, read = read.split(b"\r\n\r\n", 1)
                request = " ".join(head.decode().split(" ", 2)[:2])
                if self.is_silent(request):
                    sock.sendall(self.words)
                    return
                answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)
                sock.sendall(answer + (b"" if request.startswith("HEAD") else BODY))


class Http2(Reticent):
    """Over HTTP/2."""

    version = "h2"
    #: It resets the stream, and goes on.
    resets = False

    def __call__(self, sock: socket.socket) -> None:
        """Serves one connection."""
        server = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="latin-1")
        )
        server.initiate_connection()
        sock.sendall(server.data_to_send())
        while data := sock.recv(65536):
            for event in server.receive_data(data):
                if not isinstance(event, h2.events.RequestReceived):
                    continue
                fields = {str(k): str(v) for k, v in event.headers or []}
                number = event.stream_id or 0
                head = fields[":method"] == "HEAD"
                if self.is_silent(f"{fields[':method']} {fields[':path']}"):
                    if not self.resets:
                        return
                    server.reset_stream(number, 7)
                    continue
                length = ("content-length", str(len(BODY)))
                server.send_headers(number, [(":status", "200"), length], end_stream=head)
                if not head:
                    server.send_data(number, BODY, end_stream=True)
            sock.sendall(server.data_to_send())


class Resetting(Http2):
    """Over HTTP/2, on connections that live on."""

    resets = True


Kind = type[Http1] | type[Http2]
KINDS: dict[str, Kind] = {"h1": Http1, "h2": Http2, "reset": Resetting}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """What the origin speaks, and how it ends."""
    return KINDS[request.param]


@pytest.fixture(scope="module", params=["auto", "off"])
def asking(start_shared_proxy: ProxyFactory, request: pytest.FixtureRequest) -> Proxy:
    """A proxy with the lane, and one without."""
    return start_shared_proxy(options={"cachy_lane": request.param})


@contextmanager
def serving(talk: Http1 | Http2, network: Network, ca: CA, host: str) -> Iterator[Listener]:
    """The origin of that host."""
    protocol = "h2" if talk.version == "h2" else "http/1.1"
    with Listener(talk, ca.context(host, (protocol,))) as listener:
        network.send(f"{host}:443", listener.port)
        yield listener


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_sent_again(
    asking: Proxy, network: Network, ca: CA, host: str, kind: Kind, method: str
) -> None:
    """Once, on a new connection, also where it was the first request of the connection."""
    talk = kind(1)
    with serving(talk, network, ca, host) as listener:
        reply = fetch(asking, talk, f"https://{host}/a", method)
        assert (reply.status, reply.body) == (200, b"" if method == "HEAD" else BODY)
        assert talk.asked == [f"{method} /a"] * 2
        assert listener.accepted == 2


def test_not_sent_again(asking: Proxy, network: Network, ca: CA, host: str, kind: Kind) -> None:
    """What isn't safe, nor a second time."""
    talk = kind(9)
    with serving(talk, network, ca, host):
        assert fetch(asking, talk, f"https://{host}/a", "POST", body=b"x").status == 502
        assert talk.asked == ["POST /a"]
        reply = fetch(asking, talk, f"https://{host}/a")
        assert (reply.status, talk.asked[1:]) == (502, ["GET /a"] * 2)


def test_a_word_is_an_answer(asking: Proxy, network: Network, ca: CA, host: str) -> None:
    """Who begins to answer has taken the request."""
    talk = Http1(9, words=b"HTTP/1.1 20")
    with serving(talk, network, ca, host):
        assert fetch(asking, talk, f"https://{host}/a").status == 502
        assert talk.asked == ["GET /a"]


def fetch(
    proxy: Proxy, talk: Reticent, url: str, method: str = "GET", body: bytes | None = None
) -> Reply:
    """One request by the version that the origin speaks."""
    with Either(proxy, url, talk.version) as client:
        client.send(url, method, body=body)
        reply = client.head()
        reply.body = client.rest()
        return reply


def many(asking: Proxy, talk: Reticent, url: str, number: int = 10) -> list[int]:
    """The statuses that so many clients get who ask at the same time."""
    talk.gate.clear()
    with ExitStack() as stack:
        either = partial(Either, asking, url, talk.version)
        clients = [stack.enter_context(either()) for _ in range(number)]
        for client in clients:
            client.send()
        # Answered after they were read, which stood in line before it.
        plain_fetch(asking, f"https://other.{url.removeprefix('https://')}")
        talk.gate.set()
        statuses = [client.head().status for client in clients]
        for client in clients:
            client.rest()
    return sorted(statuses)


def test_one_alone_fails(
    asking: Proxy,
    origin: Origin,
    network: Network,
    ca: CA,
    host: str,
    kind: Kind,
) -> None:
    """Who asked for all fails, and another one asks for the others."""
    talk = kind(2)
    with serving(talk, network, ca, host):
        assert many(asking, talk, f"https://{host}/a") == [200] * 9 + [502]
        assert talk.asked == ["GET /a"] * 3


def test_each_asks_in_its_turn(
    asking: Proxy, origin: Origin, network: Network, ca: CA, host: str, kind: Kind
) -> None:
    """Nobody fails for another one, and no two ask at the same time."""
    talk = kind(999)
    with serving(talk, network, ca, host):
        assert many(asking, talk, f"https://{host}/a", 5) == [502] * 5
        assert (talk.asked, talk.most) == (["GET /a"] * 10, 1)


def test_nobody_waits_for_the_patience_of_each(
    asking: Proxy, origin: Origin, network: Network, ca: CA, host: str
) -> None:
    """After five seconds all who wait fail with the one who asked."""
    talk = Http1(999, hold=2.6)
    with serving(talk, network, ca, host):
        assert many(asking, talk, f"https://{host}/a") == [502] * 10
        assert talk.asked == ["GET /a"] * 2


def test_where_nothing_can_be_reached_all_fail_together(
    asking: Proxy, origin: Origin, network: Network, ca: CA, host: str
) -> None:
    """No connection is no answer for anybody: the origin is tried once."""
    accepted: list[int] = []

    def hang_up(sock: socket.socket) -> None:
        # Before TLS, once all wait.
        accepted.append(1)
        talk.gate.wait(20)

    talk = Http1(0)
    with Listener(hang_up) as listener:
        network.send(f"{host}:443", listener.port)
        assert many(asking, talk, f"https://{host}/a") == [502] * 10
    assert len(accepted) == 1


def test_one_url_says_nothing_of_the_others(
    asking: Proxy, origin: Origin, network: Network, ca: CA, host: str
) -> None:
    """A URL that gets no answer is left alone for ten seconds; the origin isn't."""
    urls = [f"https://{host}/{name}" for name in "ab"]
    for url in urls:
        origin.route(url, b"old", headers={"Cache-Control": "max-age=0"})
        plain_fetch(asking, url)
    a_while_ago(Path(str(asking.settings.options["cachy_dir"])), of=host)
    talk = Http1(2)
    with serving(talk, network, ca, host):
        for _ in range(2):
            reply = fetch(asking, talk, urls[0])
            assert (reply.body, reply.cache_status) == (b"old", "cachy; hit; detail=stale-if-error")
        assert talk.asked == ["GET /a"] * 2
        assert fetch(asking, talk, urls[1]).body == BODY
