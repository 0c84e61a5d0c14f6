"""What an origin sends, before mitmproxy reads it: pieces of a large body may be taken out here."""

import asyncio
from collections.abc import Callable
from typing import Any

#: Bytes that are taken from the socket at once: all that is made of them stays in the processor's cache.
SIZE = 128 * 1024
#: For all connections, one after the other: what comes in is taken, or copied, before the next.
_buffer = memoryview(bytearray(SIZE))


class Intake(asyncio.BufferedProtocol):
    """Stands between an origin's transport and mitmproxy's reader."""

    def __init__(self, reader: Any, transport: Any) -> None:
        self.reader = reader
        #: Takes a piece as it came from the socket, and says whether it did.
        self.taker: Callable[[memoryview], bool] | None = None
        self.inner: Any = transport.get_protocol()
        # uvloop goes on in the old way until it begins to read anew.
        transport.pause_reading()
        transport.set_protocol(self)
        # Else the reader has stopped it, and starts it again.
        if not reader._paused:
            transport.resume_reading()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return _buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came in."""
        piece = _buffer[:nbytes]
        # What waits for mitmproxy comes first.
        if self.taker is None or self.reader._buffer or not self.taker(piece):
            self.reader.feed_data(piece)

    def eof_received(self) -> Any:
        """The origin sends no more."""
        self.taker = None
        return self.inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.taker = None
        self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Enough waits for the socket."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """The socket takes more."""
        self.inner.resume_writing()
