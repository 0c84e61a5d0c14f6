"""How a handler answers: the same calls over HTTP/1.1 and HTTP/2."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Literal

from .message import HeadersLike, Request

Framing = Literal["length", "chunked", "close"]


class Reply(ABC):
    """The answer to one request."""

    sent: int = 0
    """Bytes of the body that the transport has taken."""
    trailers: HeadersLike | None = None
    """What `end` sends behind the body (HTTP/2 only)."""
    started: bool = False
    ended: bool = False

    @abstractmethod
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
        """Send the head. Name one framing: a length, chunked, or until close.

        With none of them the body is empty (`Content-Length: 0`), and a
        status that has no body gets no framing at all.
        """

    @abstractmethod
    async def send(self, data: bytes | memoryview) -> None:
        """Send a piece of the body; waits while the peer takes nothing."""

    @abstractmethod
    async def end(self) -> None:
        """End the body as its framing demands."""

    @abstractmethod
    def abort(self) -> None:
        """Cut the answer off: reset the connection (HTTP/1) or the stream."""

    @abstractmethod
    async def raw(self, data: bytes) -> None:
        """Write bytes as they are, head and all (HTTP/1 only)."""


Handler = Callable[[Request, Reply], Awaitable[None]]
