"""One request and its response, on upstream's side."""

from math import isfinite
from typing import Any

from mitmproxy import flow, http
from mitmproxy.proxy import events
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

from cachy import express, room
from cachy._core import Ticket
from cachy.compat import give_up
from cachy.connecting import Left, TooSlow
from cachy.fetching import Look
from cachy.lingering import LingeringStream
from cachy.news import CachyNewsHook
from cachy.sending import WindowOpened
from cachy.telling import TellingStream
from cachy.transaction import is_multiplexed

#: A body of which so many bytes have come is worth a way of its own.
LARGE = 256 * 1024


class CachyStream(LingeringStream, TellingStream):
    """Takes what upstream sends to the core."""

    #: Bytes of the body that have come by the layers.
    came = 0

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        """As the original, but it also looks after a body when it is time."""
        if isinstance(event, events.HookCompleted) and event.command is self.looking:
            event = Look()
        yield from super().handle_event(event)

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.HookCompleted) and event.command is self.awaited_room:
            self.awaited_room = None
            yield from self.pump()
        elif isinstance(event, events.HookCompleted) and isinstance(event.command, CachyNewsHook):
            if event.command is self.awaited_news:
                self.awaited_news = None
            else:
                self.awaited_demand = None
            yield from self.on_news(event.command.ticket)
        elif isinstance(event, WindowOpened):
            yield from self.pump()
        elif isinstance(event, TooSlow):
            yield from self.too_slow()
        elif isinstance(event, Left):
            yield from self.give_up_fetch()
        elif isinstance(event, Look):
            yield from self.look()
        elif self.upstream_over and isinstance(
            event, ResponseHeaders | ResponseData | ResponseTrailers | ResponseEndOfMessage
        ):
            pass  # We gave up on it.
        else:
            yield from super()._handle_event(event)

    # Towards upstream.

    def too_slow(self) -> CommandGenerator[None]:
        """Answers from the tree in the place of an origin that takes too long."""
        self.upstream_over = True
        if self.connecting:
            self.connecting = False
            yield from self.answer_failure("no connection in time", connected=False)
        else:
            self.parent.suspect(self.context.server)
            yield SendHttp(give_up(self.stream_id, "too slow"), self.context.server)
            yield from self.answer_failure("no answer in time", connected=True)

    def answer_failure(self, reason: str, *, connected: bool) -> CommandGenerator[None]:
        """Answers what the core has for a request that upstream failed.

        Args:
            reason: For people.
            connected: There was a connection.
        """
        transaction = self.transaction
        assert transaction
        self.call_off()
        answer = transaction.exchange.failed(reason, connected=connected)
        if self.client_gone:
            yield from self.give_up_fetch()
            return
        transaction.answer(self.flow, answer)
        yield from self.send_instead()

    # From upstream.

    def state_wait_for_response_headers(self, event: ResponseHeaders) -> CommandGenerator[None]:
        """As the original, but the body goes through the core."""
        self.call_off()
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
        # A flow lives until Python finds that nobody needs it; the file behind a body shall not.
        streamed, transaction.streamed = transaction.streamed, None
        if (yield from self.check_killed(True)):
            return
        if transaction.again:
            transaction.again, transaction.upstream = False, False
            self.flow.response = None
            # Its end comes first, also where it has come already.
            self.server_state = self.state_before_again
        elif streamed is not None and (instead := streamed.instead) is not None:
            self.server_state = self.state_body
            if not self.client_gone:
                yield from self.tell(streamed, instead)
        elif streamed is not None:
            if not (self.client_gone or transaction.detached):
                self.take(streamed.body)
            self.flow.response.stream = True
            self.server_state = self.state_body
            # A head without a body tells the client that all is there, so it comes last.
            self.together = self.has_ended()
            self.head_waits = event.end_stream or streamed.hold is not None or self.together
            if streamed.hold is not None and isfinite(streamed.hold):
                self.looking = self.alarm(streamed.hold)
                yield self.looking
            elif not (self.head_waits or self.client_gone):
                yield from self.send_head()
        elif event.end_stream or self.has_ended():
            self.server_state = self.state_end
        else:
            # Nobody wants the body of an error that isn't passed on.
            self.upstream_over = True
            yield SendHttp(give_up(self.stream_id, "not needed"), self.context.server)
            yield from self.send_response()

    def has_ended(self) -> bool:
        """Whether all of upstream's answer came while a hook was waited for."""
        return any(isinstance(e, ResponseEndOfMessage) for e in self._paused_event_queue)

    def state_end(self, event: events.Event) -> CommandGenerator[None]:
        """Upstream's answer is replaced and all but over: waits for its end alone."""
        if isinstance(event, ResponseEndOfMessage):
            self.upstream_over = True
            yield from self.send_response()

    def state_body(self, event: events.Event) -> CommandGenerator[None]:
        """Upstream's body goes to the core; the client reads it from there."""
        transaction, response = self.transaction, self.flow.response
        assert transaction and response
        if isinstance(event, ResponseData):
            if self.source is not None and self.came < LARGE <= self.came + len(event.data):
                express.board(self)
            self.came += len(event.data)
            passed = not self.head_waits and self.pass_on(len(event.data))
            if passed:
                # First, since the disk may take its time.
                yield SendHttp(ResponseData(self.stream_id, event.data), self.context.client)
            try:
                transaction.exchange.write(event.data)
            except OSError as error:
                yield SendHttp(give_up(self.stream_id, "unreadable"), self.context.server)
                yield from self.no_body(f"the body can't be decoded: {error}")
                return
            if not (yield from self.refuse()):
                yield from self.arrived()
        elif isinstance(event, ResponseTrailers):
            if is_multiplexed(self.flow.request):
                fields = transaction.exchange.trailers(list(event.trailers.fields))
                response.trailers = http.Headers(fields)
        else:
            if self.express is not None:
                self.express.leave()
            if not transaction.exchange.end(clean=self.ended_cleanly()):
                yield from self.no_body("the body is not whole")
                return
            self.upstream_over = True
            if (yield from self.refuse()):
                return
            killed = yield from self.conclude()
            # It is stored, and others read it, whatever becomes of this client.
            transaction.exchange.close(whole=True)
            self.parent.shared.leads.end(self.context.client.id, self)
            if self.client_gone:
                yield from self.drop()
            elif not killed:
                if self.head_waits:
                    self.head_waits = False
                    yield from self.send_head(followed=True)
                yield from self.finish() if self.told else self.pump()

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
        transaction = self.transaction
        if isinstance(event, RequestProtocolError) and transaction is not None:
            self.forget()
            ticket = transaction.exchange.wanted() if self.is_fetching() else None
            if self.client_gone or ticket is not None:
                self.client_gone = True
                yield from self.await_demand(ticket or Ticket.rung())
                return
        if isinstance(event, ResponseProtocolError):
            if self.upstream_over:
                return
            if self.head_waits and transaction is not None and self.flow.response:
                yield from self.no_body(event.message)
                return
            if self.transaction is not None and not self.flow.response:
                self.upstream_over = True
                if self.client_state == self.state_done:
                    connected = not self.connecting
                    yield from self.answer_failure(event.message, connected=connected)
                else:
                    yield from self.answer_upload(event)
                return
            if (self.told or self.client_gone) and transaction is not None:
                yield from self.end_told(event.message)
                return
            if self.source is not None and transaction is not None:
                # What has come is the client's.
                self.upstream_over = True
                transaction.exchange.close(whole=False)
                self.parent.shared.leads.end(self.context.client.id, self)
                yield from self.pump()
                return
        self.forget()
        self.parent.shared.leads.end(self.context.client.id, self)
        yield from super().handle_protocol_error(event)

    def answer_upload(self, event: ResponseProtocolError) -> CommandGenerator[None]:
        """Tells a client that is still sending that upstream can't be reached."""
        transaction = self.transaction
        assert transaction
        answer = transaction.exchange.failed(event.message, connected=not self.connecting)
        transaction.answer(self.flow, answer)
        response = self.flow.response
        assert response and response.raw_content
        response.headers["Connection"] = "close"
        self.flow.error = flow.Error(event.message)
        yield HttpErrorHook(self.flow)
        yield SendHttp(ResponseHeaders(self.stream_id, response, False), self.context.client)
        yield SendHttp(ResponseData(self.stream_id, response.raw_content), self.context.client)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)
        yield from self.linger()
