"""Trouble that a test makes for a host: on the network, in the handshake, in the answer."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from .client import Connection, Incomplete
from .client import Reply as Answer
from .client_h2 import H2Client
from .listener import Listener, Talk
from .message import Request
from .network import Network, Trouble
from .origin import Origin
from .proxy import Proxy
from .reply import Handler, Reply

MAX_AGE_0 = {"Cache-Control": "max-age=0"}
STALE_IF_ERROR = "cachy; hit; detail=stale-if-error"
STORED = b"stored " * 1000
#: A TLS alert: handshake_failure, fatal.
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"


@dataclass
class World:
    """What a case can make trouble with."""

    origin: Origin
    network: Network
    stack: ExitStack


Spoil = Callable[[World, str, str], None]
"""Makes trouble for a host and a target on it."""


def network_trouble(trouble: Trouble) -> Spoil:
    """Nobody gets through to the host."""
    return lambda world, host, _: world.network.down(host, trouble)


def untrusted(world: World, host: str, _: str) -> None:
    """The certificate is one that nobody trusts."""
    world.origin.untrusted_hosts.add(host)


def talks(talk: Talk) -> Spoil:
    """Another server has the host's place, which knows no TLS."""

    def spoil(world: World, host: str, _: str) -> None:
        listener = world.stack.enter_context(Listener(talk))
        for port in (80, 443):
            world.network.send(f"{host}:{port}", listener.port)

    return spoil


def answers(answer: Handler, http2: bool = False) -> Spoil:
    """The origin answers the target otherwise."""

    def spoil(world: World, host: str, target: str) -> None:
        if http2:
            world.origin.http2_hosts.add(host)
        world.origin.handle(host, target, answer, scheme="https")

    return spoil


def says_nothing(sock: socket.socket, seconds: float = 30) -> None:
    """Takes the connection, and waits until the other end leaves, or loses patience."""
    sock.settimeout(seconds)
    with contextlib.suppress(OSError):
        while sock.recv(65536):
            pass


def sends_alert(sock: socket.socket) -> None:
    """Refuses the handshake."""
    sock.recv(65536)
    sock.sendall(ALERT)


def hangs_up(sock: socket.socket) -> None:
    """Closes in the middle of the handshake."""
    sock.recv(65536)


def stalls(
    status: int = 200,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    chunked: bool = False,
    seconds: float = 30,
) -> Handler:
    """Sends a head and what there is of a longer body, then nothing, then breaks off."""

    async def handler(_: Request, reply: Reply) -> None:
        length = None if chunked else 2_000_000
        await reply.head(status, headers, length=length, chunked=chunked)
        await reply.send(body)
        await asyncio.sleep(seconds)
        reply.abort()

    return handler


def timed(proxy: Proxy, url: str, http2: bool = False) -> tuple[float, Answer | str]:
    """A whole answer, or why there is none, and the seconds from the request to it."""
    client = (H2Client if http2 else Connection)(proxy, url, timeout=4)
    with client:
        started = time.monotonic()
        try:
            answer: Answer | str = client.fetch()
        except (Incomplete, OSError) as error:
            answer = repr(error)
        return time.monotonic() - started, answer


def is_silent(seconds: float = 30) -> Handler:
    """Says nothing, and then breaks off."""

    async def handler(_: Request, reply: Reply) -> None:
        await asyncio.sleep(seconds)
        reply.abort()

    return handler


def redirects(world: World, name: str, host: str) -> tuple[str, str, str]:
    """A URL that leads to a file on another host: the URL, and that host and its target."""
    url, there = f"https://{name}.{host}/a.zip", f"cdn-{name}.{host}"
    headers = {"Location": f"https://{there}/b.zip", "Cache-Control": "max-age=0"}
    world.origin.route(url, b"", 302, headers)
    world.origin.route(f"https://{there}/b.zip", STORED, 200, MAX_AGE_0)
    return url, there, "/b.zip"
