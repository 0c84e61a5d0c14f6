"""HTTP layers that stream both ways: hooks alone can only send a response in one block.

Bodies go to the client piece by piece, from a file of the tree or from one that is still growing,
at the client's pace; upstream's bytes come in at upstream's pace.
"""

import logging
import time
from collections.abc import MutableMapping
from typing import Any

from mitmproxy import flow, http
from mitmproxy.proxy import commands, events, layer, layers
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import DropStream, HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import (
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)
from mitmproxy.proxy.layers.http._hooks import (
    HttpErrorHook,
    HttpResponseHeadersHook,
    HttpResponseHook,
)
from mitmproxy.proxy.layers.http._http2 import Http2Server
from mitmproxy.proxy.layers.tls import ServerTLSLayer
from OpenSSL import SSL

from cachy import room
from cachy._core import Body
from cachy.compat import break_off, builtin, give_up
from cachy.transaction import Transaction

logger = logging.getLogger(__name__)

Transactions = MutableMapping[http.HTTPFlow, Transaction]

#: Bytes that are read and sent at once.
CHUNK = 256 * 1024
#: Bytes for one client before the others have their turn.
SLICE = 512 * 1024
#: Bytes from upstream that wait in memory before reading from it stops, and goes on.
BACKLOG_HIGH, BACKLOG_LOW = 1024 * 1024, 256 * 1024


def take_over(nextlayer: layer.NextLayer, transactions: Transactions) -> None:
    """Asks mitmproxy which layer comes next, and makes it ours where it is HTTP."""
    builtin("nextlayer").next_layer(nextlayer)
    found: Any = nextlayer.layer
    while found is not None:
        if type(found) is layers.HttpLayer:
            # It stands in its context's stack already, and has not begun: only its kind changes.
            found.__class__ = CachyHttpLayer
            assert isinstance(found, CachyHttpLayer)
            found.transactions = transactions
            found.starved = set()
        found = getattr(found, "child_layer", None)


class WindowOpened(events.Event):
    """The client's HTTP/2 window let through what was waiting for it."""


class TooSlow(events.Event):
    """Upstream let its deadline pass."""


class CachyHttpLayer(layers.HttpLayer):
    """HTTP whose streams are ours."""

    transactions: Transactions
    starved: set[int]

    def make_stream(self, stream_id: int) -> CommandGenerator[None]:
        """As the original, with our kind of stream."""
        stream = CachyStream(self.context.fork(), stream_id, self)
        self.streams[stream_id] = stream
        yield from self.event_to_child(stream, events.Start())

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        yield from super()._handle_event(event)
        if self.starved and isinstance(event, events.ConnectionEvent):
            for stream_id in list(self.starved):
                waiting = self.streams.get(stream_id)
                if waiting is None or not self.is_window_closed(stream_id):
                    self.starved.discard(stream_id)
                    if waiting is not None:
                        yield from self.event_to_child(waiting, WindowOpened())

    def is_window_closed(self, stream_id: int) -> bool:
        """Whether bytes of this stream wait for the client's HTTP/2 window."""
        connection = self.connections.get(self.context.client)
        if not isinstance(connection, Http2Server):
            return False
        return bool(connection.h2_conn.stream_buffers.get(stream_id))


