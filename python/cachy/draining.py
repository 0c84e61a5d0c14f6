"""The end in good order: what is asked is answered, what is being downloaded is finished, and no more
clients are taken.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import HttpLayer
from mitmproxy.proxy.layers.http import HttpStream
from mitmproxy.proxy.layers.modes import DestinationKnown, HttpProxy
from mitmproxy.proxy.tunnel import TunnelLayer

from cachy import downstream
from cachy.compat import builtin

#: Seconds of silence after which a connection that owes its client nothing is closed.
QUIET = 1.0
#: Seconds that a new connection has for its first request: on a busy machine a TLS handshake takes some.
FIRST = 5.0
#: Seconds between two looks at what is left.
PAUSE = 0.05
#: Seconds that mitmproxy has to see that a connection was cut off.
CUT = 1.0


def is_idle(context: Context) -> bool:
    """Whether mitmproxy's layers owe a client nothing: none is there yet that takes requests, all requests
    are answered, or the tunnels that have come of them are as idle.
    """
    last = context.layers[-1] if context.layers else None
    if isinstance(last, HttpLayer):
        return all(
            stream.child_layer is not None and is_idle(stream.context)
            for stream in last.streams.values()
        )
    # A stream that is the last one is a tunnel in which nothing has been said.
    return last is None or isinstance(last, HttpStream | TunnelLayer | DestinationKnown | HttpProxy)


def is_sent(transport: Any) -> bool:
    """Whether nothing waits for a socket."""
    sent: bool = transport.get_write_buffer_size() == 0
    return sent


class Draining:
    """Lets a proxy that runs come to its end.

    Args:
        addon: The addon `cachy.addon.Cachy`, where it is there.
        pending: Tells how many connections there are beside those that mitmproxy knows.
    """

    def __init__(self, addon: Any, pending: Callable[[], int] = lambda: 0) -> None:
        self.addon = addon
        self.pending = pending
        #: Those of clients. What waits in one is still sent when mitmproxy has closed it.
        self.transports: set[Any] = set()

    async def begin(self) -> None:
        """Takes no more clients, and keeps none for a next request."""
        downstream.ending.set()
        await builtin("proxyserver").servers.update([])
        if self.addon is not None and self.addon.cache is not None:
            self.addon.lanes.retire(self.addon.cache)

    def left(self) -> int:
        """How many clients and fetches there are to wait for. Closes what nobody waits for."""
        waiting = 0 if self.addon is None else len(self.addon.work)
        for handler in self.handlers():
            io = handler.transports.get(handler.client)
            writer = io and io.writer
            transport = getattr(writer, "transport", None)
            if transport is not None:
                self.transports.add(transport)
            if writer is None or writer.is_closing():
                # It has left; what it was fetching for others may go on.
                waiting += self.leads(handler.client.id)
            elif self.owes(handler, transport):
                waiting += 1
            elif self.is_quiet(handler):
                lane = self.lane(handler.client.id)
                writer.close() if lane is None else lane.leave()
        closing = [each for each in self.transports if each.is_closing()]
        self.transports.difference_update(each for each in closing if is_sent(each))
        return waiting + sum(not is_sent(each) for each in closing)

    def is_quiet(self, handler: Any) -> bool:
        """Whether no request seems about to come."""
        since: float = handler.timeout_watchdog.last_activity
        begun: float = handler.client.timestamp_start
        lane = self.lane(handler.client.id)
        has_asked = lane is not None and (lane.served or lane.given)
        return time.time() > max(since + QUIET, 0 if has_asked else begun + FIRST)

    def handlers(self) -> list[Any]:
        """mitmproxy's, of the connections that there are: over UDP there are none."""
        handlers = builtin("proxyserver").connections.values()
        return [each for each in handlers if each.client.transport_protocol == "tcp"]

    def lane(self, client: str) -> Any:
        """The lane of a client, where it has one."""
        return None if self.addon is None else self.addon.lanes.by_client.get(client)

    def leads(self, client: str) -> bool:
        """Whether something is being fetched for others on a client's connection."""
        return self.addon is not None and client in self.addon.leads.streams

    def owes(self, handler: Any, transport: Any) -> bool:
        """Whether a client waits for something."""
        lane = self.lane(handler.client.id)
        return (
            (transport is not None and not is_sent(transport))
            or (lane is not None and lane.owes())
            or not is_idle(handler.layer.context)
        )

    async def finish(self, grace: float, hurry: asyncio.Event) -> int:
        """Waits for all that is left.

        Args:
            grace: Seconds to wait at most.
            hurry: Set to wait no longer.

        Returns:
            How many clients and fetches are left.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + grace
        while (left := self.left()) or self.handlers() or self.pending():
            if hurry.is_set() or loop.time() >= end:
                break
            await asyncio.sleep(PAUSE)
        return left

    async def cut(self) -> None:
        """Cuts off what is left. Tasks that end by themselves leave no traceback: Python 3.11 prints one for
        each connection whose task is cancelled (python/cpython#113538).
        """
        for handler in self.handlers():
            io = handler.transports.get(handler.client)
            transport = getattr(io and io.writer, "transport", None)
            if transport is not None:
                transport.abort()
        loop = asyncio.get_running_loop()
        end = loop.time() + CUT
        while self.handlers() and loop.time() < end:
            await asyncio.sleep(PAUSE)
