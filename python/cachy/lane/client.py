"""One client's connection, from its first byte on."""

import asyncio
from functools import partial

from cachy._core import Turn
from cachy.lane.arriving import Arriving
from cachy.lane.records import Ended

#: Bytes of a large body that are read, encrypted and sent at once, between which others have their turn.
PIECE = 64 * 1024
#: Bytes that a client may send ahead before no more are read from it.
AHEAD = 256 * 1024


class ClientLane(Arriving):
    """Serves what the tree has."""

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
        self.data_received(b"")
        if self.take == self.greet:
            self.fail_handshake()
        elif self.take != self.pass_on and (left := self.lane.drain()):
            self.hand_over(left)
        self.end()
        self.tell(self.inner.eof_received)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.early = b""
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
        if self.multiplex is not None:
            self.listen()
            self.go_on()
        elif self.body is not None:
            self.pump()
        elif self.held:
            self.serve(b"")
            self.catch_up()

    # Requests.

    def serve(self, data: bytes) -> None:
        """Requests, as far as they are read."""
        while True:
            turn, out, body, rest = self.lane.take(data)
            if out:
                self.served = True
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
            self.close()

    def decrypt(self, data: bytes) -> None:
        """Requests in TLS."""
        assert self.records
        try:
            plain = self.records.decrypt(data)
        except Ended:
            self.end_tls()
        else:
            if plain:
                self.serve(plain)
            if self.records.ended and self.take == self.decrypt:
                self.end_tls()

    def end_tls(self) -> None:
        """The client has ended TLS, or has broken it."""
        if self.multiplex is not None:
            super().end_tls()
        elif self.handed is None and not self.lane.pending:
            self.end()
            self.inner.eof_received()
        else:
            # mitmproxy finds it as well.
            self.hand_over(self.lane.drain())

    # Large bodies.

    def pump(self) -> None:
        """Sends the next piece of a body, and lets others have their turn."""
        if self.body is None or self.full:
            return
        try:
            piece = self.body.read(PIECE)
        except (EOFError, OSError):
            # Somebody cut the file short.
            self.close()
            return
        assert isinstance(piece, bytes)
        if piece:
            self.send(piece)
            # Else it goes on when the socket takes more.
            if not self.full:
                asyncio.get_running_loop().call_soon(self.pump)
        else:
            self.body = None
            self.attend()
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
