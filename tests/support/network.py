"""The test's hand on the name service that `route.py` is for a proxy."""

import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from .origin import Origin

Trouble = Literal["refused", "blackhole", "noname", "nodns"]


class Blackhole:
    """A port that lets every connection attempt hang (Linux only).

    Its accept queue is full, so the kernel drops every further SYN.
    """

    def __init__(self) -> None:
        self._sockets = [socket.socket()]
        listener = self._sockets[0]
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        self.port: int = listener.getsockname()[1]
        for _ in range(10):
            client = socket.socket()
            client.settimeout(0.2)
            self._sockets.append(client)
            try:
                client.connect(("127.0.0.1", self.port))
            except TimeoutError:
                return
        raise RuntimeError("this kernel takes every connection")

    def close(self) -> None:
        """Refuse from now on."""
        for each in self._sockets:
            each.close()


class Network:
    """Sends all host names to one origin, or into trouble.

    - `refused`: nobody listens
    - `blackhole`: connecting never ends
    - `noname`: the name does not exist
    - `nodns`: the name service never answers
    """

    def __init__(self, folder: Path, origin: Origin) -> None:
        self._switch = folder / "network"
        self._ports = folder / "ports"
        self._origin = origin
        self._blackhole = Blackhole()
        # Bound and never listening: refuses, and nobody else gets the port.
        self._closed = socket.socket()
        self._closed.bind(("127.0.0.1", 0))
        self._troubles: dict[str, Trouble] = {}
        self._routes: dict[str, int] = {}

    @property
    def env(self) -> dict[str, str]:
        """What a proxy needs in its environment."""
        return {
            "CACHY_TEST_HTTP_PORT": str(self._origin.http_port),
            "CACHY_TEST_HTTPS_PORT": str(self._origin.https_port),
            "CACHY_TEST_BLACKHOLE_PORT": str(self._blackhole.port),
            "CACHY_TEST_CLOSED_PORT": str(self._closed.getsockname()[1]),
            "CACHY_TEST_DOWN": str(self._switch),
            "CACHY_TEST_PORTS": str(self._ports),
        }

    def down(self, host: str = "*", trouble: Trouble = "refused") -> None:
        """Nobody connects to `host` ("*": to any) any more; living ones stay."""
        self._troubles[host] = trouble
        self._write(self._switch, self._troubles)

    def up(self, host: str | None = None) -> None:
        """All is well again: with one host, or altogether."""
        if host is None:
            self._troubles.clear()
        else:
            self._troubles.pop(host, None)
        self._write(self._switch, self._troubles)

    def send(self, authority: str, port: int) -> None:
        """Lead `host:port` to another server on loopback."""
        self._routes[authority] = port
        self._write(self._ports, self._routes)

    def clear(self) -> None:
        """All hosts to the origin, no trouble."""
        self.up()
        self._routes.clear()
        self._write(self._ports, self._routes)

    def _write(self, path: Path, entries: dict[str, Trouble] | dict[str, int]) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text("".join(f"{k} {v}\n" for k, v in entries.items()))
        os.replace(fresh, path)

    def close(self) -> None:
        """Give the ports back."""
        self._blackhole.close()
        self._closed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
