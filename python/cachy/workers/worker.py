"""In a worker: takes the connections that the supervisor hands over."""

import asyncio
import logging
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from mitmproxy.proxy.mode_servers import AsyncioServerInstance

from cachy._core import join_siblings
from cachy.workers import channel

logger = logging.getLogger(__name__)

#: Seconds between two signs of life.
BEAT = 1.0

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Address:
    """A socket of the supervisor's, of which mitmproxy wants to know the address."""

    def __init__(self, address: Any) -> None:
        self.address = address

    def getsockname(self) -> Any:
        """Where it listens."""
        return self.address


class Server:
    """In the place of an `asyncio.Server`."""

    def __init__(self, addresses: list[Any]) -> None:
        self.sockets = [Address(tuple(each)) for each in addresses]
        self.handler: Handler | None = None

    def close(self) -> None:
        """Takes no more connections."""
        self.handler = None


class Worker:
    """The worker's end of the channel.

    Args:
        descriptor: The channel.
    """

    def __init__(self, descriptor: int) -> None:
        self.channel = socket.socket(fileno=descriptor)
        self.servers: dict[int, Server] = {}
        self.asked: Counter[tuple[str, int]] = Counter()
        self.answer: asyncio.Future[dict[str, Any]] | None = None
        self.asking = asyncio.Lock()
        self.tasks: set[asyncio.Task[None]] = set()
        #: Connections that were taken, and that are over, of which the supervisor doesn't know yet.
        self.taken = 0
        self.over = 0
        #: Called when the supervisor wants this worker to end.
        self.end: Callable[[], object] = lambda: None

    def install(self) -> None:
        """Lets mitmproxy's servers take their connections from here."""

        async def listen(server: Any, host: str, port: int) -> list[Any]:
            kind = server.mode.transport_protocol
            if kind != "tcp":
                raise OSError(f"only TCP can be shared by several workers, not {kind}")
            return [await self.listen(server.mode.type_name, host, port, server.handle_stream)]

        AsyncioServerInstance.listen = listen  # type: ignore[method-assign, assignment]

    async def listen(self, kind: str, host: str, port: int, handler: Handler) -> Server:
        """Takes what comes in at an address.

        Args:
            kind: The mode of mitmproxy's server.
            host: The address; all of them where it is empty.
            port: The port; 0 for a free one.
            handler: Called with each connection.

        Raises:
            OSError: Nobody can listen there.
        """
        async with self.asking:
            if not self.servers:
                asyncio.get_running_loop().add_reader(self.channel, self.hear)
            self.answer = asyncio.get_running_loop().create_future()
            # Two servers on "any free port" are two.
            time = self.asked[host, port]
            self.asked[host, port] += 1
            asked = {"kind": kind, "host": host, "port": port, "time": time}
            channel.say(self.channel, asked)
            answer = await self.answer
        if "errno" in answer:
            raise OSError(answer["errno"], answer["why"])
        server = self.servers[answer["place"]]
        server.handler = handler
        return server

    def hear(self) -> None:
        """Something has come from the supervisor."""
        # Where it is gone, whoever watches the lifeline ends us.
        if (heard := channel.heard(self.channel)) is None:
            return
        message, fds = heard
        if isinstance(message, int):
            self.take(message, socket.socket(fileno=fds[0]))
            return
        if isinstance(message, list):
            return
        if "end" in message:
            self.end()
            return
        if "place" in message:
            self.servers[message["place"]] = Server(message["addresses"])
        if self.answer is not None:
            self.answer.set_result(message)

    def take(self, place: int, connection: socket.socket) -> None:
        """Begins to serve a connection."""
        self.taken += 1
        server = self.servers.get(place)
        if server is None or server.handler is None:
            connection.close()
            self.over += 1
            self.tell()
            return
        self.tell()
        task = asyncio.get_running_loop().create_task(self.serve(server.handler, connection))
        self.tasks.add(task)
        task.add_done_callback(self.served)

    async def serve(self, handler: Handler, connection: socket.socket) -> None:
        """Serves a connection to its end, as `asyncio.start_server` would."""
        loop = asyncio.get_running_loop()
        over = loop.create_future()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                # Python 3.11 logs a traceback for each that is cancelled when the process ends.
                with suppress(asyncio.CancelledError):
                    await handler(reader, writer)
            finally:
                if not over.done():
                    over.set_result(None)

        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, handle, loop=loop)
        await loop.connect_accepted_socket(lambda: protocol, connection)
        await over

    def served(self, task: asyncio.Task[None]) -> None:
        """A connection is over."""
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.debug(f"a connection could not be taken: {error!r}")
        self.over += 1
        self.tell()

    def tell(self) -> None:
        """Tells the supervisor how many connections were taken and are over, now or with the next ones."""
        try:
            channel.say(self.channel, [self.taken, self.over])
        except OSError:
            return
        self.taken = self.over = 0

    def leave(self) -> bool:
        """Asks to be told to end, behind the last connection. Returns whether the supervisor has heard."""
        try:
            channel.say(self.channel, {"leaving": True})
        except OSError:
            return False
        return True

    async def beat(self) -> None:
        """Tells the supervisor that the event loop goes on, forever."""
        while True:
            self.tell()
            await asyncio.sleep(BEAT)


class Numbered:
    """A stream whose lines begin with the worker's number, and come whole.

    Args:
        stream: Where they go.
        number: The number.
    """

    def __init__(self, stream: TextIO, number: int) -> None:
        self.stream = stream
        self.mark = f"[worker {number}] "
        self.line = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Takes text, and passes on what is whole."""
        *lines, self.line = (self.line + text).split("\n")
        if lines:
            self.stream.write("".join(f"{self.mark}{line}\n" if line else "\n" for line in lines))
            self.stream.flush()
        return len(text)


def become(folder: Path, descriptor: int, number: int, all_of_them: int) -> Worker:
    """Makes this process a worker.

    Args:
        folder: Where the workers find each other.
        descriptor: The channel to the supervisor.
        number: Which one.
        all_of_them: How many there are.
    """
    sys.stdout = Numbered(sys.stdout, number)
    sys.stderr = Numbered(sys.stderr, number)
    worker = Worker(descriptor)
    worker.install()
    try:
        join_siblings(folder, number, all_of_them)
    except OSError as error:
        sys.stderr.write(f"cachy: statistics are each worker's own: {error}\n")
    return worker
