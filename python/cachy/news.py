"""Waiting for news of a fetch, without ever losing a wake-up.

Who is told to wait gets a ticket of the core's. It was taken before the core looked at what is waited
for, so every change since then has rung it, or will.
"""

import asyncio
import logging
from dataclasses import dataclass

from mitmproxy.proxy import commands

from cachy._core import Bell, Ticket

logger = logging.getLogger(__name__)

#: Seconds after which one looks again without news: a net under mistakes, see `rescued`, and the pace
#: at which one asks again what rings no ticket (other processes, and the clock).
PATIENCE = 10.0


class News:
    """Wakes those who hold a ticket, in one event loop."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.listens = False
        #: By the number that the bell gives. A ticket rings as long as it lives.
        self.waiting: dict[int, tuple[asyncio.Future[None], Ticket]] = {}

    def future(self, ticket: Ticket) -> asyncio.Future[None]:
        """A future that is done when a ticket rings, or after `PATIENCE`."""
        loop = asyncio.get_running_loop()
        if not self.listens:
            loop.add_reader(self.bell.fileno(), self.hear)
            self.listens = True
        future: asyncio.Future[None] = loop.create_future()
        number = self.bell.listen(ticket)
        if number is None:
            future.set_result(None)
            return future
        self.waiting[number] = future, ticket
        timer = loop.call_later(PATIENCE, end, future)

        def over(_: asyncio.Future[None]) -> None:
            timer.cancel()
            self.waiting.pop(number, None)

        future.add_done_callback(over)
        return future

    def hear(self) -> None:
        """Something has rung."""
        for number in self.bell.take():
            if number in self.waiting:
                future, _ = self.waiting[number]
                end(future)

    def close(self) -> None:
        """The proxy ends, or goes on without this addon."""
        if self.listens:
            asyncio.get_running_loop().remove_reader(self.bell.fileno())
            self.listens = False


def end(future: asyncio.Future[None]) -> None:
    """Ends a wait, unless it is over."""
    if not future.done():
        future.set_result(None)


def rescued(what: str) -> None:
    """Reports that something went on after a wait that nobody had ended: a wake-up was lost.

    Args:
        what: Who waited; it goes to the log.
    """
    logger.error(
        f"cachy: {what} was not woken, but rescued after {PATIENCE:.0f} s. Please report this."
    )


@dataclass
class CachyNewsHook(commands.StartHook):
    """Completes when a ticket has rung, or after `PATIENCE`."""

    name = "cachy_news"
    ticket: Ticket
