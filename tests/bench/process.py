"""A peer's processes: start, end, processor time, memory (Linux)."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

#: Seconds until it has to listen.
START = 30
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would lead a peer elsewhere."""
    hostile = re.compile(r"CACHY_.*|SSL_CERT_.*|.*_CA_BUNDLE|.*_proxy", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not hostile.fullmatch(name)}
    return {**kept, **more}


def cpu(*pids: int) -> float:
    """Seconds of processor time that they have taken."""
    ticks = [int(f[11]) + int(f[12]) for pid, f in _stats() if pid in pids]
    return sum(ticks) / TICKS


class Process:
    """A peer and all that it has started."""

    def __init__(
        self, command: Sequence[str], port: int, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Starts it, and waits until it listens.

        Raises:
            RuntimeError: It ended, or doesn't listen, with the end of what it has to say.
        """
        self.port = port
        self._log = log
        begun = time.monotonic()
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment(env or {}),
                cwd=log.parent,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        self.took = time.monotonic() - begun
        """Seconds until it listened."""

    def _wait(self) -> None:
        deadline = time.monotonic() + START
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.005)
        text = self._log.read_text(errors="replace")
        raise RuntimeError(f"{self._process.args!r} does not listen: {text[-2000:]}")

    def stop(self) -> None:
        """Ends it, kindly at first."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(5)

    def _pids(self) -> list[int]:
        children = defaultdict(list)
        for pid, fields in _stats():
            children[int(fields[1])].append(pid)
        found = [self._process.pid]
        for pid in found:
            found += children[pid]
        return found

    def cpu(self) -> float:
        """Seconds of processor time that it and its children have taken."""
        return cpu(*self._pids())

    def reset_peak(self) -> None:
        """Lets `peak_mb()` count from now on."""
        for pid in self._pids():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_mb(self) -> float:
        """The most memory that each ever had, added up, in MB."""
        return self._memory("VmHWM")

    def rss_mb(self) -> float:
        """The memory that they have now, in MB."""
        return self._memory("VmRSS")

    def _memory(self, name: str) -> float:
        total = 0
        for pid in self._pids():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                if found := re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE):
                    total += int(found[1])
        return total * 1024 / 1e6


def _stats() -> Iterator[tuple[int, list[str]]]:
    """Each process, with what /proc says after its name: state, parent and so on."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                text = Path(entry.path, "stat").read_text()
                yield int(entry.name), text.rpartition(")")[2].split()
