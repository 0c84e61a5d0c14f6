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

    async def wait(self, number: int) -> None:
        """Waits for news of a flight, but not for ever."""
        event = self.events.setdefault(number, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), PATIENCE)


@dataclass
class Flight:
    """Whose news to wait for."""

    number: int


@dataclass
class CachyNewsHook(commands.StartHook):
    """Completes when there is news of a flight."""

    name = "cachy_news"
    flight: Flight
