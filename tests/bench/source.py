"""The origin's side of the benchmark."""

import asyncio
import time

from support.message import Request
from support.origin import Origin
from support.reply import Reply

from .content import HEADERS, HOST, SMALL, large_body, small_body

#: Seconds that a slow target takes.
SLOWNESS = 0.02


class Source:
    """Answers for the benchmark's host, and counts."""

    def __init__(self, origin: Origin) -> None:
        self.requests = 0
        self.first_sent = 0.0
        """`time.monotonic()` when the body of the last large answer began."""
        origin.handle(HOST, "*", self.answer)

    async def answer(self, request: Request, reply: Reply) -> None:
        """A handler as `Origin.handle` takes it."""
        self.requests += 1
        if request.target.startswith("/large/"):
            pattern = large_body(request.target)
            await reply.head(200, HEADERS, length=pattern.size)
            self.first_sent = time.monotonic()
            for chunk in pattern.chunks():
                await reply.send(chunk)
        else:
            if request.target.startswith("/slow/"):
                await asyncio.sleep(SLOWNESS)
            await reply.head(200, HEADERS, length=SMALL)
            await reply.send(small_body(request.target))
        await reply.end()
