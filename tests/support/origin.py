"""An origin server on loopback that answers for any host name."""

import asyncio
import contextlib
import itertools
import ssl
import threading
import weakref
from collections.abc import Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from .ca import CA
from .gate import Gate
from .message import Request
from .origin_h1 import Peer, serve_http1
from .origin_h2 import Http2Connection
from .reply import Reply
from .routes import Routes

T = TypeVar("T")


class Origin(Routes):
    """HTTP on one port and HTTPS on another, in a thread with its own loop."""

    def __init__(self, ca: CA, untrusted: CA | None = None) -> None:
        super().__init__()
        self._ca = ca
        self._untrusted = untrusted
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._servers: list[asyncio.Server] = []
        self._ports = {"http": 0, "https": 0}
        self._numbers = itertools.count(1)
        self._peers: dict[asyncio.Task[None], Peer] = {}
        self._busy: dict[int, int] = {}
        self._sni: weakref.WeakKeyDictionary[ssl.SSLObject, str] = weakref.WeakKeyDictionary()
        self.accepted = 0
        """Connections accepted (TLS: shaken hands) since the last `clear()`."""
        self.http2_hosts: set[str] = set()
        """Hosts (as SNI) that offer HTTP/2."""
        self.untrusted_hosts: set[str] = set()
        """Hosts whose certificate comes from a CA that nobody trusts."""
        self.careless_hosts: set[str] = set()
        """Hosts that don't read bodies, and take what is in them for the next request."""

    def start(self) -> Self:
        """Listen."""
        self._thread.start()
        self.resume()
        return self

    def stop(self) -> None:
        """Close everything and end the thread."""
        self.stop_listening()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def http_port(self) -> int:
        """The port of plain HTTP, the same for the origin's whole life."""
        return self._ports["http"]

    @property
    def https_port(self) -> int:
        """The port of HTTPS, the same for the origin's whole life."""
        return self._ports["https"]

    @property
    def open_connections(self) -> int:
        """How many connections live."""
        return len(self._peers)

    def clear(self) -> None:
        """Back to the state after `start()`; answers under way are cut."""
        self.forget()
        self.resume()
        self._call(self._cut(idle=False))
        self.forget()
        self.accepted = 0
        self.http2_hosts.clear()
        self.untrusted_hosts.clear()
        self.careless_hosts.clear()

    def stop_listening(self) -> None:
        """Be dead: refuse connections and cut those that live."""
        self._call(self._unlisten())
        self.drop_connections()

    def resume(self) -> None:
        """Listen again on the same ports."""
        if not self._servers:
            self._call(self._listen())

    def drop_connections(self) -> None:
        """Cut the connections that live, but go on listening."""
        self._call(self._cut(idle=True))

    def gate(self) -> Gate:
        """A new gate that handlers can wait at."""
        return Gate(self._loop)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._ca.leaf("127.0.0.1"))
        context.sni_callback = self._on_sni
        for scheme, tls in (("http", None), ("https", context)):
            server = await asyncio.start_server(
                partial(self._serve, scheme),
                host="127.0.0.1",
                port=self._ports[scheme],
                ssl=tls,
                limit=1 << 20,
                backlog=512,
            )
            self._servers.append(server)
            self._ports[scheme] = server.sockets[0].getsockname()[1]

    async def _unlisten(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def _cut(self, *, idle: bool) -> None:
        doomed = {
            task: peer for task, peer in self._peers.items() if idle or peer.number in self._busy
        }
        for task, peer in doomed.items():
            peer.writer.transport.abort()
            task.cancel()
        if doomed:
            await asyncio.wait(doomed, timeout=5)

    def _on_sni(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if name:
            self._sni[tls] = name
            untrusted = name in self.untrusted_hosts
            ca = self._untrusted if untrusted and self._untrusted else self._ca
            h2 = ("h2",) if name in self.http2_hosts else ()
            tls.context = ca.context(name, (*h2, "http/1.1"))
        return None

    async def _serve(
        self, scheme: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.accepted += 1
        tls = writer.get_extra_info("ssl_object")
        sni = self._sni.get(tls) if tls else None
        number = next(self._numbers)
        peer = Peer(reader, writer, scheme, sni, number, self.careless_hosts)
        task = asyncio.current_task()
        assert task is not None
        self._peers[task] = peer
        try:
            if tls and tls.selected_alpn_protocol() == "h2":
                await Http2Connection(peer, self.answer).serve()
            else:
                await serve_http1(peer, self.answer)
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 5)
            del self._peers[task]

    async def answer(self, request: Request, reply: Reply) -> None:
        """See `Routes.answer`."""
        number = request.connection
        self._busy[number] = self._busy.get(number, 0) + 1
        try:
            await super().answer(request, reply)
        finally:
            self._busy[number] -= 1
            if not self._busy[number]:
                del self._busy[number]
