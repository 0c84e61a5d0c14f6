"""Fetches that outlive their client.

mitmproxy closes the connections that it opened for a client when that client leaves, but not before
the addons have heard of it. So that is when others may finish what the client was fetching for them.
"""

import asyncio
from collections import defaultdict


class Leads:
    """Streams that fetch for everybody, by their client."""

    def __init__(self) -> None:
        self.streams: defaultdict[str, set[object]] = defaultdict(set)
        self.over: dict[str, asyncio.Event] = {}

    def begin(self, client: str, stream: object) -> None:
        """A stream of this client (its id) fetches for everybody."""
        self.streams[client].add(stream)

    def end(self, client: str, stream: object) -> None:
        """It has come to its end."""
        streams = self.streams.get(client)
        if streams is None:
            return
        streams.discard(stream)
        if not streams:
            del self.streams[client]
            if (over := self.over.pop(client, None)) is not None:
                over.set()

    async def finished(self, client: str) -> None:
        """Waits until no stream of this client fetches for anybody."""
        if client in self.streams:
            await self.over.setdefault(client, asyncio.Event()).wait()

    def give_up(self) -> None:
        """The proxy ends: nobody waits any more."""
        self.streams.clear()
        for over in self.over.values():
            over.set()
        self.over.clear()
