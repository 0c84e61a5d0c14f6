"""A body that is being fetched: for the stream's own client, and for whoever reads along."""

from mitmproxy import flow
from mitmproxy.proxy import events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import SendHttp
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook, HttpResponseHeadersHook

from cachy._core import Answer, Ticket
from cachy.alarm import CachyAlarmHook
from cachy.compat import give_up
from cachy.connecting import ConnectingStream
from cachy.news import rescued


class Look(events.Event):
    """It is time to look whether a body flows."""


class FetchingStream(ConnectingStream):
    """Passes a body on as it arrives, and goes on without its client while others want it."""

    #: The client has not been sent the head yet.
    head_waits = False
    #: And will not be, before the body is whole: it has come already.
    together = False
    #: The client has its answer, but for the end of it, and doesn't need what upstream sends.
    told = False
    looking: CachyAlarmHook | None = None

    def arrived(self) -> CommandGenerator[None]:
        """Something of upstream's body has been written down."""
        transaction = self.transaction
        assert transaction
        exchange = transaction.exchange
        if self.head_waits and not self.together and exchange.flows:
            self.head_waits = False
            if not self.client_gone:
                yield from self.send_head()
        yield from self.keep_pace()
        if not self.head_waits:
            yield from self.pump()
        if self.client_gone or self.told or transaction.detached:
            yield from self.go_on_if_wanted()

    def on_news(self, ticket: Ticket) -> CommandGenerator[None]:
        """A wait for news of the flight that this stream leads, or reads, is over."""
        transaction = self.transaction
        if transaction is None:
            return
        before = self.pieces, self.held
        if self.held:
            yield from self.keep_pace()
        if not self.head_waits:
            yield from self.pump()
        if not ticket.has_rung and before != (self.pieces, self.held):
            rescued("a body on its way to a client")
        if self.client_gone or transaction.detached:
            yield from self.go_on_if_wanted()

    def look(self) -> CommandGenerator[None]:
        """Looks whether a body flows of which the client has seen nothing yet."""
        self.looking = None
        transaction = self.transaction
        if transaction is None or not self.head_waits or self.upstream_over:
            return
        found = transaction.exchange.look()
        if isinstance(found, float):
            self.looking = self.alarm(found)
            yield self.looking
        elif found is None:
            yield from self.arrived()
        else:
            self.parent.suspect(self.context.server)
            yield SendHttp(give_up(self.stream_id, "stalls"), self.context.server)
            yield from self.answer_back(found)

    def no_body(self, reason: str) -> CommandGenerator[None]:
        """The body has come to a bad end: what is stored stands in, or the client is told."""
        transaction = self.transaction
        assert transaction
        stored = transaction.exchange.give_back(reason) if self.head_waits else None
        if stored is None:
            if self.together and not self.client_gone:
                # A head whose body ends too soon says more than an error of the proxy's.
                yield from self.send_head()
            yield from self.break_off(reason)
        else:
            yield from self.answer_back(stored)

    def refuse(self) -> CommandGenerator[bool]:
        """Answers what is stored where the body turned out not to be what its name says. Returns whether it did."""
        transaction = self.transaction
        assert transaction
        stored = transaction.exchange.refused() if self.head_waits else None
        if stored is None:
            return False
        if not self.upstream_over:
            yield SendHttp(give_up(self.stream_id, "not wanted"), self.context.server)
        yield from self.answer_back(stored)
        return True

    def send_head(self, *, followed: bool = False) -> CommandGenerator[None]:
        """As for every answer, with what the body has told meanwhile."""
        transaction, response = self.transaction, self.flow.response
        restated = None if transaction is None else transaction.exchange.restated
        if restated is not None and response is not None:
            # The last one is ours.
            said = response.headers.get_all("Cache-Status")[:-1]
            response.headers.set_all("Cache-Status", [*said, restated])
        yield from super().send_head(followed=followed)

    def answer_back(self, stored: Answer) -> CommandGenerator[None]:
        """Answers what is stored in the place of a body of which the client has seen nothing."""
        transaction = self.transaction
        assert transaction
        self.forget()
        self.head_waits = False
        self.upstream_over = True
        if self.client_gone:
            yield from self.drop()
            return
        transaction.answer(self.flow, stored)
        yield from self.send_instead()

    def send_instead(self) -> CommandGenerator[None]:
        """Sends the answer that stands in the place of upstream's."""
        self.upstream_over = True
        self.parent.shared.leads.end(self.context.client.id, self)
        yield HttpResponseHeadersHook(self.flow)
        if (yield from self.check_killed(True)):
            return
        yield from self.send_response()

    # Without a client.

    def is_fetching(self) -> bool:
        """Whether this stream fetches for everybody, and is not through."""
        leads = self.parent.shared.leads.streams.get(self.context.client.id, ())
        return self in leads and not self.upstream_over

    def go_on_if_wanted(self) -> CommandGenerator[None]:
        """Goes on with a fetch whose client has gone as long as somebody wants it."""
        transaction = self.transaction
        assert transaction
        if self.upstream_over or self.server_state == self.state_errored:
            return
        if (ticket := transaction.exchange.wanted()) is not None:
            yield from self.await_demand(ticket)
            return
        yield SendHttp(give_up(self.stream_id, "not wanted"), self.context.server)
        yield from self.give_up_fetch()

    def give_up_fetch(self) -> CommandGenerator[None]:
        """Ends a fetch that nobody wants any more."""
        self.upstream_over = True
        self.connecting = False
        self.flow.error = flow.Error("nobody wants it any more")
        yield HttpErrorHook(self.flow)
        yield from self.drop()
