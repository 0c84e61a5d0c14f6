"""An answer to a client that is still sending: a connection that is closed with bytes unread is reset,
and the answer is lost with it (RFC 9112 section 9.6). So what still comes is read, and thrown away.
"""

import time

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http._events import (
    RequestData,
    RequestEndOfMessage,
    RequestProtocolError,
)

from cachy.alarm import CachyAlarmHook
from cachy.connecting import ConnectingStream
from cachy.transaction import is_multiplexed

#: Seconds without a byte after which the connection is closed.
SILENCE = 5.0
#: Seconds after which it is closed whatever comes.
LONGEST = 30.0


class LingeringStream(ConnectingStream):
    """Reads on behind its answer, for a while."""

    lingering: CachyAlarmHook | None = None
    lingered = False
    #: When it began, and when something came last.
    since = last = 0.0

    def linger(self) -> CommandGenerator[None]:
        """The client has its answer. The connection is closed when all of its request has come, or after
        a while.
        """
        if is_multiplexed(self.flow.request):
            # The stream alone ends, and the connection goes on reading.
            yield from self.drop()
            return
        self.client_state = self.server_state = self.state_errored
        self.flow.live = False
        self.since = self.last = time.monotonic()
        yield from self.wait_on(min(SILENCE, LONGEST))

    def wait_on(self, seconds: float) -> CommandGenerator[None]:
        """Waits so many seconds more."""
        self.lingering = self.alarm(seconds)
        yield self.lingering

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        """As the original, but what the client still sends is for nobody."""
        if self.lingering is None:
            yield from super().handle_event(event)
        elif isinstance(event, RequestData):
            self.last = time.monotonic()
        elif isinstance(event, RequestEndOfMessage | RequestProtocolError):
            self.lingered = True
            self.lingering.alarm.call_off()
            yield from self.drop()
        elif isinstance(event, events.HookCompleted) and event.command is self.lingering:
            if not self.lingered:
                yield from self.close_unless_sending()
        else:
            yield from super().handle_event(event)

    def close_unless_sending(self) -> CommandGenerator[None]:
        """Closes the connection where the client is silent, or has sent for long enough."""
        now = time.monotonic()
        rest = min(self.last + SILENCE, self.since + LONGEST) - now
        if rest > 0:
            yield from self.wait_on(rest)
            return
        self.lingered = True
        yield commands.CloseConnection(self.context.client)
        yield from self.drop()
