"""How a proxy is run, whether in one process or in several."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cachy.notify import Notifier


class Supervised(Protocol):
    """The end of a worker's channel to its supervisor, see `cachy.workers.worker`."""

    tasks: set[asyncio.Task[None]]
    end: Callable[[], object]

    def leave(self) -> bool:
        """Asks to be told to end. Returns whether the supervisor has heard."""

    async def beat(self) -> None:
        """Tells the supervisor that the event loop goes on, forever."""


@dataclass
class Terms:
    """How a proxy is run."""

    grace: float = 0.0
    """Seconds that requests have to be finished when it is to end."""
    notifier: Notifier = field(default_factory=lambda: Notifier({}))
    """Where systemd is told."""
    worker: Supervised | None = None
    """A supervisor runs it: SIGTERM may come twice, SIGINT ends it at once, and SIGHUP isn't for it."""


def has_terminal() -> bool:
    """Whether the process has a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
