"""Does what the plan says to the proxy, to its tree and to the origin."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from support.network import Network, Trouble

from .faults import ANSWERS, FaultyOrigin, Window
from .generations import Generations
from .journal import AFTER_FAULT, AFTER_RESTART, Journal
from .plan import Step
from .service import Service
from .site import FAMILY, HOSTS
from .volume import Volume

#: Seconds until another worker has to have taken the place of one that was killed.
REPLACED = 30.0
#: How many of the answers suffer in a window.
SHARE = 0.6


class Runner(threading.Thread):
    """Does some steps, each at its time; what trips it is noted as a problem.

    Args:
        steps: The steps, in order.
        do: Does one.
        epoch: `time.monotonic()` of the beginning.
        problems: Where to note.
    """

    def __init__(
        self, steps: Iterable[Step], do: Callable[[Step], None], epoch: float, problems: list[str]
    ) -> None:
        super().__init__(daemon=True)
        self._steps = list(steps)
        self._do = do
        self._epoch = epoch
        self._problems = problems
        self._over = threading.Event()

    def run(self) -> None:
        """See `Thread.run`."""
        for step in self._steps:
            if self._over.wait(max(0.0, self._epoch + step.at - time.monotonic())):
                return
            try:
                self._do(step)
            except (OSError, RuntimeError, ValueError, AssertionError):
                self._problems.append(f"{step}: {traceback.format_exc()}")

    def end(self) -> None:
        """Do no more, and wait for what is being done."""
        self._over.set()
        if self.ident is not None:
            self.join()


class Faults:
    """Lets the origins fail."""

    def __init__(
        self, origin: FaultyOrigin, network: Network, generations: Generations, journal: Journal
    ) -> None:
        self._origin = origin
        self._network = network
        self._generations = generations
        self._journal = journal

    def __call__(self, step: Step) -> None:
        """Do one step."""
        if step.kind in ANSWERS:
            window = Window(step.kind, step.family, SHARE)
            self._journal.remark(f"origin: {step.kind} for {step.family}")
            self._origin.open(window)
            time.sleep(step.seconds)
            self._origin.close(window)
            return
        everybody = step.kind == "drop"
        hosts = list(HOSTS) if step.family == FAMILY else self._generations.hosts(step.family)
        what = f"origin: {step.kind}"
        with self._journal.during(what, None if everybody else step.family, AFTER_FAULT):
            if everybody:
                self._origin.drop_connections()
            elif step.kind == "tls":
                self._origin.untrusted_hosts.update(hosts)
                time.sleep(step.seconds)
                self._origin.untrusted_hosts.difference_update(hosts)
            else:
                for host in hosts:
                    self._network.down(host, cast(Trouble, step.kind))
                time.sleep(step.seconds)
                self._network.up()


class Disturber:
    """Lets the proxy's own world fail.

    Args:
        service: The proxy.
        volume: Where its tree lies.
        journal: What explains failures; a full disk and a tree that moves explain none.
        workers: How many it has.
        seed: Of what is left to chance.
    """

    def __init__(
        self, service: Service, volume: Volume, journal: Journal, workers: int, seed: int
    ) -> None:
        self._service = service
        self._volume = volume
        self._journal = journal
        self._workers = workers
        self._chance = random.Random(f"disturber {seed}")
        self.done: dict[str, int] = {}
        """How often each kind was done."""

    def __call__(self, step: Step) -> None:
        """Do one step."""
        self.done[step.kind] = self.done.get(step.kind, 0) + 1
        self._service.look_after()
        do: dict[str, Callable[[float], None]] = {
            "kill": self.kill,
            "restart": self.restart,
            "hup": self.hup,
            "full": self.full,
            "move": self.move,
            "copy": self.copy,
            "remove": self.remove,
        }
        do[step.kind](step.seconds)

    def kill(self, seconds: float) -> None:
        """Kill a worker, and wait until there is another one."""
        victim = self._chance.choice(sorted(self._service.workers()))
        with self._service.lock, self._journal.during("worker killed", None, AFTER_RESTART):
            os.kill(victim, signal.SIGKILL)
            if self._workers == 1:
                self._service.kill()
                self._service.start()
        deadline = time.monotonic() + REPLACED
        while len(self._service.workers()) < self._workers:
            if not self._service.look_after():
                return
            if time.monotonic() > deadline:
                self._service.problems.append(f"no worker took the place of {victim}")
                return
            time.sleep(0.1)

    def restart(self, seconds: float) -> None:
        """End it by SIGTERM, and start it again."""
        with self._service.lock, self._journal.during("proxy restarted", None, AFTER_RESTART):
            self._service.stop()
            self._service.start()

    def hup(self, seconds: float) -> None:
        """Send SIGHUP, by which it reloads; only an end that comes of it would explain failures."""
        self._journal.remark("SIGHUP")
        self._service.look_after()
        self._service.signal(signal.SIGHUP)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._service.look_after():
            time.sleep(0.1)

    def full(self, seconds: float) -> None:
        """Fill the disk for a while."""
        self._journal.remark("disk full")
        self._volume.fill(seconds)

    def move(self, seconds: float) -> None:
        """Move the tree away, and back; what was made in its place meanwhile is removed."""
        tree = self._volume.tree
        away, other = tree.with_name("away"), tree.with_name("other")
        self._journal.remark("tree moved away")
        tree.rename(away)
        time.sleep(seconds)
        with contextlib.suppress(FileNotFoundError):
            tree.rename(other)
        away.rename(tree)
        shutil.rmtree(other, ignore_errors=True)
        self._journal.remark("tree moved back")

    def copy(self, seconds: float) -> None:
        """Put a copy of the tree in its place; nobody writes while it is made."""
        tree = self._volume.tree
        copied, old = tree.with_name("copy"), tree.with_name("old")
        self._journal.remark("tree replaced by a copy")
        with self._service.lock, self._service.stopped():
            subprocess.run(["cp", "-a", str(tree), str(copied)], check=True)
            for path in (copied / ".cachy/tmp").iterdir():
                # What was being written goes on in the tree that was copied.
                path.unlink()
            tree.rename(old)
            copied.rename(tree)
        shutil.rmtree(old, ignore_errors=True)

    def remove(self, seconds: float) -> None:
        """Remove a host's folder."""
        hosts = sorted(p for p in self._volume.tree.iterdir() if p.name != ".cachy" and p.is_dir())
        if hosts:
            victim = self._chance.choice(hosts)
            self._journal.remark(f"rm -r {victim.name}")
            _remove(victim)


def _remove(folder: Path) -> None:
    subprocess.run(["rm", "-rf", str(folder)], capture_output=True, check=False)
