"""What the repositories of all kinds have in common."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence

from support.message import Request
from support.origin import Origin
from support.reply import Handler, Reply

IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
"""What registries say of a file that never changes."""


def payload(size: int, seed: str) -> bytes:
    """Bytes that do not compress, the same at each run."""
    return random.Random(seed).randbytes(size)


class Repository(ABC):
    """What one package manager fetches from, at host names that belong to `host`."""

    def __init__(self, host: str) -> None:
        self.host = host

    @property
    @abstractmethod
    def hosts(self) -> Sequence[str]:
        """The hosts that it answers for."""

    @abstractmethod
    def publish(self, origin: Origin) -> None:
        """Let the origin answer for it."""

    @property
    @abstractmethod
    def contents(self) -> dict[str, bytes]:
        """What lies in each package: what a client must have got in the end."""

    @abstractmethod
    def is_index(self, url: str) -> bool:
        """Whether the URL is that of an index, which changes; all else is named for good."""

    @property
    @abstractmethod
    def first(self) -> str:
        """The URL that a client with an empty home asks for first."""

    @property
    @abstractmethod
    def file(self) -> str:
        """The URL of the file that every client fetches."""

    @property
    def absent(self) -> Sequence[str]:
        """The URLs that clients ask for and expect not to be there."""
        return ()

    def requests(self, origin: Origin) -> list[Request]:
        """What the origin was asked for on behalf of this repository."""
        return [request for request in origin.requests if request.host in self.hosts]


def slowly(handler: Handler, seconds: float) -> Handler:
    """The same answer, later."""

    async def handle(request: Request, reply: Reply) -> None:
        await asyncio.sleep(seconds)
        await handler(request, reply)

    return handle
