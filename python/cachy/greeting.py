"""CONNECT to a server that may speak first, where a client that waits for it would wait for ever.

mitmproxy opens nothing before the client has spoken, so that a hit needs no origin. Where the client
stays silent we connect and listen, apart from all else: only a server that speaks makes it a tunnel.
A client that speaks after all, however late, goes the normal way.
"""

from typing import Any
from weakref import WeakSet

from mitmproxy.connection import Client, Server
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import HTTPMode, HttpStream
from mitmproxy.proxy.layers.http._events import RequestData, RequestEndOfMessage

#: Seconds of the client's silence after which we listen to the server.
SILENCE = 0.3
#: Clients that were silent in the fast lane, half of that time.
silent: "WeakSet[Client]" = WeakSet()
#: What servers say that wait for the client to speak, and lose patience: an HTTP error, a TLS alert.
IMPATIENT = (b"HTTP/", b"\x15\x03")


class AwaitingGreeting(HttpStream):
    """Listens to a server as long as nobody has spoken."""

    #: Nobody has spoken yet.
    undecided = False
    silence: commands.RequestWakeup | None = None
    opening: commands.OpenConnection | None = None
    #: The connection on which we listen.
    listening: Server | None = None

    def handle_connect_finish(self) -> CommandGenerator[None]:
        """As the original, and then the silence begins."""
        # Behind another proxy it is that one that would have to listen.
        direct = self.mode is HTTPMode.regular or self.context.server.via is None
        possible = direct and self.context.options.rawtcp
        self.undecided = possible and not self.context.server.connected
        # What the client has sent with its CONNECT is handled before the original returns.
        finish: Any = super().handle_connect_finish
        yield from finish()
        if self.undecided and self.flow.live:
            waited = self.context.client in silent
            self.silence = commands.RequestWakeup(SILENCE / 2 if waited else SILENCE)
            yield self.silence

    def passthrough(self, event: events.Event) -> CommandGenerator[None]:
        """As the original, once somebody has spoken."""
        if isinstance(event, events.Wakeup) and event.command is self.silence:
            if self.undecided:
                yield from self.listen()
        elif isinstance(event, events.CommandCompleted) and event.command is self.opening:
            pass  # An error is no news: the normal way finds out for itself, if it comes to that.
        elif isinstance(event, events.ConnectionEvent) and event.connection is self.listening:
            yield from self.heard(event)
        else:
            if self.undecided and isinstance(event, RequestData | RequestEndOfMessage):
                yield from self.stop_listening()
            yield from super().passthrough(event)

    def listen(self) -> CommandGenerator[None]:
        """Connects to the server, and holds up nothing meanwhile."""
        self.listening = Server(address=self.context.server.address)
        opening: Any = commands.OpenConnection(self.listening)
        # Not True: this stream goes on taking events while it waits, and still gets the reply.
        opening.blocking = self
        self.opening = opening
        yield opening

    def heard(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        """The server did something."""
        if self.undecided and self.is_greeting(event):
            self.undecided = False
            assert self.listening is not None
            self.context.server = self.listening
        elif self.undecided:
            yield from self.stop_listening()
        if self.context.server is self.listening:
            yield from super().passthrough(event)

    def is_greeting(self, event: events.ConnectionEvent) -> bool:
        """Whether the server spoke first, and not since it got tired of waiting."""
        return isinstance(event, events.DataReceived) and not event.data.startswith(IMPATIENT)

    def stop_listening(self) -> CommandGenerator[None]:
        """Leaves the server alone."""
        self.undecided = False
        if self.listening is not None:
            yield commands.CloseConnection(self.listening)
