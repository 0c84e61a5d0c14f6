"""HTTP layers that stream both ways: hooks alone can only send a response in one block.

Bodies go to the client piece by piece, from a file of the tree or from one that is still growing,
at the client's pace; upstream's bytes come in at upstream's pace.
"""

from typing import Any

from mitmproxy.connection import Connection, Server
from mitmproxy.proxy import commands, events, layer, layers
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import GetHttpConnection, HTTPMode, RegisterHttpConnection
from mitmproxy.proxy.layers.http._http2 import Http2Server

from cachy.again import AskingAgain
from cachy.compat import builtin
from cachy.direct import DirectStream
from cachy.greeting import AwaitingGreeting
from cachy.lane.lanes import Lanes
from cachy.receiving import ReceivingStream
from cachy.sending import Shared, WindowOpened
from cachy.straight import StraightStream
from cachy.stream import CachyStream
from cachy.upstream import adopt, unclean


def take_over(nextlayer: layer.NextLayer, shared: Shared, lanes: Lanes) -> None:
    """Asks mitmproxy which layer comes next, and makes it ours where it is HTTP.

    Args:
        nextlayer: mitmproxy's question.
        shared: What all layers share.
        lanes: The fast lane, which is told of each layer for HTTP.
    """
    if lanes.is_http(nextlayer.context):
        nextlayer.layer = layers.HttpLayer(nextlayer.context, HTTPMode.transparent)
    else:
        builtin("nextlayer").next_layer(nextlayer)
    found: Any = nextlayer.layer
    while found is not None:
        if type(found) is layers.HttpLayer:
            make_ours(found, shared)
            lanes.note(found)
        found = getattr(found, "child_layer", None)


def make_ours(found: layers.HttpLayer, shared: Shared) -> None:
    """Makes a layer for HTTP one of ours."""
    # It stands in its context's stack already, and has not begun: only its kind changes.
    found.__class__ = CachyHttpLayer
    assert isinstance(found, CachyHttpLayer)
    found.shared = shared
    found.starved = set()
    found.abandoned = set()
    found.suspects = set()


class Stream(
    AskingAgain, AwaitingGreeting, DirectStream, ReceivingStream, StraightStream, CachyStream
):
    """A stream that also asks again, listens to servers that speak first, asks hosts directly
    behind another proxy, takes uploads, and tells who asks the proxy itself.
    """


class CachyHttpLayer(layers.HttpLayer):
    """HTTP whose streams are ours."""

    shared: Shared
    starved: set[int]
    #: What streams no longer wait for.
    abandoned: set[commands.Command]
    #: Connections that may be dead.
    suspects: set[Connection]

    def make_stream(self, stream_id: int) -> CommandGenerator[None]:
        """As the original, with our kind of stream."""
        stream = Stream(self.context.fork(), stream_id, self)
        self.streams[stream_id] = stream
        yield from self.event_to_child(stream, events.Start())

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        yield from super()._handle_event(event)
        if isinstance(event, events.Start):
            adopt(self.connections[self.context.client])
        if self.starved and isinstance(event, events.ConnectionEvent):
            for stream_id in list(self.starved):
                waiting = self.streams.get(stream_id)
                if waiting is None or not self.is_window_closed(stream_id):
                    self.starved.discard(stream_id)
                    if waiting is not None:
                        yield from self.event_to_child(waiting, WindowOpened())

    def get_connection(
        self, event: GetHttpConnection, *, reuse: bool = True
    ) -> CommandGenerator[None]:
        """As the original, but tries again what has failed for this client, or hangs."""
        own = self.context.server
        hidden = {
            connection: found
            for connection, found in self.connections.items()
            if connection is not own and self.is_hopeless(connection)
        }
        for connection in hidden:
            del self.connections[connection]
        if unclean and reuse:
            reuse = self.put_first(event)
        yield from super().get_connection(event, reuse=reuse)
        self.connections.update(hidden)
        # Most find a connection that is free, and need no deadline.
        waiting = self.command_sources.get(event)
        if isinstance(waiting, Stream) and (deadline := waiting.be_patient()) is not None:
            self.command_sources[deadline] = waiting
            yield deadline

    def put_first(self, event: GetHttpConnection) -> bool:
        """Has what may be stored go over a clean connection, and leaves those to it. Returns whether any
        may be used again.
        """
        waiting = self.command_sources[event]
        stores = isinstance(waiting, Stream) and waiting.stores()
        found = [c for c in self.connections if event.connection_spec_matches(c)]
        found.sort(key=lambda connection: (connection in unclean) == stores)
        for connection in found:
            self.connections[connection] = self.connections.pop(connection)
        return not stores or any(c not in unclean and self.is_usable(c) for c in found)

    def is_usable(self, connection: Connection) -> bool:
        """Whether mitmproxy would take it for another request."""
        return connection.connected or connection in self.waiting_for_establishment

    def is_hopeless(self, connection: Connection) -> bool:
        """Whether it has failed, or somebody stopped waiting for it, or on it."""
        waiting = self.waiting_for_establishment.get(connection, ())
        failed = isinstance(connection, Server) and connection.error is not None
        stopped = any(command in self.abandoned for command in waiting)
        return failed or stopped or connection in self.suspects

    def suspect(self, connection: Connection) -> None:
        """Nothing came on it in time: it may be dead, which nobody would tell."""
        self.suspects.add(connection)

    def abandon(self, command: commands.Command) -> CommandGenerator[None]:
        """A stream stops waiting for a connection, which is closed where nobody else does."""
        self.abandoned.add(command)
        for connection, waiting in self.waiting_for_establishment.items():
            if command in waiting and self.abandoned.issuperset(waiting):
                yield commands.CloseConnection(connection)
                return

    def register_connection(self, command: RegisterHttpConnection) -> CommandGenerator[None]:
        """As the original, with our kind of connection."""
        if not command.err:
            adopt(self.connections[command.connection])
        self.abandoned.difference_update(self.waiting_for_establishment[command.connection])
        yield from super().register_connection(command)

    def is_window_closed(self, stream_id: int) -> bool:
        """Whether bytes of this stream wait for the client's HTTP/2 window."""
        connection = self.connections.get(self.context.client)
        if not isinstance(connection, Http2Server):
            return False
        return bool(connection.h2_conn.stream_buffers.get(stream_id))
