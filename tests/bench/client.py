"""The benchmark's client, a process of its own: `python -m bench.client JOB`.

A job is JSON, and so is what it prints. Every body is verified; a wrong one ends the process.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.message import header, split_url
from support.wire import Wire

from .content import HOST, small_body

#: Seconds without a single byte after which a proxy is said to hang.
PATIENCE = 20.0


@dataclass
class Through:
    """The proxy to go through, see `support.wire.Target`."""

    port: int
    ca_pem: Path
    host: str = "127.0.0.1"


class Session:
    """A keep-alive TLS connection through the proxy."""

    def __init__(self, proxy: Through) -> None:
        self.wire = Wire(proxy, split_url(f"https://{HOST}/"), timeout=PATIENCE)

    def ask(self, target: str) -> int:
        """Sends a request and reads the head of its answer; gives the length of the body."""
        self.wire.sock.sendall(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        status, reason, headers = self.wire.read_head()
        length = header(headers, "content-length")
        if status != 200 or length is None:
            raise ValueError(f"{target}: {status} {reason}, Content-Length: {length}")
        return int(length)

    def get(self, target: str, expected: bytes) -> None:
        """One request and its whole answer."""
        length = self.ask(target)
        while len(self.wire.buffer) < length:
            if not self.wire.fill():
                raise ValueError(f"{target}: the connection ended within the body")
        if self.wire.take(length) != expected:
            raise ValueError(f"{target}: wrong bytes")


def cpu_seconds(pid: int) -> float:
    """The processor time that a process and its threads have taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def together(work: Sequence[Callable[[], int]]) -> tuple[int, float]:
    """Does all at once; gives the sum of what comes back, and the seconds it took."""
    with ThreadPoolExecutor(len(work)) as pool:
        start = time.monotonic()
        futures = [pool.submit(each) for each in work]
        total = sum(future.result() for future in futures)
        return total, time.monotonic() - start


def lists(proxy: Through, lists: list[list[str]]) -> dict[str, float]:
    """One connection for each list, which goes through its targets one after the other."""

    def walk(session: Session, targets: list[str]) -> int:
        for target in targets:
            session.get(target, small_body(target))
        return len(targets)

    work = [_bind(walk, Session(proxy), targets) for targets in lists]
    requests, seconds = together(work)
    return {"requests": requests, "seconds": seconds}


def repeat(proxy: Through, targets: list[str], seconds: float, pid: int) -> dict[str, float]:
    """One connection for each target, which is asked for again and again."""

    def loop(session: Session, targets: list[str]) -> int:
        target, expected, count = targets[0], small_body(targets[0]), 0
        while time.monotonic() < deadline:
            session.get(target, expected)
            count += 1
        return count

    sessions = [Session(proxy) for _ in targets]
    for session, target in zip(sessions, targets, strict=True):
        for _ in range(10):
            session.get(target, small_body(target))
    work = [_bind(loop, *each) for each in zip(sessions, ([t] for t in targets), strict=True)]
    before = cpu_seconds(pid)
    deadline = time.monotonic() + seconds
    requests, took = together(work)
    return {"requests": requests, "seconds": took, "cpu": cpu_seconds(pid) - before}


def _bind(
    function: Callable[[Session, list[str]], int], session: Session, targets: list[str]
) -> Callable[[], int]:
    return lambda: function(session, targets)


def large(proxy: Through, target: str, size: int, sha256: str) -> dict[str, float]:
    """One large body; the digest is made when the clock has stopped."""
    body = bytearray(b"\xff") * size  # Written to, so that its pages exist.
    view = memoryview(body)
    session = Session(proxy)
    start = time.monotonic()
    if session.ask(target) != size:
        raise ValueError(f"{target}: wrong length")
    if not session.wire.buffer:
        session.wire.fill()
    first = time.monotonic()
    place = len(session.wire.buffer)
    view[:place] = session.wire.buffer
    while place < size:
        received = session.wire.sock.recv_into(view[place:])
        if not received:
            raise ValueError(f"{target}: the connection ended after {place} bytes")
        place += received
    seconds = time.monotonic() - start
    if hashlib.sha256(body).hexdigest() != sha256:
        raise ValueError(f"{target}: wrong bytes")
    return {"seconds": seconds, "first": first}


JOBS: dict[str, Callable[..., dict[str, float]]] = {
    "lists": lists,
    "repeat": repeat,
    "large": large,
}


def main() -> None:
    """Does the job."""
    job: dict[str, Any] = json.load(sys.stdin)
    proxy = Through(job.pop("port"), Path(job.pop("ca")))
    print(json.dumps(JOBS[job.pop("job")](proxy, **job)))


if __name__ == "__main__":
    main()
