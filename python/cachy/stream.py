"""One request and its response, on upstream's side."""

from typing import Any

from mitmproxy import flow
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import SendHttp
from mitmproxy.proxy.layers.http._events import (
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook, HttpResponseHeadersHook
from mitmproxy.proxy.layers.tls import ServerTLSLayer
from OpenSSL import SSL

from cachy import room
from cachy.compat import give_up
from cachy.sending import Parent, SendingStream, WindowOpened
from cachy.transaction import is_multiplexed


class TooSlow(events.Event):
    """Upstream let its deadline pass."""


class CachyStream(SendingStream):
    """Takes what upstream sends to the core."""

    #: The one that counts, and all that are still to ring.
    deadline: commands.RequestWakeup | None = None
    deadlines: list[commands.RequestWakeup]
    connecting = False
    abandoned: commands.Command | None = None
    head_waits = False

    def __init__(self, context: Any, stream_id: int, parent: Parent) -> None:
        super().__init__(context, stream_id, parent)
        self.deadlines = []

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        """As the original, but a deadline also ends the wait for a connection."""
        if isinstance(event, events.Wakeup) and event.command in self.deadlines:
            self.deadlines.remove(event.command)
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
        yield self.set_deadline(connect)
        connected: bool = yield from super().make_server_connection()
        self.connecting = False
        self.deadline = None
        if connected:
            yield self.set_deadline(head)
        return connected

    def set_deadline(self, seconds: float) -> commands.RequestWakeup:
        """The command that has `too_slow` called unless `deadline` is taken back before."""
        self.deadline = commands.RequestWakeup(seconds)
        self.deadlines.append(self.deadline)
        return self.deadline

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
            self.take(transaction.streamed.body)
            self.flow.response.stream = True
            self.server_state = self.state_body
            # A head without a body tells the client that all is there, so it comes last.
            self.head_waits = event.end_stream
            if not self.head_waits:
                yield from self.send_head()
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
            if is_multiplexed(self.flow.request):
                response.trailers = event.trailers
        else:
            if not transaction.exchange.end(clean=self.ended_cleanly()):
                yield from self.break_off("the body is not whole")
                return
            self.upstream_over = True
            if (yield from self.conclude()):
                return
            transaction.exchange.close(whole=True)
            if self.head_waits:
                yield from self.send_head()
            yield from self.pump()

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

    # What goes wrong.

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
        if not is_multiplexed(self.flow.request):
            # What else the client sends belongs to this request, and nobody reads it.
            yield commands.CloseConnection(self.context.client)
        yield from self.drop()
