"""The end of all workers."""

import asyncio
import signal
from collections.abc import Sequence
from typing import Any

from cachy.workers.process import Worker

#: Seconds for an end in good order, beside the grace.
END = 5


async def end_all(workers: Sequence[Worker], grace: float, hurry: asyncio.Event) -> None:
    """Lets them finish what they do, and ends those that don't.

    Args:
        workers: The processes.
        grace: Seconds to wait for what they do.
        hurry: Set to wait no longer.
    """
    processes = [worker.process for worker in workers]
    ends: asyncio.Future[Any] = asyncio.gather(*(each.wait() for each in processes))
    hurried: asyncio.Future[Any] = asyncio.create_task(hurry.wait())
    retiring = asyncio.gather(*(worker.retire() for worker in workers if worker.ready))
    for worker in workers:
        if not worker.ready:
            worker.signal(signal.SIGTERM)
    await asyncio.wait({ends, hurried}, timeout=grace + END, return_when=asyncio.FIRST_COMPLETED)
    for number in (signal.SIGINT, signal.SIGKILL):
        if not ends.done():
            for worker in workers:
                worker.signal(number)
            await asyncio.wait({ends}, timeout=END)
    await asyncio.gather(ends, retiring)
    hurried.cancel()
