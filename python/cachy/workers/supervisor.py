"""Starts workers, and other ones in the place of those that end, hang or are to be replaced; outlives
any of them.
"""

import asyncio
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cachy import hangup
from cachy.inherited import Inherited
from cachy.terms import Terms, has_terminal
from cachy.workers import channel
from cachy.workers.ending import end_all
from cachy.workers.pace import Pace
from cachy.workers.process import EndedError, Worker, WorkersError, how_it_ended, spawn
from cachy.workers.reception import Reception

#: Seconds of silence after which a worker hangs, where systemd's watchdog says nothing else.
PATIENCE = 30.0
#: Letters of a folder in which a socket can lie.
SHORT = 70


class Supervisor:
    """The processes.

    Args:
        count: How many.
        folder: Where they find each other; whoever is left of them removes it.
        arguments: Those of mitmdump.
        tell: Called with what the first one tells (see `cachy.dump.Listening`) when it takes clients.
        remark: Called with what people should know.
        terms: How the proxy is run.
        inherited: Sockets that somebody else has bound.
    """

    def __init__(
        self,
        count: int,
        folder: str,
        arguments: Sequence[str],
        tell: Callable[[dict[str, Any]], None],
        remark: Callable[[str], None],
        terms: Terms,
        inherited: Inherited,
    ) -> None:
        self.count = count
        self.folder = folder
        self.arguments = list(arguments)
        self.tell = tell
        self.remark = remark
        self.terms = terms
        self.workers: list[Worker] = []
        self.reception = Reception(self.workers, inherited, remark)
        self.number = 0
        self.pace = Pace()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.over = asyncio.Event()
        self.hurry = asyncio.Event()
        self.terminal = has_terminal()
        self.patience = terms.notifier.patience or PATIENCE
        #: Those that are asked for, with the one that goes on.
        self.reloads = 0
        self.started = False
        self.error: Exception | None = None

    async def run(self) -> None:
        """Runs until a signal ends it.

        Raises:
            WorkersError: It could not start.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        # What is ignored, as by nohup, stays so.
        hangup.heed(loop, self.hang_up)
        if hangup.take():
            self.hang_up()
        try:
            self.begin(self.start_all())
            await self.over.wait()
        finally:
            await self.end()
        if self.error is not None:
            raise self.error

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Lets something be done meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def stop(self) -> None:
        """Somebody wants it to end; the second time, at once."""
        if self.over.is_set():
            self.hurry.set()
        self.over.set()

    def hang_up(self) -> None:
        """Replaces the workers; ends where the terminal is gone in which it was started."""
        if self.terminal and not has_terminal():
            self.stop()
        elif not self.over.is_set():
            self.reloads += 1
            if self.started and self.reloads == 1:
                self.begin(self.reload())

    async def start_all(self) -> None:
        """Starts all workers: the first alone, since it may make the CA."""
        try:
            listening = await self.start_first()
        except Exception as error:  # noqa: BLE001
            # Raised when all have ended.
            self.error = error
            self.over.set()
            return
        await asyncio.gather(*(self.keep_trying() for _ in range(1, self.count)))
        self.started = True
        with suppress(OSError):
            self.tell(listening)
        self.ready()
        self.begin(self.terms.notifier.beat())
        self.begin(self.watch_all())
        if self.reloads:
            # Somebody asked meanwhile, when some had read the configuration already.
            self.begin(self.reload())

    async def start_first(self) -> dict[str, Any]:
        """Starts the first worker. One that has something to say against its start is right; one that was
        killed is not.

        Raises:
            WorkersError: It does not start.
        """
        while True:
            try:
                return await self.go_on_with(await self.spawn())
            except EndedError as error:
                if not error.killed:
                    raise
                await self.rest(str(error))

    async def spawn(self) -> Worker:
        """Starts a process.

        Raises:
            OSError: There is no room for another one.
        """
        self.number += 1
        orders = [self.arguments, self.folder, self.terms.grace]
        worker = await spawn(self.number, self.count, orders)
        self.workers.append(worker)
        asyncio.get_running_loop().add_reader(worker.channel, self.hear, worker)
        self.begin(self.watch(worker))
        return worker

    async def go_on_with(self, worker: Worker) -> dict[str, Any]:
        """Waits until a worker takes clients, and gives it some. Returns what it tells.

        Raises:
            WorkersError: It does not start.
        """
        listening = await worker.listening()
        worker.heard = time.monotonic()
        self.reception.update()
        return listening

    async def watch(self, worker: Worker) -> None:
        """Waits for the end of a worker, and starts another one in its place."""
        code = await worker.process.wait()
        wanted = worker.takes
        worker.retired = True
        worker.close()
        self.workers.remove(worker)
        # Of those that find each other there.
        (Path(self.folder) / str(worker.number)).unlink(missing_ok=True)
        self.reception.take_back(worker)
        if self.over.is_set() or not wanted:
            return
        how = how_it_ended(code)
        await self.rest(f"worker {worker.number} {how}", worker.served, tell=False)
        await self.keep_trying()
        self.remark(f"worker {worker.number} {how}; another one has taken its place")
        self.ready()

    async def rest(self, why: str, served: float = 0.0, *, tell: bool = True) -> None:
        """Waits before the next start, the longer the more were in vain lately.

        Args:
            why: What has happened.
            served: Seconds for which the worker that has ended took clients.
            tell: It is worth a remark, even if the next start is soon.
        """
        pause = self.pace.pause(served)
        if not any(worker.takes for worker in self.workers):
            self.remark(f"{why}; no worker is left, and clients wait until one is")
            self.terms.notifier.status("no worker takes clients")
        if tell or pause > 1:
            self.remark(f"{why}; the next start is in {pause:g} s")
        await asyncio.sleep(pause)

    async def keep_trying(self) -> None:
        """Starts a worker, however long that takes."""
        while True:
            try:
                await self.go_on_with(await self.spawn())
                return
            except (OSError, WorkersError) as error:
                await self.rest(f"a worker did not start: {error}")

    async def watch_all(self) -> None:
        """Ends workers whose event loop hangs, forever; `watch` starts others."""
        while True:
            await asyncio.sleep(min(1.0, self.patience / 4))
            for worker in self.workers:
                if worker.ready and worker.silence > self.patience:
                    self.remark(
                        f"worker {worker.number} hangs: it has been silent for {self.patience:g} s"
                    )
                    worker.kill()

    async def reload(self) -> None:
        """Replaces the workers one by one, by new processes with the configuration as it is now. The old
        ones finish what they do. Where a new one does not start, all that are left stay.
        """
        # What was asked for before it begins is one.
        self.reloads = 1
        while self.reloads:
            self.terms.notifier.reloading()
            for old in [worker for worker in self.workers if worker.takes]:
                try:
                    await self.go_on_with(await self.spawn())
                except (OSError, WorkersError) as error:
                    self.remark(f"not reloaded: {error}")
                    break
                await old.retire()
            else:
                self.remark("reloaded: new workers have taken over")
            self.ready()
            # What was asked for meanwhile is one.
            self.reloads = min(1, self.reloads - 1)

    async def replace(self, worker: Worker) -> None:
        """Somebody ends a worker in good order: another one takes its place, if it had one."""
        wanted = worker.takes and not self.over.is_set()
        # Also one that is still starting: it waits for this word.
        await worker.retire()
        if wanted:
            await self.keep_trying()
            self.remark(f"worker {worker.number} was asked to end; another one has taken its place")

    def ready(self) -> None:
        """Tells systemd that clients are taken."""
        self.terms.notifier.ready(f"{sum(worker.takes for worker in self.workers)} workers")

    def hear(self, worker: Worker) -> None:
        """A worker has something to say."""
        # Where it is gone, `watch` sees to it.
        if (heard := channel.heard(worker.channel)) is None:
            return
        message, _ = heard
        worker.heard = time.monotonic()
        if isinstance(message, list):
            worker.take_note(message)
        elif isinstance(message, dict) and "leaving" in message:
            self.begin(self.replace(worker))
        elif isinstance(message, dict):
            self.begin(self.place(worker, message))

    async def place(self, worker: Worker, asked: dict[str, Any]) -> None:
        """Lets a worker take the connections of a place."""
        try:
            place = await self.reception.place(**asked)
            # Where it ends meanwhile, nobody listens there any more.
            answer: dict[str, Any] = {"place": place.number, "addresses": place.addresses}
            worker.places.add(place.number)
        except OSError as error:
            answer = {"errno": error.errno, "why": error.strerror}
        with suppress(OSError):
            channel.say(worker.channel, answer)

    async def end(self) -> None:
        """Ends all of them: they finish what they do, and nobody is let in any more."""
        self.over.set()
        self.reception.close()
        self.terms.notifier.stopping("finishes what is being downloaded", self.terms.grace)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.reception.give_up()
        beat = asyncio.create_task(self.terms.notifier.beat())
        await end_all(self.workers, self.terms.grace, self.hurry)
        beat.cancel()
        for worker in self.workers:
            self.reception.take_back(worker)
            worker.close()
        self.reception.give_up()


def supervise(
    count: int,
    arguments: Sequence[str],
    tell: Callable[[dict[str, Any]], None],
    remark: Callable[[str], None],
    terms: Terms,
    inherited: Inherited,
) -> None:
    """Runs several workers until a signal ends them; see `Supervisor`.

    Raises:
        WorkersError: They could not start.
    """

    async def run(folder: str) -> None:
        await Supervisor(count, folder, arguments, tell, remark, terms, inherited).run()

    place = tempfile.gettempdir()
    # The names of sockets are short.
    with tempfile.TemporaryDirectory(
        prefix="cachy-", dir=place if len(place) < SHORT else "/tmp"
    ) as folder:
        asyncio.run(run(folder))
