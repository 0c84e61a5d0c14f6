"""One client's connection, from its first byte on."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from mitmproxy.connection import Client
from OpenSSL import SSL

from cachy._core import Body, Lane, Turn
from cachy.downstream import DownstreamHttp1
from cachy.lane.handover import HandedOver
from cachy.lane.handshake import Handshake, Progress
from cachy.lane.mute import ESTABLISHED, Mute
from cachy.lane.secure import Security

#: Bytes of a large body that are read, encrypted and sent at once.
PIECE = 256 * 1024
#: Bytes that wait for the client's socket before the lane makes no more, and before it goes on.
HIGH, LOW = PIECE, PIECE // 4
#: Bytes that a client may send ahead before no more are read from it.
AHEAD = 256 * 1024
#: A record of TLS has so many bytes, and what is around them fits into so many (RFC 8446 section 5).
RECORD, OVERHEAD = 16384, 256
#: Seconds of silence in a new tunnel, after which mitmproxy has to see whether the server speaks first.
SILENCE = 0.15
#: The first byte of TLS (RFC 8446 section 5.1).
HANDSHAKE = 0x16


class ClientLane(asyncio.Protocol):
    """Stands between a client's transport and mitmproxy's reader.

    `take` is what becomes of the bytes that come in. They are mitmproxy's once the lane isn't for them;
    as soon as mitmproxy has answered and waits for a request, they come to the lane first.
    """

    def __init__(
        self,
        client: Client,
        handler: Any,
        lane: Lane,
        security: Callable[[], Security],
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
        self.handshake: Handshake | None = None
        #: The TLS connection as mitmproxy gets it.
        self.handed: HandedOver | None = None
        self.given = False
        #: What is to be told to mitmproxy once it knows all else.
        self.untold: list[Callable[[], object]] = []
        #: The CONNECT, and whereto.
        self.record = b""
        self.host = ""
        self.silence: asyncio.TimerHandle | None = None
        #: mitmproxy knows nothing of the tunnel, or of TLS.
        self.unknown = False
        #: The connection is mitmproxy's to its end.
        self.over = False
        self.body: Body | None = None
        #: What came while a body is being sent.
        self.ahead = bytearray()
        #: The socket takes no more for now.
        self.full = False
        #: Nothing is read from the client for now.
        self.held = False
        self.transport.set_write_buffer_limits(HIGH, LOW)
        self.transport.set_protocol(self)
        # What came in the meantime, and mitmproxy has not read yet.
        buffer = self.io.reader._buffer
        self.early = bytes(buffer)
        buffer.clear()
        if self.early:
            asyncio.get_running_loop().call_soon(self.data_received, b"")

    # What the transport says.

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        self.handler.timeout_watchdog.register_activity()
        if self.early:
            data, self.early = self.early + data, b""
        if data:
            self.take(data)

    def eof_received(self) -> bool:
        """The client sends no more."""
        if self.take == self.greet:
            self.fail_handshake()
        elif self.take != self.pass_on and (left := self.lane.drain()):
            self.hand_over(left)
        self.end()
        self.tell(self.inner.eof_received)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.end()
        self.tell(partial(self.inner.connection_lost, exc))

    def pause_writing(self) -> None:
        """Enough waits for the socket."""
        self.full = True
        if self.take != self.pass_on:
            # Who doesn't read isn't listened to either.
            self.hold()
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """The socket takes more."""
        self.full = False
        self.handler.timeout_watchdog.register_activity()
        self.inner.resume_writing()
        if self.body is not None:
            self.pump()
        elif self.held:
            self.serve(b"")
            self.catch_up()

    # What becomes of the bytes.

    def begin(self, data: bytes) -> None:
        """The first bytes of a connection."""
        if self.client.error or self.is_own():
            self.give_up(data)
        elif self.client.proxy_mode.type_name == "transparent" and data[0] == HANDSHAKE:
            address = self.handler.layer.context.server.address
            self.unknown = True
            self.expect_hello(str(address[0]), data)
        else:
            self.take = self.serve
            self.serve(data)

    def pass_on(self, data: bytes) -> None:
        """Bytes for mitmproxy, unless it waits for the next request."""
        if self.over or not self.is_idle():
            self.inner.data_received(data)
        else:
            self.take = self.serve if self.tls is None else self.decrypt
            self.take(data)

    def is_idle(self) -> bool:
        """Whether mitmproxy has read all that came, and has answered all that it was asked."""
        if self.http is None or (self.handed is not None and not self.handed.is_settled):
            return False
        server: Any = self.http.connections.get(self.client)
        return (
            type(server) is DownstreamHttp1
            and server.state == server.read_headers
            and not server.buf
            and not self.io.reader._buffer
        )

    def serve(self, data: bytes) -> None:
        """Requests, as far as they are read."""
        while True:
            turn, out, body, rest = self.lane.take(data)
            if out:
                self.send(out)
            if turn == Turn.More:
                return
            if turn != Turn.Again:
                break
            if self.full:
                return
            data = b""
        if turn == Turn.Body:
            self.body = body
            self.take = self.keep
            self.pump()
        elif turn == Turn.Slow:
            self.hand_over(rest)
        elif turn == Turn.Connect:
            self.connect(rest)
        else:
            self.end()
            self.transport.close()

    def decrypt(self, data: bytes) -> None:
        """Requests in TLS."""
        tls = self.tls
        assert tls
        tls.bio_write(data)
        try:
            plain = tls.recv(RECORD)
        except SSL.WantReadError:
            return
        except SSL.Error:
            self.end_tls()
            return
        # To ask for another record would cost an exception; nearly always there is just one.
        if len(data) != 5 + (data[3] << 8 | data[4]):
            plain += read_all(tls)
        self.serve(plain)

    def end_tls(self) -> None:
        """The client has ended TLS, or has broken it."""
        if self.unknown and not self.lane.pending:
            self.end()
            self.inner.eof_received()
        else:
            # mitmproxy finds it as well.
            self.hand_over(self.lane.drain())

    def send(self, out: bytes) -> None:
        """Bytes for the client."""
        if self.tls is not None:
            size = len(out)
            try:
                self.tls.sendall(out)
                out = self.tls.bio_read(size + OVERHEAD * (size // RECORD + 1))
            except SSL.Error:
                return  # The client has ended TLS, and is about to leave.
        self.transport.write(out)

    # Large bodies.

    def pump(self) -> None:
        """Sends the next piece of a body, and lets others have their turn."""
        if self.body is None or self.full:
            return
        try:
            piece = self.body.read(PIECE)
        except (EOFError, OSError):
            # Somebody cut the file short.
            self.end()
            self.transport.close()
            return
        if piece:
            self.send(piece)
            asyncio.get_running_loop().call_soon(self.pump)
        else:
            self.body = None
            self.take = self.serve if self.tls is None else self.decrypt
            self.serve(b"")
            self.catch_up()

    def keep(self, data: bytes) -> None:
        """Bytes that come while a body is being sent."""
        self.ahead += data
        if len(self.ahead) > AHEAD:
            self.hold()

    def catch_up(self) -> None:
        """Goes on with what came meanwhile."""
        if self.ahead and self.body is None:
            data = bytes(self.ahead)
            self.ahead.clear()
            self.take(data)
        if self.body is None and not (self.full and self.take != self.pass_on):
            self.listen()

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

    # CONNECT and TLS.

    def connect(self, record: bytes) -> None:
        """A CONNECT, and what came with it."""
        head = record.index(b"\r\n\r\n") + 4
        self.record, rest = record[:head], record[head:]
        self.host = self.lane.host
        self.unknown = True
        self.transport.write(ESTABLISHED)
        self.take = self.enter_tunnel
        if rest:
            self.enter_tunnel(rest)
        else:
            loop = asyncio.get_running_loop()
            self.silence = loop.call_later(SILENCE, self.give_up, b"")

    def enter_tunnel(self, data: bytes) -> None:
        """The first bytes in a tunnel."""
        self.break_silence()
        if data[0] == HANDSHAKE:
            self.expect_hello(self.host, data)
        else:
            self.give_up(data)

    def break_silence(self) -> None:
        """Somebody has spoken, or has left."""
        if self.silence is not None:
            self.silence.cancel()
            self.silence = None

    def expect_hello(self, host: str, data: bytes) -> None:
        """The beginning of TLS."""
        try:
            self.handshake = self.security().accept(host)
        except ValueError:
            self.give_up(data)
        else:
            self.take = self.greet
            self.greet(data)

    def greet(self, data: bytes) -> None:
        """The handshake."""
        handshake = self.handshake
        assert handshake
        flight, progress = handshake.receive(data)
        if flight:
            self.transport.write(flight)
        if progress is Progress.UNSUITED:
            self.handshake = None
            self.give_up(handshake.said)
        elif progress is Progress.FAILED:
            self.fail_handshake()
        elif progress is Progress.DONE:
            self.tls = handshake.connection
            self.lane.tunnel(handshake.hello.sni)
            self.take = self.decrypt
            if plain := read_all(self.tls):
                self.serve(plain)

    def fail_handshake(self) -> None:
        """Lets mitmproxy tell why."""
        handshake = self.handshake
        assert handshake
        if handshake.answered:
            self.tls = handshake.connection
            self.hand_over(b"")
        else:
            self.give_up(handshake.said)

    # On to mitmproxy.

    def retire(self, closed: Lane) -> None:
        """The options are others: what is asked from now on goes by them, which is mitmproxy's way.

        Args:
            closed: A lane that lets nothing pass.
        """
        left = self.lane.drain()
        self.tell_run()
        self.lane = closed
        if self.take == self.pass_on:
            self.over = True
        elif left:
            self.serve(left)

    def tell_run(self) -> None:
        """Says which run the client has named."""
        if (run := self.lane.run) is not None:
            self.note_run(run)

    def give_up(self, data: bytes) -> None:
        """From here on all is mitmproxy's, as if it had had it from the beginning."""
        self.over = True
        self.hand_over(data)

    def hand_over(self, data: bytes) -> None:
        """Lets mitmproxy go on.

        Args:
            data: What it has not seen, decrypted where there is TLS.
        """
        self.take = self.pass_on
        self.tell_run()
        if self.unknown and self.record:
            Mute(self.io)
        if self.tls is None:
            self.inner.data_received(self.record + data)
        elif self.handed is None:
            assert self.handshake
            self.handed = HandedOver(self.tls, self.handshake, data, self.settle)
            self.inner.data_received(self.record + self.handshake.said)
        else:
            self.inner.data_received(self.handed.leave(data))
        self.unknown = False
        self.record = b""
        self.handshake = None

    def tell(self, end: Callable[[], object]) -> None:
        """Tells mitmproxy of the end, which it is not to hear before it knows of the beginning."""
        if self.handed is None or self.handed.is_settled:
            end()
        else:
            self.untold.append(end)

    def settle(self) -> None:
        """mitmproxy knows what has happened so far."""
        loop = asyncio.get_running_loop()
        for end in self.untold:
            loop.call_soon(end)
        self.untold.clear()

    def give_tls(self) -> HandedOver | None:
        """The TLS connection for mitmproxy's layer; `None`: it makes its own, or one inside, of which
        the lane knows nothing.
        """
        if self.handed is None or self.given:
            self.end()
            return None
        self.given = True
        return self.handed

    def end(self) -> None:
        """Nothing more is for the lane."""
        self.break_silence()
        self.body = None
        self.over = True
        self.take = self.pass_on


def read_all(tls: SSL.Connection) -> bytes:
    """All that can be read now. What ends the connection is found again by whoever reads next."""
    pieces = []
    try:
        while True:
            pieces.append(tls.recv(RECORD))
    except SSL.Error:
        return b"".join(pieces)
