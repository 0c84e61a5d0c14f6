"""Tells systemd how the service is doing: the protocol of sd_notify(3) and sd_watchdog_enabled(3).

The libraries for it know neither reloads nor an end, and raise what systemd's socket raises.
"""

import asyncio
import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress

#: The variables that are for this process and none that it starts.
ADDRESS, PERIOD, PROCESS = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
#: Seconds that systemd is to wait longer than the end may take.
SPARE = 10


class Notifier:
    """Speaks to systemd, or to nobody where nobody listens.

    Args:
        environ: The environment, which loses the variables that are for this process.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        address = environ.pop(ADDRESS, "")
        period, process = environ.pop(PERIOD, ""), environ.pop(PROCESS, "")
        #: A leading @ means an abstract socket.
        self.address = f"\0{address[1:]}" if address.startswith("@") else address
        #: Seconds after which systemd takes a silent service for one that hangs.
        self.patience: float | None = None
        if period.isdigit() and int(period) and process in ("", str(os.getpid())):
            self.patience = int(period) / 1_000_000

    def say(self, *assignments: str) -> None:
        """Sends assignments such as ``READY=1``; a systemd that does not listen is no reason to fail."""
        if self.address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(assignments).encode(), self.address)

    def ready(self, status: str) -> None:
        """The service takes clients, after its start or a reload."""
        self.say("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """Sets the line that ``systemctl status`` shows."""
        self.say(f"STATUS={status}")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.say("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self, status: str, grace: float) -> None:
        """The service ends, within so many seconds."""
        longest = int((grace + SPARE) * 1_000_000)
        self.say("STOPPING=1", f"STATUS={status}", f"EXTEND_TIMEOUT_USEC={longest}")

    async def beat(self) -> None:
        """Feeds the watchdog from the event loop, forever: one that hangs feeds it no longer."""
        while self.address and self.patience:
            self.say("WATCHDOG=1")
            await asyncio.sleep(self.patience / 3)
