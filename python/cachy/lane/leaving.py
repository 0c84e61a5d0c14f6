"""The way on to mitmproxy's layers, and back."""

import asyncio
from collections.abc import Callable
from typing import Any

from cachy._core import Lane
from cachy.downstream import DownstreamHttp1
from cachy.lane.between import Between
from cachy.lane.handover import HandedOver
from cachy.lane.mute import Mute


class Leaving(Between):
    """Gives a connection to mitmproxy as if it had had it from the beginning, and takes it again."""

    def pass_on(self, data: bytes) -> None:
        """Bytes for mitmproxy, unless it waits for the next request."""
        if self.over or not self.is_idle():
            self.inner.data_received(data)
        else:
            self.attend()
            self.take(data)

    def attend(self) -> None:
        """What comes next is a request."""
        self.take = self.serve if self.tls is None else self.decrypt

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
        if self.record:
            Mute(self.io)
        if self.tls is None:
            self.inner.data_received(self.record + data)
        elif self.handed is None:
            assert self.handshake
            self.handed = self.stand_in(data)
            self.inner.data_received(self.record + self.handshake.said)
        else:
            self.inner.data_received(self.handed.leave(data))
        self.record = b""
        self.handshake = None

    def stand_in(self, plain: bytes) -> HandedOver:
        """What mitmproxy gets in the place of the TLS connection.

        Args:
            plain: What it has not seen, decrypted.
        """
        assert self.tls and self.handshake
        return HandedOver(self.tls, self.handshake, plain, self.settle)

    def give_tls(self) -> HandedOver | None:
        """The TLS connection for mitmproxy's layer; `None`: it makes its own, or one inside, of which
        the lane knows nothing.
        """
        if self.handed is None or self.given:
            self.end()
            return None
        self.given = True
        return self.handed

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

    def end(self) -> None:
        """Nothing more is for the lane."""
        self.break_silence()
        self.body = None
        self.over = True
        self.take = self.pass_on
