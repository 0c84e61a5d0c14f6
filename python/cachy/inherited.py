"""Sockets that somebody else listens on for us: the protocol of sd_listen_fds(3), socket activation."""

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass

#: The first descriptor that is passed.
FIRST = 3
#: The name of the sockets that are for clients which don't know of the proxy.
TRANSPARENT = "transparent"


@dataclass
class Inherited:
    """Listening sockets, each for one server of mitmproxy's."""

    regular: list[socket.socket]
    transparent: list[socket.socket]

    @property
    def all(self) -> list[socket.socket]:
        """Those that nobody has taken yet."""
        return [*self.regular, *self.transparent]

    def take(self, kind: str) -> list[socket.socket]:
        """The sockets of a server; none where it has to bind its own.

        Args:
            kind: The server's mode, such as ``regular`` or ``transparent``.
        """
        sockets = self.transparent if kind == TRANSPARENT else self.regular
        taken = sockets[:]
        sockets.clear()
        return taken


def inherit(environ: MutableMapping[str, str]) -> Inherited:
    """Takes the sockets that are passed to this process.

    Args:
        environ: The environment, which loses the variables that tell of them.

    Raises:
        ValueError: One of them takes no TCP connections; the message says which.
    """
    process, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    inherited = Inherited([], [])
    if process != str(os.getpid()) or not count.isdigit():
        return inherited
    for number in range(int(count)):
        name = names[number] if number < len(names) else ""
        sock = listening(FIRST + number, name)
        (inherited.transparent if name == TRANSPARENT else inherited.regular).append(sock)
    return inherited


def listening(descriptor: int, name: str) -> socket.socket:
    """A listening socket, which no process that we start inherits.

    Raises:
        ValueError: It is something else.
    """
    with suppress(OSError):
        sock = socket.socket(fileno=descriptor)
        families = socket.AF_INET, socket.AF_INET6
        if (
            sock.family in families
            and sock.type == socket.SOCK_STREAM
            and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        ):
            os.set_inheritable(descriptor, False)
            sock.setblocking(False)
            return sock
        sock.detach()
    raise ValueError(
        f"the socket {name or descriptor} that was passed (LISTEN_FDS) is no listening TCP socket"
    )
