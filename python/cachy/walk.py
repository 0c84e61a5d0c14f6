"""The way of a hook through the addons, shorter: mitmproxy sets up a context manager, two generators
and a coroutine for each of its 37 addons, twice a hook, though hardly any of them has a handler.

Only which of mitmproxy's own addons, and ours, have no handler is remembered, since that is so for good.
Each other one is asked for its handler when its turn comes, as in the original. So whatever is added,
removed, replaced or set on an addon meanwhile is seen in the same moment as by mitmproxy's own walk.
"""

import inspect
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import exceptions, flow, hooks
from mitmproxy.addonmanager import AddonManager, safecall

#: Calls handlers, and hands out what has to be awaited before the next one.
Steps = Generator[Awaitable[None], None, None]


class Walk(AddonManager):
    """mitmproxy's manager of addons, with a shorter way for events."""

    async def trigger_event(self, event: hooks.Hook) -> None:
        """As the original."""
        if (rest := begin(steps(self, event))) is not None:
            await rest

    def trigger(self, event: hooks.Hook) -> None:
        """As the original: also every line of the log comes by here."""
        name = event.name
        for addon in hearing(self, name):
            if hasattr(addon, name) or hasattr(addon, "addons"):
                try:
                    with safecall():
                        self.invoke_addon_sync(addon, event)
                except exceptions.AddonHalt:
                    return


class Hearing:
    """Who may have a handler, by the name of the event."""

    def __init__(self, chain: list[Any]) -> None:
        self.chain = chain
        self.of: dict[str, list[Any]] = {}


_known: WeakKeyDictionary[AddonManager, Hearing] = WeakKeyDictionary()


def hearing(manager: AddonManager, name: str) -> list[Any]:
    """The addons that may have a handler for an event, in their order."""
    known = _known.get(manager)
    if known is None or known.chain != manager.chain:
        known = _known[manager] = Hearing(list(manager.chain))
    found = known.of.get(name)
    if found is None:
        found = [addon for addon in known.chain if may_change(addon) or hasattr(addon, name)]
        known.of[name] = found
    return found


def may_change(addon: Any) -> bool:
    """Whether an addon, or one below it, may come to have a handler that it doesn't have now."""
    module = type(addon).__module__
    return hasattr(addon, "addons") or not module.startswith(("mitmproxy.addons.", "cachy."))


def lifecycle(manager: AddonManager, event: hooks.Hook) -> Steps:
    """What mitmproxy does for a hook of its layers."""
    yield from steps(manager, event)
    message = event.args()[0]
    if isinstance(message, flow.Flow):
        yield from steps(manager, hooks.UpdateHook([message]))
        if message.intercepted:
            yield message.wait_for_resume()


def steps(manager: AddonManager, event: hooks.Hook) -> Steps:
    """Goes from addon to addon; to the end, also when the manager has its own way back meanwhile."""
    name = event.name
    args: list[Any] | None = None
    for addon in hearing(manager, name):
        try:
            if hasattr(addon, "addons"):
                for _, handler in manager._iter_hooks(addon, event):
                    result = handler(*event.args())
                    if result is not None and inspect.isawaitable(result):
                        yield result
            elif handler := getattr(addon, name, None):
                if not callable(handler):
                    # A module of that name is none; anything else is an error.
                    list(manager._iter_hooks(addon, event))
                    continue
                if args is None:
                    args = event.args()
                if name == "request" and is_idle_app(addon, *args):
                    continue
                result = handler(*args)
                if result is not None and inspect.isawaitable(result):
                    yield result
        except exceptions.AddonHalt:
            return
        except exceptions.OptionsError:
            raise
        except Exception:
            # Says what the original says.
            with safecall():
                raise


def is_idle_app(addon: Any, message: Any) -> bool:
    """Whether it is mitmproxy's `mitm.it`, whose handler is a coroutine, and the request is for another host."""
    # By name, as to import it would bring in all addons.
    found = type(addon)
    if (found.__module__, found.__name__) != ("mitmproxy.addons.onboarding", "Onboarding"):
        return False
    return not addon.should_serve(message)


def begin(way: Steps) -> Coroutine[Any, Any, None] | None:
    """Goes as far as no handler has to be waited for. The rest, where there is any, is for a task."""
    waiting = next(way, None)
    return None if waiting is None else finish(way, waiting)


async def finish(way: Steps, waiting: Awaitable[None] | None) -> None:
    """Goes the rest of the way."""
    while waiting is not None:
        try:
            await waiting
        except Exception as error:  # noqa: BLE001
            try:
                waiting = way.throw(error)
            except StopIteration:
                return
        else:
            waiting = next(way, None)


def shorten(manager: AddonManager) -> None:
    """Gives a manager the shorter way; not where it is of a kind of somebody else's."""
    if type(manager) is AddonManager:
        manager.__class__ = Walk


def restore(manager: AddonManager) -> None:
    """Gives it its own way back."""
    if type(manager) is Walk:
        setattr(manager, "__class__", AddonManager)  # noqa: B010 - narrower to mypy than it is.
