"""The measurements."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.proxy import Proxy

from .content import large_body, large_target, targets
from .peers import Peer, Starter
from .source import Source

TESTS = Path(__file__).parent.parent
#: Seconds for one job of the client, whatever happens.
LIMIT = 60


@dataclass(frozen=True)
class Sizes:
    """How much to measure."""

    large: int = 100_000_000
    seconds: float = 2.0
    connections: int = 8
    misses: int = 200
    clients: int = 13
    urls: int = 50


class Failed(Exception):
    """A measurement that came to nothing."""


def client(proxy: Proxy, job: str, **arguments: Any) -> dict[str, float]:
    """Has the client do a job.

    Raises:
        Failed: With what the client has to say.
    """
    order = {"job": job, "port": proxy.port, "ca": str(proxy.ca_pem), **arguments}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bench.client"],
            input=json.dumps(order),
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"not done after {LIMIT} s") from error
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or ["?"])[-1])
    result: dict[str, float] = json.loads(done.stdout)
    return result


class Bench:
    """All measurements, and what came of them."""

    def __init__(self, sizes: Sizes, source: Source, starter: Starter) -> None:
        self.sizes = sizes
        self.source = source
        self.starter = starter
        self.results: dict[tuple[str, str], list[float]] = defaultdict(list)
        """By row and peer, one for each round."""
        self.problems: list[str] = []
        self._hits = targets("/small/hit", sizes.connections)
        self._large = large_target(sizes.large)
        self._sha256 = large_body(self._large).sha256

    def record(self) -> None:
        """Makes what `replay` answers."""
        with self.starter.recording() as proxy:
            client(proxy, "lists", lists=[self._hits])
            self._fetch_large(proxy)

    def turn(self, peer: Peer) -> None:
        """One peer's turn in one round."""
        self._try(peer, self._measure_small)
        self._try(peer, self._measure_large)

    def _try(self, peer: Peer, measure: Callable[[Peer, Proxy], None]) -> None:
        try:
            with self.starter.running(peer) as proxy:
                # Its CA and certificate are made outside of the measurement.
                client(proxy, "lists", lists=[self._hits[:1]])
                measure(peer, proxy)
        except (Failed, subprocess.TimeoutExpired, RuntimeError, TimeoutError) as error:
            self._problem(peer, f"{measure.__name__.strip('_')}: {error}")

    def _problem(self, peer: Peer, what: str) -> None:
        self.problems.append(f"{peer.name}: {what}")
        print(f"  PROBLEM {self.problems[-1]}", file=sys.stderr, flush=True)

    def _note(self, peer: Peer, **values: float) -> None:
        for row, value in values.items():
            self.results[row, peer.name].append(value)

    def _fetch_large(self, proxy: Proxy) -> dict[str, float]:
        sizes = {"size": self.sizes.large, "sha256": self._sha256}
        return client(proxy, "large", target=self._large, **sizes)

    def _measure_small(self, peer: Peer, proxy: Proxy) -> None:
        sizes = self.sizes
        before = self.source.requests
        done = client(proxy, "repeat", targets=self._hits, seconds=sizes.seconds, pid=proxy.pid)
        count = done["requests"]
        self._note(peer, hits=count / done["seconds"], hit_cpu=done["cpu"] / count * 1000)
        # The first of them was fetched already.
        stored = len(self._hits) - 1 if peer.misses else 0
        if peer.stores and (asked := self.source.requests - before) != stored:
            self._problem(peer, f"the hits took {asked} requests upstream, not {stored}")
        if not peer.misses:
            return

        todo = targets("/small/miss", sizes.misses)
        before = self.source.requests
        slices = [todo[start :: sizes.connections] for start in range(sizes.connections)]
        done = client(proxy, "lists", lists=slices)
        asked = self.source.requests - before
        self._note(peer, misses=done["requests"] / done["seconds"], misses_upstream=asked)

        before = self.source.requests
        crowd = [targets("/slow/crowd", sizes.urls)] * sizes.clients
        done = client(proxy, "lists", lists=crowd)
        asked = self.source.requests - before
        self._note(peer, crowd=done["seconds"], crowd_upstream=asked)

    def _measure_large(self, peer: Peer, proxy: Proxy) -> None:
        megabytes = self.sizes.large / 1e6
        self._note(peer, rest_memory=proxy.rss_kb() * 1024 / 1e6)
        before = self.source.requests
        proxy.reset_peak_rss()
        done = self._fetch_large(proxy)
        if peer.misses:
            self._note(
                peer,
                miss=megabytes / done["seconds"],
                miss_first=(done["first"] - self.source.first_sent) * 1000,
                miss_memory=proxy.peak_rss_kb() * 1024 / 1e6,
            )
        proxy.reset_peak_rss()
        done = self._fetch_large(proxy)
        memory = proxy.peak_rss_kb() * 1024 / 1e6
        self._note(peer, hit=megabytes / done["seconds"], hit_memory=memory)
        asked, stored = self.source.requests - before, int(peer.misses)
        if peer.stores and asked != stored:
            self._problem(peer, f"the large hit took {asked} requests upstream, not {stored}")
