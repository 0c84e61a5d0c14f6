"""HTTP/2 with a client: hits are the lane's, and mitmproxy gets a connection of its own for the rest."""

import asyncio

from cachy._core import Lane, Multiplex
from cachy.lane.handover import HandedOver, Interposed
from cachy.lane.leaving import Leaving
from cachy.lane.records import Ended


class Multiplexing(Leaving):
    """Stands between the client and mitmproxy to the end of the connection."""

    multiplex: Multiplex | None = None
    #: It is about to go on by itself.
    going_on = False

    def begin_multiplex(self) -> None:
        """The handshake of TLS is over, and has chosen HTTP/2."""
        self.multiplex = self.lane.multiplex()
        self.attend()
        # What came with the end of the handshake.
        self.part(b"")

    def attend(self) -> None:
        """What comes next is a request."""
        if self.multiplex is None:
            super().attend()
        else:
            self.take = self.part

    def part(self, data: bytes) -> None:
        """Bytes of the client, encrypted."""
        assert self.records and self.multiplex
        try:
            plain = self.records.decrypt(data)
        except Ended:
            self.end_tls()
            return
        self.follow(self.multiplex.take(plain, not self.full))
        if self.records.ended and self.take == self.part:
            self.end_tls()

    def answer(self, data: bytes) -> None:
        """Bytes of mitmproxy, not encrypted."""
        if self.multiplex is not None and not self.transport.is_closing():
            self.follow(self.multiplex.answer(data, not self.full))

    def go_on(self) -> None:
        """Sends what there is to send, where the client takes it."""
        self.going_on = False
        if not (self.multiplex is None or self.full or self.transport.is_closing()):
            self.follow(self.multiplex.take(b"", True))

    def follow(self, turn: tuple[bytes, bytes, bool, bool]) -> None:
        """Does what the core says."""
        out, inner, more, over = turn
        if out:
            self.send(out)
        if inner:
            self.hand_over(inner)
            if not self.over:
                self.attend()
        if over:
            self.close()
        elif more and not (self.full or self.going_on):
            self.going_on = True
            asyncio.get_running_loop().call_soon(self.go_on)

    def end(self) -> None:
        """Nothing more is for the lane."""
        super().end()
        # With the files of its hits.
        self.multiplex = None

    def leave(self) -> None:
        """Closes the connection of a client that waits for nothing, and tells it so."""
        if self.multiplex is not None and not self.transport.is_closing():
            self.follow(self.multiplex.end(not self.full))
        super().leave()

    def owes(self) -> bool:
        """Whether the client waits for an answer that is not mitmproxy's."""
        return super().owes() or (self.multiplex is not None and not self.multiplex.is_idle)

    def end_tls(self) -> None:
        """The client has ended TLS, or has broken it."""
        self.end()
        self.tell(self.inner.eof_received)

    def close(self) -> None:
        """Closes once all is sent."""
        self.end()
        # Not at once: the transport may be in the middle of telling that there is room.
        asyncio.get_running_loop().call_soon(self.transport.close)

    def stand_in(self, plain: bytes) -> HandedOver:
        """What mitmproxy gets in the place of the TLS connection."""
        if self.multiplex is None:
            return super().stand_in(plain)
        assert self.tls and self.handshake
        return Interposed(self.tls, self.handshake, plain, self.settle, self.answer)

    def retire(self, closed: Lane) -> None:
        """The options are others: what is asked from now on goes by them, which is mitmproxy's way."""
        if self.multiplex is not None:
            self.multiplex.retire()
        super().retire(closed)
