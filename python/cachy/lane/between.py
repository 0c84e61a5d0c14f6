"""What stands between a client's transport and mitmproxy's reader: its state, and the way out."""

import asyncio
from collections.abc import Callable
from typing import Any

from mitmproxy.connection import Client
from OpenSSL import SSL

from cachy._core import Body, Lane
from cachy.lane.handover import HandedOver
from cachy.lane.handshake import Handshake
from cachy.lane.records import Records
from cachy.lane.secure import Security


class Between(asyncio.Protocol):
    """One client's connection.

    `take` is what becomes of the bytes that come in. They are mitmproxy's once the lane isn't for them;
    as soon as mitmproxy has answered and waits for a request, they come to the lane first.
    """

    def __init__(
        self,
        client: Client,
        handler: Any,
        lane: Lane,
        security: Callable[[], Security | None],
        is_own: Callable[[], bool],
        note_run: Callable[[str], None],
    ) -> None:
        """For a connection that has just been accepted, of which nothing has been read.

        Args:
            client: The client.
            handler: mitmproxy's, of this connection.
            lane: The core's.
            security: Where TLS comes from.
            is_own: Whether the client is the proxy itself.
            note_run: Told which run the client has named, should mitmproxy have to know.
        """
        self.client = client
        self.handler = handler
        self.lane = lane
        self.security = security
        self.is_own = is_own
        self.note_run = note_run
        self.io = handler.transports[client]
        self.transport: asyncio.Transport = self.io.writer.transport
        self.inner: Any = self.transport.get_protocol()
        self.take: Callable[[bytes], None] = self.begin
        #: mitmproxy's layer for the requests of this connection.
        self.http: Any = None
        self.tls: SSL.Connection | None = None
        self.records: Records | None = None
        self.handshake: Handshake | None = None
        #: The TLS connection as mitmproxy gets it.
        self.handed: HandedOver | None = None
        self.given = False
        #: Requests were answered, so that what follows is HTTP.
        self.served = False
        #: What is to be told to mitmproxy once it knows all else.
        self.untold: list[Callable[[], object]] = []
        #: The CONNECT, as long as mitmproxy knows nothing of it, and whereto.
        self.record = b""
        self.host = ""
        self.brief = False
        self.silence: asyncio.TimerHandle | None = None
        #: The connection is mitmproxy's to its end.
        self.over = False
        self.body: Body | None = None
        #: What came while a body is being sent.
        self.ahead = bytearray()
        #: The socket takes no more for now.
        self.full = False
        #: Nothing is read from the client for now.
        self.held = False
        self.transport.set_protocol(self)
        # What came in the meantime, and mitmproxy has not read yet.
        buffer = self.io.reader._buffer
        self.early = bytes(buffer)
        buffer.clear()
        if self.early:
            asyncio.get_running_loop().call_soon(self.data_received, b"")

    def begin(self, data: bytes) -> None:
        """The first bytes of a connection."""
        raise NotImplementedError

    def serve(self, data: bytes) -> None:
        """Requests, as far as they are read."""
        raise NotImplementedError

    def decrypt(self, data: bytes) -> None:
        """Requests in TLS."""
        raise NotImplementedError

    def send(self, out: bytes) -> None:
        """Bytes for the client."""
        if self.records is not None:
            out = self.records.encrypt(out)
        self.transport.write(out)

    def leave(self) -> None:
        """Closes the connection of a client that waits for nothing."""
        self.transport.close()

    def owes(self) -> bool:
        """Whether the client waits for an answer that is not mitmproxy's."""
        return self.body is not None

    def hold(self) -> None:
        """Reads no more from the client."""
        if not self.held:
            self.held = True
            self.transport.pause_reading()

    def listen(self) -> None:
        """Reads on."""
        if self.held:
            self.held = False
            self.transport.resume_reading()

    def break_silence(self) -> None:
        """Somebody has spoken, or has left."""
        if self.silence is not None:
            self.silence.cancel()
            self.silence = None
