"""What systemd does for a service: it passes sockets (sd_listen_fds(3)), and is told how the service is
(sd_notify(3))."""

import fcntl
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

#: Takes the descriptors and their names; executes the rest of its line.
PASS_ON = """
import os, sys
passed, names, *command = sys.argv[1:]
descriptors = [int(word) for word in passed.split(",")]
for number, descriptor in enumerate(descriptors):
    os.dup2(descriptor, 3 + number)
count = str(len(descriptors))
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count, "LISTEN_FDNAMES": names}
os.execv(command[0], command)
"""
#: Far from those that are dealt with.
FIRST = 100


class Passed:
    """Sockets for a service, which stay open when it ends. For `Cachy.start`.

    Args:
        sockets: The sockets.
        names: Theirs.
    """

    def __init__(self, sockets: Sequence[socket.socket], names: Sequence[str]) -> None:
        self.names = ":".join(names)
        self.copies = [fcntl.fcntl(each.fileno(), fcntl.F_DUPFD, FIRST) for each in sockets]

    def close(self) -> None:
        """Lets go of the copies for services."""
        for each in self.copies:
            os.close(each)

    @property
    def more(self) -> dict[str, Any]:
        """Keyword arguments."""
        numbers = ",".join(str(each) for each in self.copies)
        words = [sys.executable, "-c", PASS_ON, numbers, self.names]
        return {"prefix": words, "pass_fds": self.copies}


class Manager:
    """Hears what a service says of itself.

    Args:
        folder: Where its socket lies.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(self.path))
        self.sock.settimeout(30)
        self.messages: list[dict[str, str]] = []

    def env(self, watchdog: float | None = None) -> dict[str, str]:
        """Variables for the service.

        Args:
            watchdog: Seconds after which it would be taken for one that hangs.
        """
        period = {} if watchdog is None else {"WATCHDOG_USEC": str(int(watchdog * 1_000_000))}
        return {"NOTIFY_SOCKET": str(self.path)} | period

    def hear(self) -> dict[str, str]:
        """The next message."""
        text = self.sock.recv(4096).decode()
        message = dict(line.split("=", 1) for line in text.splitlines())
        self.messages.append(message)
        return message

    def wait_for(self, name: str) -> dict[str, str]:
        """The next message that says something of that name."""
        while name not in (message := self.hear()):
            pass
        return message

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sock.close()
