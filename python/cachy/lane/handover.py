"""What mitmproxy's layers get in the place of a TLS connection that the lane has begun."""

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

from cachy.lane.handshake import Handshake

#: Wakes the layer up, to read what was left for it; never part of a connection.
NUDGE = b"\0"


class HandedOver:
    """A TLS connection in the middle of its life, for a layer that believes to see its beginning."""

    def __init__(
        self,
        connection: SSL.Connection,
        handshake: Handshake,
        plain: bytes,
        settled: Callable[[], object],
    ) -> None:
        """For a layer that will hear what the client said in the handshake.

        Args:
            connection: In whatever state.
            handshake: How it began.
            plain: What was decrypted, and is for the layer.
            settled: Called each time the layer has got all that was left for it.
        """
        self.settled = settled
        self.connection = connection
        #: Bytes to come that the connection has had.
        self.seen = len(handshake.said)
        self.plain = plain
        self.error = handshake.error

    def leave(self, plain: bytes) -> bytes:
        """Leaves more for the layer to read.

        Args:
            plain: Decrypted.

        Returns:
            Bytes to come for the layer, so that it reads.
        """
        self.plain += plain
        self.seen += len(NUDGE)
        return NUDGE

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def bio_write(self, data: bytes) -> int:
        """As the original, of what the connection hasn't had."""
        known = min(self.seen, len(data))
        self.seen -= known
        if known and self.is_settled:
            self.settled()
        if known == len(data):
            return known
        return known + self.connection.bio_write(data[known:])

    def do_handshake(self) -> None:
        """As the original: over, unfinished, or failed for the same reason."""
        if self.error is not None:
            raise self.error
        self.connection.do_handshake()

    def recv(self, most: int, flags: int | None = None) -> bytes:
        """As the original, after what the lane has left."""
        if self.plain:
            data, self.plain = self.plain[:most], self.plain[most:]
            if self.is_settled:
                self.settled()
            return data
        return self.connection.recv(most, flags)

    @property
    def is_settled(self) -> bool:
        """Whether the layer has got all that was left for it."""
        return not (self.seen or self.plain)


class Interposed(HandedOver):
    """One that mitmproxy never gets to the bytes of: others read and write them for it."""

    def __init__(
        self,
        connection: SSL.Connection,
        handshake: Handshake,
        plain: bytes,
        settled: Callable[[], object],
        answer: Callable[[bytes], object],
    ) -> None:
        """For a layer that will hear what the client said in the handshake.

        Args:
            connection: Established.
            handshake: How it began.
            plain: What is for the layer.
            settled: Called each time the layer has got all that was left for it.
            answer: Gets what the layer says.
        """
        super().__init__(connection, handshake, plain, settled)
        self.answer = answer

    def sendall(self, data: bytes, flags: int = 0) -> int:
        """As the original."""
        self.answer(bytes(data))
        return len(data)

    def recv(self, most: int, flags: int | None = None) -> bytes:
        """As the original, of what was left."""
        if not self.plain:
            raise SSL.WantReadError
        return super().recv(most, flags)
