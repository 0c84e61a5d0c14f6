"""The way of a hook through the addons, shorter: mitmproxy sets up a context manager, two generators
and a coroutine for each of its 37 addons, twice a hook, though hardly any of them has a handler.

Nothing is remembered: each addon is asked for its handler when its turn comes, as in the original. So
whatever is added, removed, replaced or set on an addon meanwhile is seen in the same moment as by
mitmproxy's own walk.
"""

import inspect
from typing import Any

from mitmproxy import exceptions, hooks
from mitmproxy.addonmanager import AddonManager, safecall


class Walk(AddonManager):
    """mitmproxy's manager of addons, with a shorter way for events."""

    async def trigger_event(self, event: hooks.Hook) -> None:
        """As the original."""
        name = event.name
        args: list[Any] | None = None
        for addon in self.chain:
            try:
                if hasattr(addon, "addons"):
                    await self.invoke_addon(addon, event)
                elif handler := getattr(addon, name, None):
                    if not callable(handler):
                        await self.invoke_addon(addon, event)
                        continue
                    if args is None:
                        args = event.args()
                    result = handler(*args)
                    if result is not None and inspect.isawaitable(result):
                        await result
            except exceptions.AddonHalt:
                return
            except exceptions.OptionsError:
                raise
            except Exception:
                # Says what the original says.
                with safecall():
                    raise

    def trigger(self, event: hooks.Hook) -> None:
        """As the original: also every line of the log comes by here."""
        name = event.name
        for addon in self.chain:
            if hasattr(addon, name) or hasattr(addon, "addons"):
                try:
                    with safecall():
                        self.invoke_addon_sync(addon, event)
                except exceptions.AddonHalt:
                    return


def shorten(manager: AddonManager) -> None:
    """Gives a manager the shorter way; not where it is of a kind of somebody else's."""
    if type(manager) is AddonManager:
        manager.__class__ = Walk


def restore(manager: AddonManager) -> None:
    """Gives it its own way back."""
    if type(manager) is Walk:
        setattr(manager, "__class__", AddonManager)  # noqa: B010 - narrower to mypy than it is.
