"""What a proxy does beside proxying: it tells that it listens, heeds signals, and ends in good order."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from mitmproxy.exceptions import OptionsError
from mitmproxy.tools.dump import DumpMaster

from cachy import hangup, options
from cachy.door import door
from cachy.draining import Draining
from cachy.listening import Listening
from cachy.reloading import Config
from cachy.terms import Terms, has_terminal

logger = logging.getLogger(__name__)


class Service:
    """One mitmproxy.

    Args:
        master: mitmproxy's.
        arguments: Its command line.
        tell: Called when it listens.
        terms: How it is run.
    """

    def __init__(
        self,
        master: DumpMaster,
        arguments: list[str],
        tell: Callable[[Listening], None],
        terms: Terms,
    ) -> None:
        self.master = master
        self.arguments = arguments
        self.tell = tell
        self.terms = terms
        self.hurry = asyncio.Event()
        self.ending = False
        self.terminal = has_terminal()
        self.status = ""
        self.tasks: set[asyncio.Task[Any]] = set()
        self.config: Config | None = None
        door(master).when_open(self.begin)

    def begin(self) -> None:
        """The start is over."""
        loop = asyncio.get_running_loop()
        self.config = Config(self.master.options, self.arguments)
        # Before systemd hears that it is ready, and may send one.
        hangup.heed(loop, self.hang_up)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, number)
        server: Any = self.master.addons.get("proxyserver")
        addresses = [(str(host), int(port)) for host, port, *_ in server.listen_addrs()]
        if addresses:
            self.tell(Listening(addresses, str(options.certificate())))
        self.status = f"listens on {', '.join(f'{host} port {port}' for host, port in addresses)}"
        self.terms.notifier.ready(self.status)
        self.do(self.terms.notifier.beat())
        if self.terms.worker is not None:
            self.terms.worker.end = self.finish
            self.do(self.terms.worker.beat())
        if hangup.take():
            self.hang_up()

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Lets something be done meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def stop(self, number: int) -> None:
        """Somebody wants it to end; the second time, at once."""
        if self.terms.worker is not None:
            if number == signal.SIGINT:
                self.master.shutdown()
            elif not self.terms.worker.leave():
                self.finish()
        elif self.ending:
            self.hurry.set()
        else:
            self.finish()

    def finish(self) -> None:
        """Begins to end in good order."""
        if not self.ending:
            self.ending = True
            self.do(self.end())

    async def end(self) -> None:
        """Ends in good order."""
        try:
            # It has no type: it is loaded as a script.
            addon: Any = self.master.addons.get("cachy")
            draining = Draining(addon, self.pending)
            await draining.begin()
            grace = self.terms.grace
            self.terms.notifier.stopping("finishes what is being downloaded", grace)
            if grace and (left := draining.left()):
                again = "" if self.terms.worker else "; a second signal ends it at once"
                logger.warning(
                    f"cachy: ends when {left} transfers are over, or in {grace:g} s{again}"
                )
            left = await draining.finish(grace, self.hurry)
            if grace and left:
                logger.warning(f"cachy: {left} transfers are cut off")
            await draining.cut()
        finally:
            self.master.shutdown()

    def pending(self) -> int:
        """How many connections a worker has been given that are not over."""
        return 0 if self.terms.worker is None else len(self.terms.worker.tasks)

    def hang_up(self) -> None:
        """Reads the configuration again; ends where the terminal is gone in which it was started."""
        if self.terms.worker or self.ending:
            return
        if self.terminal and not has_terminal():
            self.stop(signal.SIGHUP)
            return
        self.terms.notifier.reloading()
        try:
            assert self.config
            changed = self.config.reload()
            what = f"changed: {', '.join(changed)}" if changed else "nothing has changed"
            logger.warning(f"cachy: reloaded, {what}")
        except OptionsError as error:
            logger.error(f"cachy: not reloaded, nothing has changed: {error}")
        self.terms.notifier.ready(self.status)
