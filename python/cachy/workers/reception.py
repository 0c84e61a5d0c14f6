"""Accepts connections, and hands each to the worker that has the fewest."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from cachy.inherited import Inherited
from cachy.workers.listeners import Place, bind
from cachy.workers.process import Worker

#: Connections that are accepted in one go.
BURST = 64
#: Seconds until a worker is asked again that takes none right now.
PAUSE = 0.02
#: Seconds until the system is asked again, if it has no more descriptors.
REST = 1.0


class Reception:
    """The listening sockets. Nothing is accepted while no worker takes connections: clients wait.

    Args:
        workers: All that there are.
        inherited: Sockets that somebody else has bound.
        remark: Called with what people should know.
    """

    def __init__(
        self,
        workers: Iterable[Worker],
        inherited: Inherited,
        remark: Callable[[str], None],
    ) -> None:
        self.workers = workers
        self.inherited = inherited
        self.remark = remark
        self.places: dict[tuple[str, int, int], Place] = {}
        self.binding = asyncio.Lock()
        #: Accepted, and with no worker: place and socket.
        self.waiting: deque[tuple[int, socket.socket]] = deque()
        self.turn = 0
        self.open = False
        self.closed = False
        self.later: asyncio.TimerHandle | None = None

    async def place(self, kind: str, host: str, port: int, time: int) -> Place:
        """The place of a server of mitmproxy's, which the first worker that asks has bound.

        Args:
            kind: The server's mode.
            host: The address to listen on.
            port: The port, 0 for a free one.
            time: How many servers of a worker are there already.

        Raises:
            OSError: Nobody can listen there.
        """
        async with self.binding:
            if (place := self.places.get((host, port, time))) is None:
                number = len(self.places)
                sockets = self.inherited.take(kind)
                place = Place(number, sockets) if sockets else await bind(number, host, port)
                self.places[host, port, time] = place
                if self.open:
                    self.listen(place)
            return place

    def update(self) -> None:
        """Workers have come or gone, or take connections again."""
        while self.waiting and self.hand_over(*self.waiting[0]):
            self.waiting.popleft()
        able = any(worker.takes for worker in self.workers)
        if self.waiting and able:
            self.pause(PAUSE)
        self.set_open(able and not self.waiting and not self.closed)

    def set_open(self, wanted: bool) -> None:
        """Accepts what comes in, or nothing."""
        if wanted != self.open:
            self.open = wanted
            for place in self.places.values():
                (self.listen if wanted else self.rest)(place)

    def listen(self, place: Place) -> None:
        """Accepts what comes in at a place."""
        for listener in place.sockets:
            asyncio.get_running_loop().add_reader(listener, self.accept, place, listener)

    def rest(self, place: Place) -> None:
        """Accepts nothing there."""
        for listener in place.sockets:
            asyncio.get_running_loop().remove_reader(listener)

    def pause(self, seconds: float) -> None:
        """Looks again after a while."""
        if self.later is None:

            def again() -> None:
                self.later = None
                self.update()

            self.later = asyncio.get_running_loop().call_later(seconds, again)

    def accept(self, place: Place, listener: socket.socket) -> None:
        """Takes what has come in, and hands it on."""
        for _ in range(BURST):
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError as error:
                self.remark(f"cannot take a connection: {error.strerror}")
                self.set_open(False)
                self.pause(REST)
                return
            if not self.hand_over(place.number, connection):
                self.waiting.append((place.number, connection))
                self.update()
                return

    def hand_over(self, place: int, connection: socket.socket) -> bool:
        """Gives a connection to the worker with the fewest; whether one took it."""
        able = [worker for worker in self.workers if worker.takes and place in worker.places]
        for worker in sorted(able, key=lambda worker: worker.order):
            with suppress(OSError):  # It has enough to do, or is gone.
                worker.hand_over(place, connection)
                self.turn += 1
                worker.turn = self.turn
                return True
        return False

    def take_back(self, worker: Worker) -> None:
        """Lets others have what a worker that is over has not taken."""
        self.waiting.extend(worker.sent)
        worker.sent.clear()
        self.update()

    def close(self) -> None:
        """Accepts nothing any more."""
        self.closed = True
        self.set_open(False)
        for place in self.places.values():
            place.close()
        for each in self.inherited.all:
            each.close()

    def give_up(self) -> None:
        """There are no more workers to come."""
        if self.later is not None:
            self.later.cancel()
        while self.waiting:
            self.waiting.popleft()[1].close()
