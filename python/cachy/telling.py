"""A client that has already what upstream sends: it gets its answer at once, and the body is for the tree."""

from mitmproxy import flow
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import SendHttp
from mitmproxy.proxy.layers.http._events import ResponseEndOfMessage, ResponseHeaders
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook

from cachy._core import Answer, Streamed
from cachy.fetching import FetchingStream
from cachy.transaction import is_multiplexed

LENGTH = b"content-length"
#: A longer body is not waited for by the client's next request.
SHORT = 1024 * 1024


class TellingStream(FetchingStream):
    """Goes on with a body that its client doesn't need."""

    def tell(self, streamed: Streamed, answer: Answer) -> CommandGenerator[None]:
        """Sends the client its answer.

        Args:
            streamed: What upstream sends.
            answer: Which has no body.
        """
        transaction = self.transaction
        assert transaction
        transaction.answer(self.flow, answer)
        response = self.flow.response
        assert response
        # It goes on whatever becomes of the client.
        self.parent.shared.leads.begin(self.context.client.id, self)
        lengths = [int(value) for name, value in streamed.headers if name.lower() == LENGTH]
        alone = is_multiplexed(self.flow.request)
        if not alone and any(length > SHORT for length in lengths):
            response.headers["Connection"] = "close"
            alone = True
        yield SendHttp(ResponseHeaders(self.stream_id, response, True), self.context.client)
        if alone:
            self.client_gone = True
            yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)
        else:
            # What it asks next on this connection would meet the body on the connection to the origin.
            self.told = True

    def end_told(self, reason: str) -> CommandGenerator[None]:
        """The body has come to a bad end, of which the client doesn't know."""
        self.told = False
        self.upstream_over = True
        self.flow.error = flow.Error(reason)
        yield HttpErrorHook(self.flow)
        if not self.client_gone:
            yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)
        yield from self.drop()

    def no_body(self, reason: str) -> CommandGenerator[None]:
        """As the original, but a client that has its answer hears nothing of it."""
        if self.told:
            yield from self.end_told(reason)
        else:
            yield from super().no_body(reason)

    def give_up_fetch(self) -> CommandGenerator[None]:
        """As the original, but a client that waits for the end of its answer gets that."""
        if self.told:
            yield from self.end_told("nobody wants it any more")
        else:
            yield from super().give_up_fetch()
