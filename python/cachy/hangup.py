"""SIGHUP reloads, whenever it comes: one that comes before anybody can heed it is kept."""

import asyncio
import signal
from collections.abc import Callable

#: Whether one has come that nobody has heeded.
kept = False


def keep() -> None:
    """From now on it no longer ends the process. What is ignored, as by nohup, stays so."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, note)


def note(*_: object) -> None:
    """One has come."""
    global kept
    kept = True


def heed(loop: asyncio.AbstractEventLoop, act: Callable[[], object]) -> None:
    """From now on each, and one that was kept, is heeded.

    Args:
        loop: Where that is done.
        act: What is done.
    """
    global kept
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return
    loop.add_signal_handler(signal.SIGHUP, act)
    if kept:
        kept = False
        act()
