"""A small proxy before a proxy, by which that one knows whose connections these are."""

import asyncio
import signal
import ssl
import threading
from dataclasses import replace
from typing import Self

from cachy.cli.through import Proxy

PIECE = 256 * 1024
#: Bytes of a request line that is worth reading.
LINE = 1024 * 1024


class Relay:
    """Puts a field into the first request of each connection, and else passes bytes."""

    def __init__(self, proxy: Proxy, field: str) -> None:
        """Begins to listen on a free port of loopback.

        Args:
            proxy: Whereto.
            field: The field line (RFC 9112 section 5), without its end.
        """
        self.proxy = proxy
        self.field = field.encode()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def proxy_here(self) -> Proxy:
        """What clients are given; with the proxy's credentials, which they send themselves."""
        return replace(self.proxy, host="127.0.0.1", port=self.port, tls=False)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        # They are the main thread's, which may wait for them.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._listen())
        finally:
            self._ready.set()

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0, limit=LINE)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            # What was closed is so in the next turn.
            await asyncio.sleep(0)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: of one that asyncio makes, it prints that it was cancelled.
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            line = await reader.readuntil(b"\n")
            try:
                theirs, ours = await self._connect()
            except OSError as error:
                text = f"cachy run: {self.proxy} does not answer: {error}\n".encode()
                head = f"HTTP/1.1 502 Bad Gateway\r\nContent-Length: {len(text)}\r\n"
                writer.write(head.encode() + b"Connection: close\r\n\r\n" + text)
                await writer.drain()
            else:
                ends.append(ours)
                ours.write(line + self.field + b"\r\n")
                await asyncio.gather(pass_on(reader, ours), pass_on(theirs, writer))
        except (OSError, asyncio.LimitOverrunError, asyncio.IncompleteReadError):
            pass  # A peer that leaves, or that sends no request at all.
        finally:
            for end in ends:
                end.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context() if self.proxy.tls else None
        return await asyncio.open_connection(
            self.proxy.host, self.proxy.port, ssl=context, limit=LINE
        )


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes bytes in one direction, and the end.

    Raises:
        OSError: Either end broke off, so that neither is of use any more.
    """
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()
