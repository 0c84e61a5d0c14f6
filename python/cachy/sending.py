"""The client's side of a stream: a body is read as the client takes it, and no faster."""

import logging
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from mitmproxy import flow, http
from mitmproxy.connection import Connection
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import DropStream, HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import ResponseData, ResponseHeaders, ResponseTrailers
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook, HttpResponseHook

from cachy import room
from cachy._core import Body, Ticket
from cachy.compat import break_off
from cachy.downstream import FollowedHeaders
from cachy.leads import Leads
from cachy.news import CachyNewsHook, News
from cachy.transaction import Transaction

logger = logging.getLogger(__name__)

#: Bytes that are read and sent at once.
CHUNK = 256 * 1024
#: Bytes for one client before the others have their turn.
SLICE = 512 * 1024


@dataclass
class Shared:
    """What all streams of the proxy have in common."""

    transactions: MutableMapping[http.HTTPFlow, Transaction]
    news: News
    leads: Leads


class WindowOpened(events.Event):
    """The client's HTTP/2 window let through what was waiting for it."""


class Parent(Protocol):
    """The layer of the streams of one client's connection."""

    shared: Shared
    connections: Any
    #: Streams whose bytes wait for the client's HTTP/2 window.
    starved: set[int]

    def is_window_closed(self, stream_id: int) -> bool:
        """Whether bytes of this stream wait for the client's HTTP/2 window."""

    def abandon(self, command: commands.Command) -> CommandGenerator[None]:
        """A stream stops waiting for a connection."""

    def suspect(self, connection: Connection) -> None:
        """A stream stops waiting for an answer on a connection."""


class SendingStream(HttpStream):
    """Sends bodies piece by piece."""

    source: Body | None = None
    #: The body is fetched by another stream.
    follows = False
    awaited_room: room.CachyRoomHook | None = None
    #: More of the body that is being sent.
    awaited_news: CachyNewsHook | None = None
    #: A change in who wants what is being fetched.
    awaited_demand: CachyNewsHook | None = None
    upstream_over = False
    client_gone = False
    held = False
    #: Pieces of bodies that were read.
    pieces = 0
    #: The short way past the layers.
    express: Any = None

    def __init__(self, context: Any, stream_id: int, parent: Parent) -> None:
        super().__init__(context, stream_id)
        self.parent = parent

    @property
    def transaction(self) -> Transaction | None:
        """What the addon knows of this flow."""
        current = getattr(self, "flow", None)
        return None if current is None else self.parent.shared.transactions.get(current)

    def send_response(self, already_streamed: bool = False) -> CommandGenerator[None]:
        """As the original, but a large body is streamed."""
        transaction, response = self.transaction, self.flow.response
        body = None if transaction is None else transaction.body
        assert response
        if body is None or already_streamed or response.raw_content is not None:
            yield from super().send_response(already_streamed)
            return
        if (yield from self.conclude()):
            return
        self.follows = True
        self.take(body)
        yield from self.send_head(followed=not body.growing)
        yield from self.pump()

    def conclude(self) -> CommandGenerator[bool]:
        """The response is whole: the addons see it, ours stores it. Returns whether one killed it."""
        assert self.flow.response
        self.flow.response.timestamp_end = time.time()
        yield HttpResponseHook(self.flow)
        self.server_state = self.state_done
        killed: bool = yield from self.check_killed(False)
        if killed:
            self.forget()
        return killed

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
            if isinstance(chunk, Ticket):
                # What comes next of what we fetch ourselves comes with upstream's next event.
                if self.follows or self.source.behind:
                    yield from self.await_news(chunk)
                return
            if not chunk:
                yield from self.finish()
                return
            self.pieces += 1
            sent += len(chunk)
            if self.express is not None and self.express.is_clear:
                self.express.send(memoryview(chunk))
            else:
                yield SendHttp(ResponseData(self.stream_id, chunk), self.context.client)

    def pass_on(self, size: int) -> bool:
        """Whether the client takes what has just come from upstream, without reading it from the file:
        it is what comes next for it, and it has room.

        Args:
            size: How many bytes it is.
        """
        return (
            self.source is not None
            and self.awaited_room is None
            and not self.parent.is_window_closed(self.stream_id)
            and room.has_room(self.context.client)
            and self.source.pass_on(size)
        )

    def await_room(self) -> CommandGenerator[None]:
        """Has `pump` called again when the client's socket has room."""
        hook: Any = room.CachyRoomHook(room.Room(self.context.client))
        # Not True: this stream goes on taking events while it waits, and still gets the reply.
        hook.blocking = self
        self.awaited_room = hook
        yield hook

    def await_news(self, ticket: Ticket) -> CommandGenerator[None]:
        """Has `on_news` called when there is more of the body that is being sent."""
        if self.awaited_news is None:
            self.awaited_news = self.news_hook(ticket)
            yield self.awaited_news

    def await_demand(self, ticket: Ticket) -> CommandGenerator[None]:
        """Has `on_news` called when less is wanted of what is being fetched, or memory is free."""
        if self.awaited_demand is None:
            self.awaited_demand = self.news_hook(ticket)
            yield self.awaited_demand

    def news_hook(self, ticket: Ticket) -> CachyNewsHook:
        """The command that completes when a ticket rings."""
        hook: Any = CachyNewsHook(ticket)
        # Not True: this stream goes on taking events while it waits, and still gets the reply.
        hook.blocking = self
        found: CachyNewsHook = hook
        return found

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
            self.parent.shared.leads.end(self.context.client.id, self)
            yield from super().flow_done()

    def send_head(self, *, followed: bool = False) -> CommandGenerator[None]:
        """Sends the head of what is going to be streamed.

        Args:
            followed: The first of the body is there.
        """
        assert self.flow.response
        kind = FollowedHeaders if followed else ResponseHeaders
        head = kind(self.stream_id, self.flow.response, end_stream=False)
        yield SendHttp(head, self.context.client)

    def take(self, body: Body) -> None:
        """Begins to send a body."""
        self.source = body
        room.begin(self.context.client)

    def keep_pace(self) -> CommandGenerator[None]:
        """Stops reading from upstream while too much waits for slow clients, and goes on."""
        transaction = self.transaction
        ticket = None if transaction is None else transaction.exchange.pace(self.held)
        if ticket is None:
            self.release()
            return
        self.held = True
        room.hold(self.context.client, self.context.server)
        yield from self.await_demand(ticket)

    def release(self) -> None:
        """Goes on reading from upstream."""
        if self.held:
            self.held = False
            room.release(self.context.client, self.context.server)

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
        yield from self.drop()

    def drop(self) -> CommandGenerator[None]:
        """Nothing more happens here."""
        # Other streams may read from the same connection.
        self.release()
        self.client_state = self.server_state = self.state_errored
        self.flow.live = False
        self.parent.shared.leads.end(self.context.client.id, self)
        yield DropStream(self.stream_id)

    def forget(self) -> None:
        """Lets go of the body, and of the file behind it."""
        if self.source is not None:
            self.source = None
            room.end(self.context.client)
        self.release()
        if (transaction := self.transaction) is not None:
            transaction.body = None
        self.parent.starved.discard(self.stream_id)
