"""What a supervisor and a worker say to each other: one message a packet."""

import asyncio
import json
import socket
import sys
from typing import Any

#: Both know where a message ends; only Linux also has the one that tells of the other's end.
KIND = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
#: Bytes of a message.
MOST = 8192


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends, neither of which waits."""
    ends = socket.socketpair(socket.AF_UNIX, KIND)
    for each in ends:
        each.setblocking(False)
    return ends


#: Of a supervisor: an answer, that it is to end, or with a descriptor the place of a connection. Of a worker:
#: what it wants, or how many connections it has taken and how many are over since the last time.
Message = dict[str, Any] | list[int] | int


def say(channel: socket.socket, message: Message) -> None:
    """Sends a message.

    Raises:
        BlockingIOError: The other end has enough to do.
        OSError: It is gone.
    """
    channel.send(json.dumps(message).encode())


def hand_over(channel: socket.socket, place: int, connection: socket.socket) -> None:
    """Sends a connection that came in at a place.

    Raises:
        OSError: As `say`.
    """
    socket.send_fds(channel, [b"%d" % place], [connection.fileno()])


def hear(channel: socket.socket) -> tuple[Message, list[int]] | None:
    """Receives a message, or a connection's place and descriptor. `None`: nobody is there any more.

    Raises:
        BlockingIOError: Nothing has come.
        OSError: The other end is gone.
    """
    data, fds, _, _ = socket.recv_fds(channel, MOST, 1)
    return (json.loads(data), fds) if data else None


def heard(channel: socket.socket) -> tuple[Message, list[int]] | None:
    """What the event loop has found, where it is something. Once the other end is gone it looks no more."""
    try:
        found = hear(channel)
    except BlockingIOError:
        return None
    except OSError:
        found = None
    if found is None:
        asyncio.get_running_loop().remove_reader(channel)
    return found
