"""Looks how far other processes on the same tree have come with what clients of this one wait for."""

import asyncio

from cachy._core import Cache
from cachy.news import News

#: Seconds between two looks, while something is being waited for.
INTERVAL = 0.005


class Abroad:
    """Looks as long as there is something to see, for each cache once."""

    def __init__(self, news: News) -> None:
        self.news = news
        self.looking: dict[Cache, asyncio.Task[None]] = {}

    def begin(self, cache: Cache) -> None:
        """Begins to look, where somebody waits for what another process fetches."""
        if cache.watching and cache not in self.looking:
            task = asyncio.create_task(self.look(cache))
            self.looking[cache] = task
            task.add_done_callback(lambda _: self.looking.pop(cache, None))

    async def look(self, cache: Cache) -> None:
        """Looks until nobody waits any more."""
        # mitmproxy 12 begins tasks at once; who waits has to be waiting before there is news.
        await asyncio.sleep(0)
        while cache.watching:
            for number in cache.look_abroad():
                self.news.tell(number)
            await asyncio.sleep(INTERVAL)

    def done(self) -> None:
        """The proxy ends."""
        for task in self.looking.values():
            task.cancel()
