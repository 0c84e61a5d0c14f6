"""The beginning of a client's connection: CONNECT, and TLS."""

import asyncio

from cachy.greeting import SILENCE, silent
from cachy.lane.handshake import Progress
from cachy.lane.multiplexing import Multiplexing
from cachy.lane.mute import ESTABLISHED
from cachy.lane.records import Records
from cachy.lane.secure import MULTIPLEXED

#: The first byte of TLS (RFC 8446 section 5.1).
HANDSHAKE = 0x16


class Arriving(Multiplexing):
    """Opens a tunnel, and shakes hands in it."""

    def begin(self, data: bytes) -> None:
        """The first bytes of a connection."""
        if self.client.error or self.is_own():
            self.give_up(data)
        elif self.client.proxy_mode.type_name == "transparent" and data[0] == HANDSHAKE:
            address = self.handler.layer.context.server.address
            self.expect_hello(str(address[0]), data)
        else:
            self.take = self.serve
            self.serve(data)

    def connect(self, record: bytes) -> None:
        """A CONNECT, and what came with it."""
        head = record.index(b"\r\n\r\n") + 4
        self.record, rest = record[:head], record[head:]
        self.host = self.lane.host
        self.brief = self.lane.brief
        self.transport.write(ESTABLISHED)
        self.take = self.enter_tunnel
        if rest:
            self.enter_tunnel(rest)
        else:
            loop = asyncio.get_running_loop()
            self.silence = loop.call_later(SILENCE / 2, self.be_silent)

    def be_silent(self) -> None:
        """Nobody has spoken: mitmproxy has to see whether the server does."""
        silent.add(self.client)
        self.give_up(b"")

    def enter_tunnel(self, data: bytes) -> None:
        """The first bytes in a tunnel."""
        self.break_silence()
        if data[0] == HANDSHAKE:
            self.expect_hello(self.host, data)
        else:
            self.give_up(data)

    def expect_hello(self, host: str, data: bytes) -> None:
        """The beginning of TLS."""
        try:
            security = self.security()
            if security is not None:
                self.handshake = security.accept(host, brief=self.brief)
        except ValueError:
            pass  # No name for a certificate.
        if self.handshake is None:
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
            self.records = Records(self.tls)
            self.lane.tunnel(handshake.hello.sni)
            if self.tls.get_alpn_proto_negotiated() == MULTIPLEXED:
                self.begin_multiplex()
            else:
                self.take = self.decrypt
                # What came with the end of the handshake.
                self.decrypt(b"")

    def fail_handshake(self) -> None:
        """Lets mitmproxy tell why."""
        handshake = self.handshake
        assert handshake
        if handshake.answered:
            self.tls = handshake.connection
            self.hand_over(b"")
        else:
            self.give_up(handshake.said)
