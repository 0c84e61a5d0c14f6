"""An origin that fails now and then."""

import asyncio
import random
import threading
import time
from dataclasses import dataclass
from typing import Literal

from support.ca import CA
from support.message import HeadersLike, Request
from support.origin import Origin
from support.reply import Reply

from .journal import AFTER_FAULT, Event, Journal, family

Kind = Literal[
    "500", "503", "cut", "short", "silent", "stall", "slow", "refused", "blackhole", "tls", "drop"
]
ANSWERS: tuple[Kind, ...] = ("500", "503", "cut", "short", "silent", "stall", "slow")
"""What one answer suffers."""
CONNECTIONS: tuple[Kind, ...] = ("refused", "blackhole", "tls", "drop")
"""What connections suffer; see `disturbances`."""
#: Seconds.
SILENCE = 8.0
SLOWNESS = 3.0
#: Requests for which the origin keeps records.
RECORDS = 1000


class Spoiled(Reply):
    """A reply that breaks off, stalls or dawdles in the middle of a body.

    Args:
        reply: The real one.
        kind: `cut`, `short`, `stall` or `slow`.
        at: The share of the body that goes out before.
    """

    def __init__(self, reply: Reply, kind: Kind, at: float) -> None:
        self._reply = reply
        self._kind = kind
        self._at = at
        self._left: int | None = None

    async def head(
        self,
        status: int = 200,
        headers: HeadersLike | None = None,
        *,
        length: int | None = None,
        chunked: bool = False,
        close: bool = False,
        reason: str | None = None,
    ) -> None:
        """See `Reply.head`."""
        self._left = int((length or 0) * self._at)
        await self._reply.head(
            status, headers, length=length, chunked=chunked, close=close, reason=reason
        )
        self.started = True

    async def send(self, data: bytes | memoryview) -> None:
        """See `Reply.send`."""
        if self._left is None or len(data) <= self._left:
            self._left = None if self._left is None else self._left - len(data)
            await self._reply.send(data)
            return
        await self._reply.send(data[: self._left])
        rest, self._left = data[self._left :], None
        if self._kind == "slow":
            step = len(rest) // 10 + 1
            for begin in range(0, len(rest), step):
                await asyncio.sleep(SLOWNESS / 10)
                await self._reply.send(rest[begin : begin + step])
            return
        if self._kind == "short":
            await self._reply.end()
        else:
            if self._kind == "stall":
                await asyncio.sleep(SILENCE)
            self._reply.abort()
        raise ConnectionResetError("spoiled on purpose")

    async def end(self) -> None:
        """See `Reply.end`."""
        await self._reply.end()

    def abort(self) -> None:
        """See `Reply.abort`."""
        self._reply.abort()

    async def raw(self, data: bytes) -> None:
        """See `Reply.raw`."""
        await self._reply.raw(data)


@dataclass(frozen=True)
class Window:
    """A time in which a family's answers suffer."""

    kind: Kind
    family: str
    chance: float
    """How many of the answers, as a share of 1."""


class FaultyOrigin(Origin):
    """The origin, whose answers suffer while a window is open, and rarely without.

    Args:
        ca: See `Origin`.
        untrusted: See `Origin`.
        journal: Where each fault is noted when it meets a request.
        seed: Of what is left to chance.
        rarely: The share of answers that suffer at any time.
    """

    def __init__(
        self, ca: CA, untrusted: CA, journal: Journal, seed: int, rarely: float = 0.0
    ) -> None:
        super().__init__(ca, untrusted)
        self.journal = journal
        self._chance = random.Random(seed)
        self.rarely = rarely
        self._windows: list[Window] = []
        self._window_lock = threading.Lock()
        self.answered = 0
        """Requests so far."""
        self.spoiled: dict[str, int] = {}
        """How many answers suffered, by kind."""

    def open(self, window: Window) -> None:
        """Let answers suffer."""
        with self._window_lock:
            self._windows.append(window)

    def close(self, window: Window) -> None:
        """Let them be."""
        with self._window_lock:
            self._windows.remove(window)

    def behave(self) -> None:
        """Fail no more."""
        self.rarely = 0.0
        with self._window_lock:
            self._windows.clear()

    def _choose(self, family: str) -> Kind | None:
        with self._window_lock:
            for window in self._windows:
                if window.family == family and self._chance.random() < window.chance:
                    return window.kind
        if self._chance.random() < self.rarely:
            return self._chance.choice(("500", "cut", "short"))
        return None

    async def answer(self, request: Request, reply: Reply) -> None:
        """See `Origin.answer`."""
        self.answered += 1
        if self.answered % RECORDS == 0:
            self.forget_requests()
        whose = family(request.host)
        kind = self._choose(whose)
        if kind is None:
            await super().answer(request, reply)
            return
        self.spoiled[kind] = self.spoiled.get(kind, 0) + 1
        what = f"origin: {kind} for {request.url}"
        event = self.journal.add(Event(what, time.monotonic(), None, whose, AFTER_FAULT))
        try:
            await self._suffer(kind, request, reply)
        finally:
            event.end = time.monotonic()

    async def _suffer(self, kind: Kind, request: Request, reply: Reply) -> None:
        if kind in ("500", "503"):
            body = b"failed on purpose\n"
            await reply.head(int(kind), {"Content-Type": "text/plain"}, length=len(body))
            await reply.send(b"" if request.method == "HEAD" else body)
            await reply.end()
        elif kind == "silent":
            await asyncio.sleep(SILENCE)
            reply.abort()
        else:
            await super().answer(request, Spoiled(reply, kind, self._chance.uniform(0.1, 0.9)))
