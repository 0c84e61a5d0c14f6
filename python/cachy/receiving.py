"""Requests with a body to the proxy itself: it goes to the core as it comes, however large it is."""

import time

from mitmproxy import http
from mitmproxy.proxy import events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http._events import (
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
)
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook, HttpResponseHeadersHook

from cachy._core import Answer
from cachy.sending import SendingStream
from cachy.transaction import Transaction, is_multiplexed


class ReceivingStream(SendingStream):
    """Takes bodies itself."""

    def state_wait_for_request_headers(self, event: RequestHeaders) -> CommandGenerator[None]:
        """As the original; who is refused learns it before all of the body has come."""
        yield from super().state_wait_for_request_headers(event)
        if self.client_state == self.state_receive and self.flow.response:
            yield from self.answer_early()

    def start_request_stream(self) -> CommandGenerator[None]:
        """As the original, which would connect to a server."""
        transaction = self.transaction
        if transaction is not None and transaction.exchange.internal:
            self.client_state = self.state_receive
        else:
            yield from super().start_request_stream()

    def state_receive(self, event: events.Event) -> CommandGenerator[None]:
        """The body goes to the core, or to nobody when the answer has gone already."""
        transaction = self.transaction
        assert transaction
        if isinstance(event, RequestData):
            try:
                transaction.exchange.write(event.data)
            except OSError:
                answer = transaction.exchange.decide()
                assert isinstance(answer, Answer)
                transaction.answer(self.flow, answer)
                yield from self.answer_early()
        elif isinstance(event, RequestEndOfMessage):
            self.flow.request.timestamp_end = time.time()
            self.client_state = self.state_done
            if self.server_state == self.state_done:
                yield from self.flow_done()
                return
            yield HttpRequestHook(self.flow)
            if not (yield from self.check_killed(True)):
                yield from self.answer_visit()

    def answer_early(self) -> CommandGenerator[None]:
        """Answers while the body is still coming; a client that sees it need send no more."""
        assert self.flow.response
        if not is_multiplexed(self.flow.request):
            self.flow.response.headers["Connection"] = "close"
        yield from self.answer_visit()

    def answer_visit(self) -> CommandGenerator[None]:
        """Sends the answer, which is there."""
        assert self.flow.response
        self.flow.response.timestamp_start = time.time()
        yield HttpResponseHeadersHook(self.flow)
        if not (yield from self.check_killed(True)):
            yield from self.send_response()


def receive(flow: http.HTTPFlow, transaction: Transaction) -> None:
    """Begins with a request to the proxy itself that may have a body."""
    flow.request.stream = True
    step = transaction.exchange.decide()
    if isinstance(step, Answer):
        transaction.answer(flow, step)
        # Nobody is asked to send what isn't wanted (RFC 9110 section 10.1.1).
        flow.request.headers.pop("expect", None)
