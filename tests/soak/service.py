"""`cachy serve` as an office runs it: started, killed, restarted, and looked after."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.process import free_port
from support.command import Cachy
from support.proxy import MISHAP, MISHAP_AT_THE_END

from .journal import AFTER_RESTART, Journal

#: Seconds until it must listen, and until it must end.
START, END = 30.0, 45.0
LISTENS = re.compile(r"listens on http://127\.0\.0\.1:(\d+)$", re.MULTILINE)
#: Lines of the log that are told with one that has a mark.
CONTEXT = 30
#: What tells of a mistake of the proxy's own; the last is a waiter whose wake-up was lost.
MARKS = {
    "mistake": MISHAP,
    "rescued": re.compile("rescued"),
}


@dataclass(frozen=True)
class Mishap:
    """A line of the log that tells of a mistake."""

    kind: str
    """`mistake` or `rescued`."""
    text: str
    """The line, and some that follow."""


class Service:
    """The command under test.

    Args:
        command: The installed command, with the tests' name service.
        tree: Its tree.
        log: All that it prints.
        options: Of `cachy serve`.
        journal: Where it is noted that the proxy ended by itself.
    """

    host = "127.0.0.1"

    def __init__(
        self, command: Cachy, tree: Path, log: Path, options: Sequence[str], journal: Journal
    ) -> None:
        self.command = command
        self.tree = tree
        self.log = log
        self.options = list(options)
        self.journal = journal
        self.port = free_port()
        self.ca_pem = command.confdir / "mitmproxy-ca-cert.pem"
        self.problems: list[str] = []
        """Starts that failed, ends that were not in order, ends that nobody asked for."""
        self.slowest_start = 0.0
        """Seconds."""
        self._process: subprocess.Popen[bytes] | None = None
        self._ends: list[tuple[int, int]] = []
        self._alive, self._seen = time.monotonic(), 0
        # A restart and a look at the state exclude each other.
        self.lock = threading.RLock()

    def start(self) -> None:
        """Start it, and wait until it listens.

        Raises:
            RuntimeError: It does not.
        """
        words = ["serve", "--port", str(self.port), "--dir", str(self.tree), *self.options]
        begin, offset = time.monotonic(), self._size()
        with self.log.open("ab") as out:
            process = self._process = subprocess.Popen(
                self.command.words(*words, "--", *self.command.arguments),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.command.env,
                cwd=self.command.home,
                start_new_session=True,
            )
        while LISTENS.search(self.text(offset)) is None:
            if process.poll() is not None or time.monotonic() - begin > START:
                self.kill()
                raise RuntimeError(f"the proxy does not listen: {self.text(offset)[-3000:]}")
            time.sleep(0.02)
        self.slowest_start = max(self.slowest_start, time.monotonic() - begin)

    def stop(self) -> None:
        """End it by SIGTERM, and note where that is not in order."""
        process, begin = self._process, self._size()
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(END)
            if status != 0:
                self.problems.append(f"ended with {status} on SIGTERM: {self.text(begin)[-1500:]}")
        except subprocess.TimeoutExpired:
            self.problems.append(f"did not end within {END:.0f} s of SIGTERM")
        self.kill()
        self._ends.append((begin, self._size()))

    def kill(self) -> None:
        """End all that is left of it."""
        if self._process is not None:
            _send(self.pids(), signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def look_after(self) -> bool:
        """Start it again where it ended by itself, which is noted; whether it was alive."""
        with self.lock:
            if self._process is not None and self._process.poll() is None:
                self._alive, self._seen = time.monotonic(), self._size()
                return True
            status = None if self._process is None else self._process.returncode
            self.problems.append(f"ended by itself with {status}: {self.text()[-1500:]}")
            with self.journal.during("proxy ended by itself", None, AFTER_RESTART) as event:
                event.begin = self._alive
                self.kill()
                self._ends.append((self._seen, self._size()))
                self.start()
            self._alive, self._seen = time.monotonic(), self._size()
            return False

    def listens(self) -> bool:
        """Whether it takes connections."""
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 5):
            return True
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process that was started."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Let all of it stand still as long as the block."""
        pids = self.pids()
        try:
            _send(pids, signal.SIGSTOP)
            yield
        finally:
            _send(pids, signal.SIGCONT)

    def pids(self) -> list[int]:
        """Return it and all that it has started, zombies included."""
        if self._process is None:
            return []
        children = defaultdict(list)
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    children[int(fields[1])].append(int(entry.name))
        found = [self._process.pid]
        for pid in found:
            found += children[pid]
        return found

    def workers(self) -> list[int]:
        """Return the processes that answer."""
        return self.pids()[1:] or self.pids()

    def _size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def text(self, begin: int = 0, end: int | None = None) -> str:
        """Return what it printed, between two places in the log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(begin)
            return file.read(-1 if end is None else end - begin).decode(errors="replace")

    def mishaps(self) -> list[Mishap]:
        """Return the lines that tell of mistakes; what is cancelled at an end is not one."""
        mishaps, place = [], 0
        for begin, end in [*self._ends, (self._size(), self._size())]:
            for kind, mark in MARKS.items():
                mishaps += [Mishap(kind, text) for text in _marked(self.text(place, begin), mark)]
            over = _marked(self.text(begin, end), MISHAP_AT_THE_END)
            mishaps += [Mishap("mistake", text) for text in over]
            place = end
        return mishaps


def _send(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _marked(text: str, mark: re.Pattern[str]) -> list[str]:
    """Return the lines with a mark, each with some that follow."""
    lines = text.splitlines()
    numbers = (number for number, line in enumerate(lines) if mark.search(line))
    return ["\n".join(lines[number : number + CONTEXT]) for number in numbers]
