"""The short way of a large body: from an origin's socket to the core and to its client's socket, past
mitmproxy's layers, which take longer for each piece than all else. What isn't plain, and the end of the
body, goes their way: after each piece they are where they would be, had it gone through them.
"""

import asyncio
from typing import Any

from h11._readers import ContentLengthReader
from mitmproxy.connection import Connection
from mitmproxy.proxy import events, layers
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.layers.http import HttpClient, HttpStream
from mitmproxy.proxy.tunnel import TunnelLayer, TunnelState

from cachy.bulk import ROOM, Bulk
from cachy.compat import builtin
from cachy.downstream import DownstreamHttp1
from cachy.intake import SIZE
from cachy.room import Inlet
from cachy.upstream import UpstreamHttp1

#: What passes a body on as it is, but for TLS.
TRANSPARENT = (
    modes.HttpProxy,
    modes.DestinationKnown,
    layers.ClientTLSLayer,
    layers.ServerTLSLayer,
    layers.HttpLayer,
    HttpStream,
    HttpClient,
)


class Express:
    """One body's."""

    def __init__(self, stream: Any, handler: Any, stack: list[Any]) -> None:
        """Begins.

        Args:
            stream: Where the body comes from upstream.
            handler: mitmproxy's, of the client's connection.
            stack: All layers that the body would go through, the origin's HTTP at last.
        """
        client, self.server = stream.context.client, stream.context.server
        self.stream, self.handler, self.stack, self.http = stream, handler, stack, stack[-1]
        self.inlet: Inlet = handler.transports[self.server].reader
        self.writer = handler.transports[client].writer
        self.upstream, self.downstream = tls_of(stack, self.server), tls_of(stack, client)
        self.http1_to_client = stream.parent.connections[client]
        self.over = False

    def take(self, piece: memoryview) -> bool:
        """Takes a piece as it came from the socket, and says whether it did."""
        stream = self.stream
        if not self.is_free(len(piece)):
            return False
        first = stream.pass_on(0)
        if not first and stream.awaited_room is None:
            # The stream has to learn that the client is behind, and waits for it then.
            return False
        self.handler.timeout_watchdog.register_activity()
        plain, well = piece, True
        if self.upstream is not None:
            plain, well = self.upstream.decrypt(piece)
        if plain:
            self.http.body_reader._remaining -= len(plain)
            first = first and stream.pass_on(len(plain))
            exchange = stream.transaction.exchange
            if first:
                self.send(plain)
            exchange.write(plain)
        if not well:
            self.wake()
        return True

    def is_free(self, size: int) -> bool:
        """Whether a piece may go past the layers now: all that came before is through them.

        Args:
            size: How many bytes it has, encrypted.
        """
        stream, http = self.stream, self.http
        return (
            self.inlet.waits
            and stream.server_state == stream.state_body
            and not (stream.head_waits or stream.client_gone or stream.held)
            and http.state == http.read_body
            and not http.buf
            # The end of the body is for the layers.
            and http.body_reader._remaining > size + ROOM - SIZE
            and not stream.transaction.exchange.backlog
            and all(layer._paused is None for layer in self.stack)
        )

    def send(self, plain: memoryview) -> None:
        """Sends to the client."""
        # The transport may keep it, and what it lies in is used again at once.
        out = bytes(plain) if self.downstream is None else self.downstream.encrypt(plain)
        if out and not self.writer.is_closing():
            self.writer.write(out)

    @property
    def is_clear(self) -> bool:
        """Whether all that was for the client before has been sent."""
        return not self.http1_to_client.head

    def wake(self) -> None:
        """The origin has ended TLS, has broken it, or wants an answer: mitmproxy finds it as well."""
        self.leave()
        again = events.DataReceived(self.server, b"")
        self.waking = asyncio.get_running_loop().create_task(self.handler.server_event(again))

    def leave(self) -> None:
        """What else comes from upstream is for the layers."""
        self.inlet.intake.taker = None


def board(stream: Any) -> None:
    """Sends the rest of a body the short way, where there is one.

    Args:
        stream: Where it comes from upstream.
    """
    context = stream.context
    handler: Any = builtin("proxyserver").connections.get(context.client.id)
    stack = list(context.layers)
    found: Any = stream.parent.connections.get(context.server)
    while found is not None:
        stack.append(found)
        found = getattr(found, "child_layer", None)
    if (
        handler is not None
        and carries_length(stream, stack[-1])
        and all(isinstance(layer, TRANSPARENT) for layer in stack[:-1])
        and all(speaks_http1(layer, context.client) for layer in stack)
        and all(is_open(handler, stack, each) for each in (context.client, context.server))
        and isinstance(inlet := handler.transports[context.server].reader, Inlet)
        and not inlet.reader.at_eof()
    ):
        stream.express = Express(stream, handler, stack)
        inlet.intake.taker = stream.express.take


def carries_length(stream: Any, http: Any) -> bool:
    """Whether a body is of a known length on both sides, so that nothing stands between its bytes."""
    return (
        isinstance(http, UpstreamHttp1)
        and isinstance(http.body_reader, ContentLengthReader)
        and "transfer-encoding" not in stream.flow.response.headers
    )


def speaks_http1(layer: Any, client: Connection) -> bool:
    """Whether HTTP is HTTP/1 towards the client, where this layer is for HTTP."""
    return not isinstance(layer, layers.HttpLayer) or isinstance(
        layer.connections.get(client), DownstreamHttp1
    )


def tunnels(stack: list[Any], connection: Connection) -> list[Any]:
    """What the bytes of a connection are wrapped in."""
    return [t for t in stack if isinstance(t, TunnelLayer) and t.tunnel_connection is connection]


def is_open(handler: Any, stack: list[Any], connection: Connection) -> bool:
    """Whether a connection is a socket's, plain or with one TLS around it."""
    io = handler.transports.get(connection)
    transport: Any = None if io is None else getattr(io.writer, "transport", None)
    if not hasattr(transport, "set_protocol") or transport.is_closing():
        return False
    found = tunnels(stack, connection)
    return not found or (len(found) == 1 and found[0].tunnel_state is TunnelState.OPEN)


def tls_of(stack: list[Any], connection: Connection) -> Bulk | None:
    """The TLS of a connection, None where it is plain."""
    found = tunnels(stack, connection)
    return Bulk(found[0].tls) if found else None
