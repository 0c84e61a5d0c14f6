"""What the proxy holds: memory, descriptors, threads, files."""

import contextlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from .content import read
from .service import Service
from .site import HOSTS


@dataclass(frozen=True)
class Sample:
    """What it holds at a moment, all its processes together."""

    at: float
    """`time.monotonic()`."""
    processes: int
    zombies: int
    pss_mb: float
    rss_mb: float
    descriptors: int
    threads: int
    writing: int
    """Files in `.cachy/tmp`."""
    temporary: int
    """What lies in the temporary folder."""

    def __str__(self) -> str:
        return (
            f"{self.processes} processes, {self.pss_mb:.0f} MB, {self.descriptors} descriptors, "
            f"{self.threads} threads, {self.writing} being written, {self.temporary} temporary"
        )


def _kilobytes(text: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) if found else 0


def _entries(folder: Path) -> int:
    with contextlib.suppress(OSError):
        return len(os.listdir(folder))
    return 0


def sample(service: Service) -> Sample:
    """Look at all processes of a service."""
    pids, zombies, pss, rss, fds, threads = service.pids(), 0, 0, 0, 0, 0
    for pid in pids:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            zombies += "State:\tZ" in status
            threads += int(re.findall(r"^Threads:\s+(\d+)", status, re.MULTILINE)[0])
            rss += _kilobytes(status, "VmRSS")
            fds += _entries(Path(f"/proc/{pid}/fd"))
            pss += _kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_text(), "Pss")
    return Sample(
        at=time.monotonic(),
        processes=len(pids),
        zombies=zombies,
        pss_mb=pss * 1024 / 1e6,
        rss_mb=rss * 1024 / 1e6,
        descriptors=fds,
        threads=threads,
        writing=_entries(service.tree / ".cachy/tmp"),
        temporary=_entries(service.command.home),
    )


def torn(tree: Path) -> list[str]:
    """Return what is wrong with the files of curl's hosts in a tree."""
    found = []
    for host in HOSTS:
        for path in (tree / host).rglob("*.bin"):
            if path.is_file() and not path.is_symlink():
                try:
                    label, _, _ = read(path.read_bytes())
                except ValueError as error:
                    found.append(f"{path.relative_to(tree)}: {error}")
                else:
                    if label != str(path.relative_to(tree)):
                        found.append(f"{path.relative_to(tree)}: the body of {label}")
    return found
