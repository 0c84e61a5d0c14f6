"""Outside: takes the connections that come from inside, and carries them to a proxy."""

import asyncio
import base64
import signal
import socket
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import unquote, urlsplit

from cachy.enclosure.orders import hear

_PIECE = 256 * 1024
#: How long the proxy may take to answer CONNECT, in seconds.
_PATIENCE = 60


class Relay:
    """Carries connections while the context lasts, in a thread of its own.

    Its owner, which holds SIGCHLD back, gets that signal when the inside ends.

    Args:
        channel: Where they come from.
        proxy_url: ``http://[user:password@]host:port``, a proxy that knows CONNECT.
        run: The id of the run that they belong to.
    """

    def __init__(self, channel: socket.socket, proxy_url: str, run: str | None) -> None:
        proxy = urlsplit(proxy_url)
        self._proxy = (proxy.hostname or "127.0.0.1", proxy.port or 80)
        self._channel = channel
        self._head = f"Cachy-Run: {run}\r\n" if run else ""
        if proxy.username is not None:
            login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
            self._head += f"Proxy-Authorization: Basic {base64.b64encode(login).decode()}\r\n"
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._owner = threading.get_ident()
        #: Whether nothing comes from inside any more, since nobody is there.
        self.ended = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        self._channel.setblocking(False)

        def take() -> None:
            try:
                found = hear(self._channel)
            except BlockingIOError:
                return
            if found is None:
                self._loop.remove_reader(self._channel)
                self.ended = True
                # A thread that doesn't hold it back may have taken the kernel's.
                signal.pthread_kill(self._owner, signal.SIGCHLD)
                return
            message, fds = found
            task = self._loop.create_task(self._carry(fds[0], str(message["to"])))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        self._loop.add_reader(self._channel, take)
        await self._over.wait()
        self._loop.remove_reader(self._channel)

    async def _carry(self, fd: int, authority: str) -> None:
        """Carries one connection; where the proxy doesn't take it, it breaks off."""
        reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=fd))
        try:
            async with asyncio.timeout(_PATIENCE):
                up_reader, up_writer = await self._connect(authority)
        except (OSError, EOFError, ValueError, TimeoutError):
            writer.transport.abort()
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, up_writer))
                group.create_task(_pump(up_reader, writer))
        except* OSError:
            pass
        finally:
            for each in (writer, up_writer):
                each.transport.abort() if _unsent(each) else each.close()

    async def _connect(self, authority: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self._proxy)
        try:
            head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{self._head}\r\n"
            writer.write(head.encode())
            status = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
            if not status.startswith(b"2"):
                raise ConnectionRefusedError(f"CONNECT was answered {status.decode()}")
        except BaseException:
            writer.close()
            raise
        return reader, writer


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_PIECE):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


def _unsent(writer: asyncio.StreamWriter) -> bool:
    return writer.transport.get_write_buffer_size() > 0
