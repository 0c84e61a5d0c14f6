"""Makes room in the tree while the proxy runs (``cachy_max_size``)."""

import asyncio
import logging

from cachy._core import Cache

logger = logging.getLogger(__name__)


async def make_room(cache: Cache) -> None:
    """Counts what is in the tree, and evicts where it is too much, in a thread."""
    try:
        pruned = await asyncio.to_thread(cache.make_room)
    except OSError as error:
        logger.warning(f"cachy: the tree is not kept to cachy_max_size: {error}")
        return
    if pruned is not None and pruned.entries:
        logger.info(
            f"cachy: {pruned.entries} entries evicted, {pruned.bytes / 1e6:.1f} MB; "
            f"{pruned.left_entries} left, {pruned.left_bytes / 1e6:.1f} MB"
        )
