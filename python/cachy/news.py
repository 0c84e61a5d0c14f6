"""News of flights: who waits for a fetch, or reads along, learns that there is more."""

import asyncio
import contextlib
from dataclasses import dataclass

from mitmproxy.proxy import commands

#: Seconds after which one looks again without news.
PATIENCE = 10.0


class News:
    """Wakes those who wait for a flight. Told and waited for in one event loop."""

    def __init__(self) -> None:
        self.events: dict[int, asyncio.Event] = {}
        #: Flights whose upstream is held until their readers have caught up.
        self.held: set[int] = set()

    def tell(self, number: int | None) -> None:
        """There is news of a flight, where there is one."""
        if number is not None and (event := self.events.pop(number, None)) is not None:
            event.set()

    def next(self, number: int) -> asyncio.Event:
        """The next news of a flight, from this very moment on."""
        return self.events.setdefault(number, asyncio.Event())

    async def wait(self, event: asyncio.Event) -> None:
        """Waits for news, but not for ever."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), PATIENCE)


@dataclass
class Flight:
    """What news to wait for."""

    news: asyncio.Event


@dataclass
class CachyNewsHook(commands.StartHook):
    """Completes when there is news of a flight."""

    name = "cachy_news"
    flight: Flight
