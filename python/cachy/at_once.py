"""Hooks without tasks. mitmproxy makes a task of each hook, and goes on when the loop comes round to it:
for a new host that is 18 times. Here the handlers are called when the layers have said all that they had
to say, and what follows the hook follows at once. Only what has to wait gets its task, as before.
"""

from collections import deque
from collections.abc import Coroutine, Iterator
from typing import Any

from mitmproxy.connection import Client
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler

from cachy.compat import builtin
from cachy.walk import Walk, begin, lifecycle

#: Hooks at once before others have their turn: a client may send hundreds of requests in one piece.
MOST = 16


class AtOnce(ProxyConnectionHandler):
    """A client's connection."""

    #: What is left of hooks that have begun.
    begun: dict[commands.StartHook, Coroutine[Any, Any, None]]
    #: The layers' own way to take an event.
    original: Any

    def take(self, event: events.Event) -> Iterator[commands.Command]:
        """Hands an event to the layers, and gives back their commands, but for hooks that are over."""
        waiting: deque[commands.StartHook] = deque()
        yield from self.hear(event, waiting)
        for _ in range(MOST):
            if not waiting:
                return
            hook = waiting.popleft()
            addons = self.master.addons
            if not isinstance(addons, Walk):
                yield hook
            elif (rest := begin(lifecycle(addons, hook))) is not None:
                self.begun[hook] = rest
                yield hook
            elif hook.blocking:
                yield from self.hear(events.HookCompleted(hook), waiting)
        yield from waiting

    def hear(
        self, event: events.Event, hooks: deque[commands.StartHook]
    ) -> Iterator[commands.Command]:
        """Sets the hooks among the commands apart."""
        for command in self.original(event):
            if isinstance(command, commands.StartHook):
                hooks.append(command)
            else:
                yield command

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """As the original, from where it has come to."""
        rest = self.begun.pop(hook, None)
        if rest is None:
            await super().handle_hook(hook)
        else:
            with self.timeout_watchdog.disarm():
                await rest


def take_over(client: Client) -> None:
    """Has the hooks of a client that has just connected run so."""
    handler = builtin("proxyserver").connections.get(client.id)
    if type(handler) is ProxyConnectionHandler:
        handler.__class__ = AtOnce
        assert isinstance(handler, AtOnce)
        handler.begun = {}
        top: Any = handler.layer
        handler.original = top.handle_event
        top.handle_event = handler.take
