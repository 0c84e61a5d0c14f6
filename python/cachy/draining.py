"""The end in good order: what is asked is answered, what is being downloaded is finished, and no more
clients are taken.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from mitmproxy.proxy import layer
from mitmproxy.proxy.layers import HttpLayer

from cachy import downstream
from cachy.compat import builtin

#: Seconds of silence after which a connection that owes its client nothing is closed.
QUIET = 1.0
#: Seconds between two looks at what is left.
PAUSE = 0.05


def is_idle(found: Any) -> bool:
    """Whether a layer of mitmproxy's, and all inside it, owes its client nothing."""
    while found is not None:
        if isinstance(found, HttpLayer):
            # A stream that has become a tunnel is as idle as what is inside.
            return all(
                stream.child_layer is not None and is_idle(stream.child_layer)
                for stream in found.streams.values()
            )
        if isinstance(found, layer.NextLayer):
            found = found.layer
        elif hasattr(found, "child_layer"):
            found = found.child_layer
        else:
            return False
    return True


class Draining:
    """Lets a proxy that runs come to its end.

    Args:
        addon: The addon `cachy.addon.Cachy`, where it is there.
        pending: Tells how many connections there are beside those that mitmproxy knows.
    """

    def __init__(self, addon: Any, pending: Callable[[], int] = lambda: 0) -> None:
        self.addon = addon
        self.pending = pending

    async def begin(self) -> None:
        """Takes no more clients, and keeps none for a next request."""
        downstream.ending.set()
        await builtin("proxyserver").servers.update([])
        if self.addon is not None and self.addon.cache is not None:
            for lane in list(self.addon.lanes.by_client.values()):
                lane.last()
            self.addon.lanes.retire(self.addon.cache)

    def left(self) -> int:
        """How many clients and fetches there are to wait for. Closes what nobody waits for."""
        handlers = list(builtin("proxyserver").connections.values())
        waiting = 0 if self.addon is None else len(self.addon.work)
        for handler in handlers:
            io = handler.transports.get(handler.client)
            transport = getattr(io and io.writer, "transport", None)
            if transport is None or transport.is_closing():
                # It has left; what it was fetching for others may go on.
                waiting += self.leads(handler.client.id)
            elif self.is_over(handler, transport):
                transport.close()
            elif self.owes(handler, transport):
                waiting += 1
        return waiting

    def leads(self, client: str) -> bool:
        """Whether something is being fetched for others on a client's connection."""
        return self.addon is not None and client in self.addon.leads.streams

    def owes(self, handler: Any, transport: Any) -> bool:
        """Whether a client waits for something."""
        lane = None if self.addon is None else self.addon.lanes.by_client.get(handler.client.id)
        return (
            transport.get_write_buffer_size() > 0
            or (lane is not None and lane.owes())
            or not is_idle(handler.layer)
        )

    def is_over(self, handler: Any, transport: Any) -> bool:
        """Whether a connection may be closed: it owes nothing, and nothing was about to come."""
        quiet = time.time() - handler.timeout_watchdog.last_activity
        return quiet > QUIET and not self.owes(handler, transport)

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
        server = builtin("proxyserver")
        while (left := self.left()) or server.connections or self.pending():
            if hurry.is_set() or loop.time() >= end:
                break
            await asyncio.sleep(PAUSE)
        return left
