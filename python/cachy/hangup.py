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
    """From now on each is heeded.

    Args:
        loop: Where that is done.
        act: What is done.
    """
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, act)


def take() -> bool:
    """Whether one was kept, which is now for the caller to heed."""
    global kept
    taken, kept = kept, False
    return taken
