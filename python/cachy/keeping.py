"""What became of the requests is written down now and then, for ``cachy stats``: `.cachy/stats.json`
has the sums of all processes that used the tree,

    {"since": MS, "requests": N, "hits": N, "bytes": {"tree": N, "upstream": N},
     "by_reason": {REASON: {"count": N, "bytes": N, "seconds": S}}}

with `since` in milliseconds since 1970; every request is a hit or has a reason.
"""

import asyncio
from collections.abc import Callable

from cachy._core import Cache

#: Seconds between two times.
PAUSE = 60.0


async def keep(cache: Callable[[], Cache | None]) -> None:
    """Goes on for ever."""
    while True:
        await asyncio.sleep(PAUSE)
        if (current := cache()) is not None:
            await asyncio.to_thread(current.save_stats)
            await asyncio.to_thread(current.settle)
            await asyncio.to_thread(current.look_around)
