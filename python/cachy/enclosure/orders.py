"""What the process inside is told, and what it tells."""

import json
import os
import socket
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Orders:
    """What to do inside."""

    command: list[str]
    env: dict[str, str]
    folder: str
    """Where what covers the system's files lies."""
    ports: list[int]
    """Those that are led to the proxy."""
    parent: int
    """The process id of who gives these orders."""

    def to_file(self) -> int:
        """Writes them to a file in memory: no command line or environment shows them."""
        fd = os.memfd_create("orders")
        with open(fd, "w", closefd=False) as file:
            json.dump(asdict(self), file)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    @classmethod
    def from_file(cls, fd: int) -> "Orders":
        """Reads and closes such a file."""
        with open(fd) as file:
            return cls(**json.load(file))


def tell(channel: socket.socket, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
    """Sends one message with file descriptors.

    Raises:
        OSError: Nobody listens any more.
    """
    socket.send_fds(channel, [json.dumps(message).encode()], fds)


def hear(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Takes one message with its file descriptors; None at the end.

    Raises:
        OSError: Nothing is there yet, of a channel that doesn't block.
    """
    data, fds, _, _ = socket.recv_fds(channel, 1 << 16, 1)
    return (json.loads(data), list(fds)) if data else None
