"""Starts workers, hands connections to them, and ends with all of them."""

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cachy.workers import channel
from cachy.workers.listeners import Place, bind

#: Seconds until a worker must listen; the first start of all makes a CA.
START = 60
#: Seconds for an end in good order.
END = 5
#: So many workers that die within so many seconds are no accident.
DEATHS, WITHIN = 5, 60.0
#: Connections that are taken in one go.
BURST = 64
#: Letters of a folder in which a socket can lie.
SHORT = 70
#: Seconds until one asks again whether any worker takes a connection.
PAUSE = 0.02


class WorkersError(Exception):
    """It could not start, or not go on; the message says why."""


@dataclass
class Worker:
    """A process."""

    number: int
    process: asyncio.subprocess.Process
    channel: socket.socket
    lifeline: int
    #: The places where it takes connections.
    places: set[int] = field(default_factory=set)
    connections: int = 0
    #: When it was last given one; a count, not a time.
    turn: int = 0

    def close(self) -> None:
        """Lets go of a process that is over."""
        asyncio.get_running_loop().remove_reader(self.channel)
        self.channel.close()
        os.close(self.lifeline)


class Supervisor:
    """The processes.

    Args:
        count: How many.
        folder: Where they find each other; whoever is left of them removes it.
        arguments: Those of mitmdump.
        tell: Called with what the first one tells (see `cachy.dump.Listening`) when all of them listen.
        remark: Called with what people should know.
    """

    def __init__(
        self,
        count: int,
        folder: str,
        arguments: Sequence[str],
        tell: Callable[[dict[str, Any]], None],
        remark: Callable[[str], None],
    ) -> None:
        self.count = count
        self.folder = folder
        self.arguments = list(arguments)
        self.tell = tell
        self.remark = remark
        self.workers: list[Worker] = []
        self.places: dict[tuple[str, int, int], Place] = {}
        self.turn = 0
        self.deaths: list[float] = []
        self.tasks: set[asyncio.Task[Any]] = set()
        self.over = asyncio.Event()
        self.binding = asyncio.Lock()
        self.why: str | None = None

    async def run(self) -> None:
        """Runs until a signal ends it.

        Raises:
            WorkersError: It could not start, or its workers die.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # What is ignored, as by nohup, stays so.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self.over.set)
        try:
            begun = self.begin(self.start_all())
            await self.over.wait()
            if begun.done() and not begun.cancelled() and (error := begun.exception()):
                raise error
            if self.why is not None:
                raise WorkersError(self.why)
        finally:
            await self.end()

    def begin(self, work: Any) -> asyncio.Task[Any]:
        """Lets something be done meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def start_all(self) -> None:
        """Starts all workers: the first alone, since it may make the CA."""
        try:
            listening = await self.start(1)
            await asyncio.gather(*(self.start(n) for n in range(2, self.count + 1)))
            self.tell(listening)
        except BaseException:
            self.over.set()
            raise

    async def start(self, number: int) -> dict[str, Any]:
        """Starts one, and waits until it listens.

        Raises:
            WorkersError: It does not.
        """
        told, announce = os.pipe()
        watched, lifeline = os.pipe()
        ours, theirs = channel.pair()
        fds = (announce, watched, theirs.fileno())
        # -P: what lies in the folder where the user stands is none of our modules.
        command = [sys.executable, "-P", "-m", "cachy.dump", *map(str, (*fds, number, self.count))]
        try:
            # A session of its own: a terminal's ^C is for us alone.
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, pass_fds=fds, start_new_session=True
            )
        finally:
            os.close(announce)
            os.close(watched)
            theirs.close()
        worker = Worker(number, process, ours, lifeline)
        self.workers.append(worker)
        asyncio.get_running_loop().add_reader(ours, self.hear, worker)
        with suppress(OSError):
            os.write(lifeline, json.dumps([self.arguments, self.folder]).encode() + b"\n")
        self.begin(self.watch(worker))
        try:
            async with asyncio.timeout(START):
                text = await read(told)
        except TimeoutError:
            raise WorkersError(f"worker {number} does not listen after {START} s") from None
        if not text:
            raise WorkersError("see above")
        listening: dict[str, Any] = json.loads(text)
        return listening

    async def watch(self, worker: Worker) -> None:
        """Waits for the end of a worker, and starts another one in its place."""
        code = await worker.process.wait()
        worker.close()
        self.workers.remove(worker)
        if self.over.is_set() or not worker.places:
            return
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        now = time.monotonic()
        self.deaths = [*(at for at in self.deaths if now - at < WITHIN), now]
        if len(self.deaths) >= DEATHS:
            self.why = f"worker {worker.number} {how}, the {DEATHS}th within a minute"
            self.over.set()
            return
        try:
            await self.start(worker.number)
            self.remark(f"worker {worker.number} {how}; another one has taken its place")
        except (OSError, WorkersError) as error:
            self.why = f"worker {worker.number} {how}, and did not start again: {error}"
            self.over.set()

    def hear(self, worker: Worker) -> None:
        """A worker has something to say."""
        # Where it is gone, `watch` sees to it.
        if (heard := channel.heard(worker.channel)) is None:
            return
        message, _ = heard
        if isinstance(message, int):
            worker.connections -= message
        else:
            self.begin(self.place(worker, message["host"], message["port"], message["time"]))

    async def place(self, worker: Worker, host: str, port: int, time: int) -> None:
        """Lets a worker take connections of a place, where the first that asks has it bound."""
        loop = asyncio.get_running_loop()
        async with self.binding:
            place = self.places.get((host, port, time))
            if place is None:
                try:
                    place = await bind(len(self.places), host, port)
                except OSError as error:
                    channel.say(worker.channel, {"errno": error.errno, "why": error.strerror})
                    return
                self.places[host, port, time] = place
                for listener in place.sockets:
                    loop.add_reader(listener, self.accept, place, listener)
        channel.say(worker.channel, {"place": place.number, "addresses": place.addresses})
        worker.places.add(place.number)

    def accept(self, place: Place, listener: socket.socket) -> None:
        """Takes what has come in, and hands it on."""
        for _ in range(BURST):
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError as error:
                self.remark(f"cannot take a connection: {error.strerror}")
                self.begin(self.accept_later(1, place, listener))
                return
            if not self.hand_over(place, connection):
                self.begin(self.accept_later(PAUSE, place, listener, connection))
                return
            connection.close()

    async def accept_later(
        self,
        seconds: float,
        place: Place,
        listener: socket.socket,
        waiting: socket.socket | None = None,
    ) -> None:
        """Takes nothing for a while, or until a worker takes the connection that waits."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        await asyncio.sleep(seconds)
        if waiting is not None:
            with waiting:
                while not self.hand_over(place, waiting):
                    await asyncio.sleep(seconds)
        loop.add_reader(listener, self.accept, place, listener)

    def hand_over(self, place: Place, connection: socket.socket) -> bool:
        """Gives a connection to the worker with the fewest; whether one took it."""
        able = [worker for worker in self.workers if place.number in worker.places]
        able.sort(key=lambda worker: (worker.connections, worker.turn))
        for worker in able:
            try:
                channel.hand_over(worker.channel, place.number, connection)
            except OSError:
                continue  # It has enough to do, or is gone.
            self.turn += 1
            worker.turn = self.turn
            worker.connections += 1
            return True
        return False

    async def end(self) -> None:
        """Ends all of them."""
        self.over.set()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for place in self.places.values():
            for listener in place.sockets:
                asyncio.get_running_loop().remove_reader(listener)
            place.close()
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.process.terminate()
        waiting = [asyncio.create_task(worker.process.wait()) for worker in self.workers]
        if waiting and (await asyncio.wait(waiting, timeout=END))[1]:
            for worker in self.workers:
                with suppress(ProcessLookupError):
                    worker.process.kill()
            await asyncio.wait(waiting)
        for worker in self.workers:
            worker.close()


async def read(pipe: int) -> bytes:
    """All that comes out of a pipe."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    with os.fdopen(pipe, "rb", buffering=0) as file:
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader, loop=loop), file
        )
        try:
            return await reader.read()
        finally:
            transport.close()


def supervise(
    count: int,
    arguments: Sequence[str],
    tell: Callable[[dict[str, Any]], None],
    remark: Callable[[str], None],
) -> None:
    """Runs several workers until a signal ends them; see `Supervisor`.

    Raises:
        WorkersError: They could not start, or die.
    """

    async def run(folder: str) -> None:
        await Supervisor(count, folder, arguments, tell, remark).run()

    place = tempfile.gettempdir()
    # The names of sockets are short.
    with tempfile.TemporaryDirectory(
        prefix="cachy-", dir=place if len(place) < SHORT else "/tmp"
    ) as folder:
        asyncio.run(run(folder))
