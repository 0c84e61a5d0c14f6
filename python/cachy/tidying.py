"""Flows and layers know one another, so Python's collector alone finds those that are over, with the files and
sockets that some still have: at the latest when there is nothing else to do.
"""

import asyncio
import gc

#: Seconds in which nothing ended.
QUIET = 1.0


async def tidy(ended: asyncio.Event) -> None:
    """Goes on for ever.

    Args:
        ended: Set whenever a request or a connection is over.
    """
    while True:
        await ended.wait()
        while ended.is_set():
            ended.clear()
            await asyncio.sleep(QUIET)
        gc.collect()
