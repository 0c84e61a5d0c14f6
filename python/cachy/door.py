"""Keeps clients waiting until mitmproxy is set up.

mitmproxy listens before it has its certificates, and ends its start when an error is logged by then. So a
client that connects early would end the proxy.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from mitmproxy.master import Master
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler, ServerInstance


class Door:
    """Closed until the start of a master is over."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.waiting: list[Callable[[], object]] = []

    def open(self) -> None:
        """Lets the connections in that wait, and all that follow."""
        if not self.opened.is_set():
            self.opened.set()
            for callback in self.waiting:
                callback()
            self.waiting.clear()

    def when_open(self, callback: Callable[[], object]) -> None:
        """Calls back once the start is over."""
        if self.opened.is_set():
            callback()
        else:
            self.waiting.append(callback)


#: Where the door of a master is kept.
NAME = "cachy_door"


def transport_of(begun: Any, *args: Any) -> Any:
    """The transport of a connection that mitmproxy begins to serve.

    Args:
        begun: mitmproxy's server or the handler of the connection.
        args: What the server has been given.
    """
    writer = args[-1] if args else begun.transports[begun.client].writer
    return getattr(writer, "transport", None)


def door(master: Master) -> Door:
    """The door of a master, closed if its start is not over.

    A connection is held in both methods: a server that listens already has the first one bound.
    """
    found: Door | None = getattr(master, NAME, None)
    if found is not None:
        return found
    made = Door()
    setattr(master, NAME, made)
    # They have no types: mitmproxy's addons are known by name.
    server: Any = master.addons.get("proxyserver")
    check: Any = master.addons.get("errorcheck")
    if check is None or (server is not None and server.is_running):
        made.open()
        return made

    def hold(kind: Any, name: str) -> None:
        original = getattr(kind, name)

        async def wait(self: Any, *args: Any) -> None:
            transport = transport_of(self, *args)
            if transport is not None:
                # mitmproxy 12 crashes where something has come by the time that it begins.
                transport.pause_reading()
            await made.opened.wait()
            if transport is not None:
                transport.resume_reading()
            await original(self, *args)

        def held(self: Any, *args: Any) -> Coroutine[Any, Any, None]:
            # Once it is open, nothing of ours is on the way.
            way: Callable[..., Any] = original if made.opened.is_set() else wait
            coroutine: Coroutine[Any, Any, None] = way(self, *args)
            return coroutine

        setattr(kind, name, held)
        # Servers that have the one that waits keep it.
        made.when_open(lambda: setattr(kind, name, original))

    finish = check.finish

    def finish_and_open() -> None:
        finish()
        made.open()

    check.finish = finish_and_open
    hold(ServerInstance, "handle_stream")
    hold(ProxyConnectionHandler, "handle_client")
    return made
