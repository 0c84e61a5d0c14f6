"""The way to upstream: within the deadlines that the core sets, and as long as somebody wants it."""

from typing import Any

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import SendHttp
from mitmproxy.proxy.layers.http._events import (
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    ResponseEndOfMessage,
)

from cachy._core import Ticket
from cachy.alarm import Alarm, CachyAlarmHook
from cachy.sending import Parent, SendingStream


class TooSlow(events.Event):
    """Upstream let its deadline pass."""


class Left(events.Event):
    """Nobody waits for the connection any more."""


class ConnectingStream(SendingStream):
    """Waits for a connection, and stops waiting."""

    #: The one that counts, and all that are still to ring.
    deadline: CachyAlarmHook | None = None
    deadlines: list[CachyAlarmHook]
    connecting = False
    #: Seconds to wait for a connection, where one has to be waited for.
    patience: float | None = None
    abandoned: commands.Command | None = None

    def __init__(self, context: Any, stream_id: int, parent: Parent) -> None:
        super().__init__(context, stream_id, parent)
        self.deadlines = []

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        """As the original, but a deadline also ends the wait for a connection, and so does the
        leaving of all who wanted it.
        """
        if isinstance(event, events.HookCompleted) and event.command in self.deadlines:
            self.deadlines.remove(event.command)
            # It may ring for a stream that is over: its client has left.
            if event.command is self.deadline and self.flow.live:
                self.deadline = None
                yield from self.stop_connecting()
                yield from super().handle_event(TooSlow())
        elif isinstance(event, events.CommandCompleted) and event.command is self.abandoned:
            pass
        elif self.is_waiting_for_connection() and self.is_demand(event):
            self.awaited_demand = None
            yield from self.connect_if_wanted()
        elif isinstance(event, RequestProtocolError):
            if self.is_waiting_for_connection() and not self.is_wanted():
                yield from self.stop_connecting()
                yield from super().handle_event(Left())
                return
            yield from super().handle_event(event)
            if self.is_waiting_for_connection():
                yield from self.watch()
            elif self._paused is not None and (transaction := self.transaction) is not None:
                # It may wait for another one's fetch, which goes on for it alone.
                transaction.leave()
        else:
            yield from super().handle_event(event)

    def make_server_connection(self) -> CommandGenerator[bool]:
        """As the original, within the deadlines."""
        transaction = self.transaction
        forward = None if transaction is None else transaction.forward
        if transaction is not None and transaction.detached:
            yield from self.watch()
        elif transaction is not None and transaction.exchange.leading:
            self.parent.shared.leads.begin(self.context.client.id, self)
        connect, head = (None, None) if forward is None else forward.deadlines or (None, None)
        # One that is still to ring was for a connection before this one.
        self.call_off()
        self.patience = connect
        self.connecting = True
        connected: bool = yield from super().make_server_connection()
        self.connecting = False
        self.call_off()
        self.patience = None
        if connected and head is not None:
            yield self.set_deadline(head)
        return connected

    def state_before_again(self, event: events.Event) -> CommandGenerator[None]:
        """Upstream's answer was none: asks again when it is over."""
        if isinstance(event, ResponseEndOfMessage):
            self.server_state = self.state_wait_for_response_headers
            # It takes this stream once more when this event is over, or, with HTTP/2, never.
            self.parent.suspect(self.context.server)
            yield from self.ask_again()

    def ask_again(self) -> CommandGenerator[None]:
        """Sends the request, which has no body, once more."""
        if (yield from self.make_server_connection()):
            head = RequestHeaders(self.stream_id, self.flow.request, end_stream=True)
            yield SendHttp(head, self.context.server)
            yield SendHttp(RequestEndOfMessage(self.stream_id), self.context.server)

    def stores(self) -> bool:
        """Whether what it fetches may be stored."""
        transaction = self.transaction
        forward = None if transaction is None else transaction.forward
        return forward is not None and forward.stores

    def be_patient(self) -> CachyAlarmHook | None:
        """The command that ends the wait for a connection in time, which begins."""
        if self.patience is None or self.deadline is not None:
            return None
        return self.set_deadline(self.patience)

    def set_deadline(self, seconds: float) -> CachyAlarmHook:
        """The command that has `TooSlow` happen unless `deadline` is taken back before."""
        self.deadline = self.alarm(seconds)
        self.deadlines.append(self.deadline)
        return self.deadline

    def call_off(self) -> None:
        """Takes the deadline back."""
        if self.deadline is not None:
            self.deadline.alarm.call_off()
            self.deadline = None

    def alarm(self, seconds: float) -> CachyAlarmHook:
        """The command that completes when the time has come."""
        hook: Any = CachyAlarmHook(Alarm(seconds))
        # Not True: this stream goes on taking events while it waits, and still gets the reply.
        hook.blocking = self
        found: CachyAlarmHook = hook
        return found

    def is_waiting_for_connection(self) -> bool:
        """Whether this is what it waits for."""
        return self.connecting and self._paused is not None

    def is_wanted(self) -> bool:
        """Whether anybody wants what it fetches, its own client apart."""
        transaction = self.transaction
        return transaction is not None and transaction.exchange.wanted() is not None

    def is_demand(self, event: events.Event) -> bool:
        """Whether this is the change that it waits for."""
        return isinstance(event, events.HookCompleted) and event.command is self.awaited_demand

    def watch(self) -> CommandGenerator[None]:
        """Has it heard when somebody leaves who may be the last."""
        transaction = self.transaction
        assert transaction
        # Where nobody wants it now, that is found at once.
        yield from self.await_demand(transaction.exchange.wanted() or Ticket.rung())

    def connect_if_wanted(self) -> CommandGenerator[None]:
        """Goes on waiting for a connection as long as somebody wants it."""
        transaction = self.transaction
        assert transaction
        if (ticket := transaction.exchange.wanted()) is not None:
            yield from self.await_demand(ticket)
        else:
            yield from self.stop_connecting()
            yield from super().handle_event(Left())

    def stop_connecting(self) -> CommandGenerator[None]:
        """A layer can't cancel a command that it waits for, so we stop waiting."""
        if self.connecting and self._paused is not None:
            self.abandoned = self._paused.command
            self._paused = None
            yield from self.parent.abandon(self.abandoned)
