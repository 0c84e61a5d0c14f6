"""Flows and layers know one another, so only Python's collector finds those that are over, with
the files, sockets and bodies that some still have. It runs when there is nothing else to do, and
now and then where that never happens.
"""

import asyncio
import gc
import time

from cachy import memory

#: Seconds in which nothing ended.
QUIET = 1.0
#: Seconds after which quiet is no longer waited for. Python itself looks at older objects so rarely
#: that a busy proxy would hold a hundred megabytes of bodies that are over.
LATEST = 5.0
#: Under load a collection is not repeated for so many times the time that it took.
REST = 50
#: Seconds between two times that free memory is given back under load.
PAUSE = 10.0


async def tidy(ended: asyncio.Event) -> None:
    """Goes on for ever.

    Args:
        ended: Set whenever a request or a connection is over.
    """
    patience = LATEST
    given = time.monotonic() - PAUSE
    while True:
        await ended.wait()
        since = time.monotonic()
        while ended.is_set() and time.monotonic() - since < patience:
            ended.clear()
            await asyncio.sleep(QUIET)
        begun = time.monotonic()
        gc.collect()
        patience = max(LATEST, REST * (time.monotonic() - begun))
        if not ended.is_set() or begun - given >= PAUSE:
            given = begun
            await asyncio.to_thread(memory.give_back)
