"""A worker as its supervisor sees it."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cachy.workers import channel

#: Seconds until a worker must listen; the first start of all makes a CA.
START = 60
#: Seconds of silence after which a worker gets no more connections as long as another one speaks.
SILENT = 3.0
#: Seconds until it is told again what it could not hear.
FULL = 0.05


class WorkersError(Exception):
    """It could not start, or not go on; the message says why."""


class EndedError(WorkersError):
    """It ended before it listened, and has said why if it could."""

    def __init__(self, worker: "Worker", code: int) -> None:
        super().__init__(f"worker {worker.number} {how_it_ended(code)}, see above")
        #: It was not its own decision.
        self.killed = code in (-signal.SIGKILL, -signal.SIGTERM)


def how_it_ended(code: int) -> str:
    """What a return code means."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"


@dataclass(eq=False)
class Worker:
    """A process."""

    number: int
    process: asyncio.subprocess.Process
    channel: socket.socket
    lifeline: int
    told: int
    #: The places where it takes connections.
    places: set[int] = field(default_factory=set)
    #: Its start is over: it takes connections.
    ready: bool = False
    #: When that was, by the monotonic clock.
    begun: float = 0.0
    #: It is to end, and gets no more of them.
    retired: bool = False
    connections: int = 0
    #: When it was last given one; a count, not a time.
    turn: int = 0
    #: When it last said something, by the monotonic clock.
    heard: float = field(default_factory=time.monotonic)
    #: The place and the socket of each connection that it has not taken yet.
    sent: deque[tuple[int, socket.socket]] = field(default_factory=deque)

    @property
    def takes(self) -> bool:
        """Whether it may be given connections."""
        return self.ready and not self.retired

    @property
    def served(self) -> float:
        """Seconds for which it has taken connections."""
        return time.monotonic() - self.begun if self.ready else 0.0

    @property
    def silence(self) -> float:
        """Seconds since it last said something."""
        return time.monotonic() - self.heard

    @property
    def order(self) -> tuple[bool, int, int]:
        """The less, the sooner it gets the next connection."""
        return self.silence > SILENT, self.connections, self.turn

    async def listening(self) -> dict[str, Any]:
        """Waits until its start is over. Returns what it tells, see `cachy.listening.Listening`.

        Raises:
            WorkersError: It has not started. It is ended, if it has not ended by itself.
        """
        told, self.told = self.told, -1
        try:
            async with asyncio.timeout(START):
                text = await read(told)
        except TimeoutError:
            self.kill()
            raise WorkersError(f"worker {self.number} does not listen after {START} s") from None
        if not text:
            raise EndedError(self, await self.process.wait())
        self.ready, self.begun = True, time.monotonic()
        listening: dict[str, Any] = json.loads(text)
        return listening

    def hand_over(self, place: int, connection: socket.socket) -> None:
        """Gives it a connection, which stays open here until it has taken it.

        Raises:
            OSError: It takes none now, or is gone.
        """
        channel.hand_over(self.channel, place, connection)
        self.sent.append((place, connection))
        self.connections += 1

    def take_note(self, message: list[int]) -> None:
        """It tells how many connections it has taken, and how many are over."""
        taken, over = message
        self.connections -= over
        for _ in range(min(taken, len(self.sent))):
            self.sent.popleft()[1].close()

    async def retire(self) -> None:
        """Lets it finish what it does, and end: it hears so behind the last connection that it was given."""
        self.retired = True
        while self.process.returncode is None:
            try:
                channel.say(self.channel, {"end": True})
            except BlockingIOError:
                await asyncio.sleep(FULL)
                continue
            except OSError:
                pass  # It is gone.
            return

    def signal(self, number: int) -> None:
        """Sends a signal, where it is still there."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill(self) -> None:
        """Ends it at once."""
        with suppress(ProcessLookupError):
            self.process.kill()

    def close(self) -> None:
        """Lets go of a process that is over."""
        asyncio.get_running_loop().remove_reader(self.channel)
        self.channel.close()
        os.close(self.lifeline)
        if self.told >= 0:
            os.close(self.told)
            self.told = -1


async def spawn(number: int, count: int, orders: list[Any]) -> Worker:
    """Starts a process.

    Args:
        number: Which one; no two have the same.
        count: How many there are to be at a time.
        orders: What it reads first, see `cachy.dump.main`.

    Raises:
        OSError: There is no room for another one.
    """
    told, announce = os.pipe()
    watched, lifeline = os.pipe()
    ours, theirs = channel.pair()
    fds = (announce, watched, theirs.fileno())
    # -P: what lies in the folder where the user stands is none of our modules.
    command = [sys.executable, "-P", "-m", "cachy.dump", *map(str, (*fds, number, count))]
    try:
        # A session of its own: a terminal's ^C is for the supervisor alone.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, pass_fds=fds, start_new_session=True
        )
    except BaseException:
        os.close(told)
        os.close(lifeline)
        ours.close()
        raise
    finally:
        os.close(announce)
        os.close(watched)
        theirs.close()
    with suppress(OSError):
        os.write(lifeline, json.dumps(orders).encode() + b"\n")
    return Worker(number, process, ours, lifeline, told)


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
