"""The handshake of TLS with a client (RFC 8446 section 2)."""

from dataclasses import dataclass
from enum import Enum, auto

from OpenSSL import SSL

from cachy.lane.certificates import Certificates

#: Bytes that are taken from OpenSSL at once.
MOST = 65536


class Progress(Enum):
    """How far it is."""

    GOING = auto()
    DONE = auto()
    #: It failed, and the client has heard of it.
    FAILED = auto()
    #: This client isn't for the lane, and has heard nothing yet.
    UNSUITED = auto()


@dataclass
class Hello:
    """What is known of a client while it says hello."""

    certificates: Certificates
    #: Whereto it is connected, as far as it knows.
    host: str
    #: It gets HTTP/2 where it offers that.
    multiplexes: bool
    #: The name that it asks for.
    sni: str | None = None
    #: It isn't for the lane.
    unsuited: bool = False


class Handshake:
    """One handshake."""

    def __init__(self, connection: SSL.Connection, hello: Hello) -> None:
        self.connection = connection
        self.hello = hello
        #: What the client said before it was answered.
        self.said = b""
        self.answered = False
        self.error: SSL.Error | None = None

    def receive(self, data: bytes) -> tuple[bytes, Progress]:
        """What the client says.

        Args:
            data: Its bytes, not empty.

        Returns:
            What to answer, and how far it is.
        """
        if not self.answered:
            self.said += data
        self.connection.bio_write(data)
        progress = Progress.GOING
        try:
            self.connection.do_handshake()
            progress = Progress.DONE
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.error = error
            progress = Progress.FAILED
        if not self.answered and (self.error or self.hello.unsuited):
            return b"", Progress.UNSUITED
        flight = drain(self.connection)
        self.answered = self.answered or bool(flight)
        return flight, progress


def drain(connection: SSL.Connection) -> bytes:
    """What a connection has to send."""
    pieces = []
    try:
        while True:
            pieces.append(connection.bio_read(MOST))
    except SSL.WantReadError:
        return b"".join(pieces)
