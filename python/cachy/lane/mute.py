"""What mitmproxy says to a CONNECT that the lane has answered already."""

from typing import Any

#: As mitmproxy says it, and the lane.
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Mute:
    """A client's writer that keeps the first answer to itself."""

    def __init__(self, io: Any) -> None:
        """Takes the writer's place.

        Args:
            io: mitmproxy's reader and writer of the client.
        """
        self.io = io
        self.writer = io.writer
        self.waiting = True
        io.writer = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.writer, name)

    def write(self, data: bytes) -> None:
        """As the original, after the first answer."""
        if not self.waiting:
            self.writer.write(data)
            return
        self.waiting = False
        if self.io.writer is self:
            self.io.writer = self.writer
        if data != ESTABLISHED:
            # Refused, when the client was told otherwise.
            self.writer.transport.abort()