class CachyStream(HttpStream):
    """One request and its response."""

    source: Body | None = None
    awaited_room: room.CachyRoomHook | None = None
    deadline: commands.RequestWakeup | None = None
    connecting = False
    abandoned: commands.Command | None = None
    upstream_over = False
    held = False

    def __init__(self, context: Any, stream_id: int, parent: CachyHttpLayer) -> None:
        super().__init__(context, stream_id)
        self.parent = parent

    @property
    def transaction(self) -> Transaction | None:
        """What the addon knows of this flow."""
        current = getattr(self, "flow", None)
        return None if current is None else self.parent.transactions.get(current)

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        """As the original, but a deadline also ends the wait for a connection."""
        if isinstance(event, events.Wakeup):
            if event.command is self.deadline:
                self.deadline = None
                if self.connecting and self._paused is not None:
                    # A layer can't cancel a command that it waits for, so we stop waiting.
                    self.abandoned = self._paused.command
                    self._paused = None
                yield from super().handle_event(TooSlow())
        elif isinstance(event, events.CommandCompleted) and event.command is self.abandoned:
            pass
        else:
            yield from super().handle_event(event)

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.HookCompleted) and event.command is self.awaited_room:
            self.awaited_room = None
            yield from self.pump()
        elif isinstance(event, WindowOpened):
            yield from self.pump()
        elif isinstance(event, TooSlow):
            yield from self.too_slow()
        elif self.upstream_over and isinstance(
            event, ResponseHeaders | ResponseData | ResponseTrailers | ResponseEndOfMessage
        ):
            pass  # We gave up on it.
        else:
            yield from super()._handle_event(event)

    # Towards upstream.

    def make_server_connection(self) -> CommandGenerator[bool]:
        """As the original, within the deadlines that the core sets."""
        forward = None if self.transaction is None else self.transaction.forward
        if forward is None or forward.deadlines is None:
            return (yield from super().make_server_connection())
        connect, head = forward.deadlines
        self.connecting = True
        self.deadline = commands.RequestWakeup(connect)
        yield self.deadline
        connected: bool = yield from super().make_server_connection()
        self.connecting = False
        self.deadline = None
        if connected:
            self.deadline = commands.RequestWakeup(head)
            yield self.deadline
        return connected

    def too_slow(self) -> CommandGenerator[None]:
        """Answers from the tree in the place of an origin that takes too long."""
        self.upstream_over = True
        if self.connecting:
            self.connecting = False
            yield from self.answer_failure("no connection in time")
        else:
            yield SendHttp(give_up(self.stream_id, "too slow"), self.context.server)
            yield from self.answer_failure("no answer in time")

    def answer_failure(self, reason: str) -> CommandGenerator[None]:
        """Answers what the core has for a request that upstream failed."""
        transaction = self.transaction
        assert transaction
        self.deadline = None
        transaction.answer(self.flow, transaction.exchange.failed(reason))
        yield HttpResponseHeadersHook(self.flow)
        if (yield from self.check_killed(True)):
            return
        yield from self.send_response()

    # From upstream.

    def state_wait_for_response_headers(self, event: ResponseHeaders) -> CommandGenerator[None]:
        """As the original, but the body goes through the core."""
        self.deadline = None
        transaction = self.transaction
        if transaction is None or event.response.status_code == 101:
            yield from super().state_wait_for_response_headers(event)
            return
        self.flow.response = event.response
        transaction.upstream = True
        if not event.end_stream and (yield from self.check_body_size(False)):
            return
        if (yield from self.check_invalid(False)):
            return
        yield HttpResponseHeadersHook(self.flow)
        if (yield from self.check_killed(True)):
            return
        if transaction.streamed is not None:
            self.source = transaction.streamed.body
            self.flow.response.stream = True
            head = ResponseHeaders(self.stream_id, self.flow.response, end_stream=False)
            yield SendHttp(head, self.context.client)
            self.server_state = self.state_body
        elif event.end_stream:
            self.server_state = self.state_end
        else:
            # Nobody wants the body of an error that isn't passed on.
            self.upstream_over = True
            yield SendHttp(give_up(self.stream_id, "not needed"), self.context.server)
            yield from self.send_response()

    def state_end(self, event: events.Event) -> CommandGenerator[None]:
        """Upstream's answer has no body and is replaced: waits for its end alone."""
        if isinstance(event, ResponseEndOfMessage):
            self.upstream_over = True
            yield from self.send_response()

    def state_body(self, event: events.Event) -> CommandGenerator[None]:
        """Upstream's body goes to the core; the client reads it from there."""
        transaction, response = self.transaction, self.flow.response
        assert transaction and response
        if isinstance(event, ResponseData):
            try:
                self.hold(transaction.exchange.write(event.data))
            except OSError as error:
                yield SendHttp(give_up(self.stream_id, "unreadable"), self.context.server)
                yield from self.break_off(f"the body can't be decoded: {error}")
                return
            yield from self.pump()
        elif isinstance(event, ResponseTrailers):
            if self.flow.request.is_http2 or self.flow.request.is_http3:
                response.trailers = event.trailers
        else:
            if not transaction.exchange.end(clean=self.ended_cleanly()):
                yield from self.break_off("the body is not whole")
                return
            self.upstream_over = True
            response.timestamp_end = time.time()
            yield HttpResponseHook(self.flow)
            self.server_state = self.state_done
            if (yield from self.check_killed(False)):
                self.forget()
                return
            transaction.exchange.close(whole=True)
            yield from self.pump()

    def hold(self, backlog: int) -> None:
        """Stops reading from upstream while too much waits for a slow client, and goes on."""
        if not self.held and backlog > BACKLOG_HIGH:
            self.held = True
            room.hold(self.context.client, self.context.server, reading=False)
        elif self.held and backlog < BACKLOG_LOW:
            self.held = False
            room.hold(self.context.client, self.context.server, reading=True)

    def ended_cleanly(self) -> bool:
        """Whether the end of the body is the end that the origin meant, should the closing of the
        connection be all that tells it: with TLS, only `close_notify` does (RFC 9112 section 9.8).
        """
        server = self.context.server
        if not room.ended_cleanly(self.context.client, server):
            return False
        found: Any = self.parent.connections.get(server)
        stack = list(self.context.layers)
        while found is not None:
            stack.append(found)
            found = getattr(found, "child_layer", None)
        for candidate in stack:
            if isinstance(candidate, ServerTLSLayer) and candidate.conn is server and candidate.tls:
                return bool(candidate.tls.get_shutdown() & SSL.RECEIVED_SHUTDOWN)
        return not server.tls

    # Towards the client.

    def send_response(self, already_streamed: bool = False) -> CommandGenerator[None]:
        """As the original, but a large body is streamed."""
        transaction, response = self.transaction, self.flow.response
        body = None if transaction is None else transaction.body
        assert response
        if body is None or already_streamed or response.raw_content is not None:
            yield from super().send_response(already_streamed)
            return
        response.timestamp_end = time.time()
        yield HttpResponseHook(self.flow)
        self.server_state = self.state_done
        if (yield from self.check_killed(False)):
            self.forget()
            return
        self.source = body
        yield SendHttp(ResponseHeaders(self.stream_id, response, False), self.context.client)
        yield from self.pump()

    def pump(self) -> CommandGenerator[None]:
        """Sends what there is to send, as long as the client takes it."""
        if self.awaited_room is not None:
            return
        sent = 0
        while self.source is not None:
            if self.parent.is_window_closed(self.stream_id):
                self.parent.starved.add(self.stream_id)
                return
            if sent >= SLICE or not room.has_room(self.context.client):
                yield from self.await_room()
                return
            try:
                chunk = self.source.read(CHUNK)
            except (EOFError, OSError) as error:
                yield from self.break_off(str(error))
                return
            if self.held and self.transaction is not None:
                self.hold(self.transaction.exchange.backlog)
            if chunk is None:
                return  # More comes with upstream's next event.
            if not chunk:
                yield from self.finish()
                return
            sent += len(chunk)
            yield SendHttp(ResponseData(self.stream_id, chunk), self.context.client)

    def await_room(self) -> CommandGenerator[None]:
        """Has `pump` called again when the client's socket has room."""
        hook: Any = room.CachyRoomHook(room.Room(self.context.client))
        # Not True: this stream goes on taking events while it waits, and still gets the reply.
        hook.blocking = self
        self.awaited_room = hook
        yield hook

    def finish(self) -> CommandGenerator[None]:
        """The body has been sent."""
        self.forget()
        assert self.flow.response
        if self.flow.response.trailers:
            trailers = ResponseTrailers(self.stream_id, self.flow.response.trailers)
            yield SendHttp(trailers, self.context.client)
        if self.client_state == self.state_done:
            yield from self.flow_done()

    def flow_done(self) -> CommandGenerator[None]:
        """As the original, but not before the body has been sent."""
        if self.source is None:
            yield from super().flow_done()

    # What goes wrong.

    def break_off(self, reason: str) -> CommandGenerator[None]:
        """Ends the response in the middle, so that the client knows that it isn't whole."""
        logger.warning(f"cachy: {self.flow.request.pretty_url} breaks off: {reason}")
        self.forget()
        finished = self.server_state == self.state_done
        self.upstream_over = True
        if not finished:
            self.flow.error = flow.Error(reason)
            yield HttpErrorHook(self.flow)
        yield SendHttp(break_off(self.stream_id, reason), self.context.client)
        self.client_state = self.server_state = self.state_errored
        self.flow.live = False
        yield DropStream(self.stream_id)

    def handle_protocol_error(
        self, event: RequestProtocolError | ResponseProtocolError
    ) -> CommandGenerator[None]:
        """As the original, but an upstream that fails before its answer may be answered for."""
        if isinstance(event, ResponseProtocolError):
            if self.upstream_over:
                return
            if self.transaction is not None and not self.flow.response:
                self.upstream_over = True
                if self.client_state == self.state_done:
                    yield from self.answer_failure(event.message)
                else:
                    yield from self.answer_upload(event)
                return
        self.forget()
        yield from super().handle_protocol_error(event)

    def answer_upload(self, event: ResponseProtocolError) -> CommandGenerator[None]:
        """Tells a client that is still sending that upstream can't be reached."""
        transaction = self.transaction
        assert transaction
        transaction.answer(self.flow, transaction.exchange.failed(event.message))
        response = self.flow.response
        assert response and response.raw_content
        response.headers["Connection"] = "close"
        self.flow.error = flow.Error(event.message)
        yield HttpErrorHook(self.flow)
        yield SendHttp(ResponseHeaders(self.stream_id, response, False), self.context.client)
        yield SendHttp(ResponseData(self.stream_id, response.raw_content), self.context.client)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)
        if not (self.flow.request.is_http2 or self.flow.request.is_http3):
            # What else the client sends belongs to this request, and nobody reads it.
            yield commands.CloseConnection(self.context.client)
        self.client_state = self.server_state = self.state_errored
        self.flow.live = False
        yield DropStream(self.stream_id)

    def forget(self) -> None:
        """Lets go of the body, and of the file behind it."""
        self.source = None
        if (transaction := self.transaction) is not None:
            transaction.body = transaction.streamed = None
        self.parent.starved.discard(self.stream_id)
