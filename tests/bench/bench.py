"""The rounds: peers take turns, so that what the machine does else meets all of them."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import groupby

from .peers import Peer, Place, Running
from .scenarios import Scenario, Sizes, Values
from .tool import Failed

#: What each turn gave, by scenario and peer, in the order of the rounds; None where it failed.
Results = dict[tuple[str, str], list[Values | None]]


def say(text: str) -> None:
    """Tells how it goes on."""
    print(text, file=sys.stderr, flush=True)


class Bench:
    """All measurements, and what came of them."""

    def __init__(self, sizes: Sizes, place: Place, peers: Sequence[Peer], rounds: int) -> None:
        self.sizes = sizes
        self.place = place
        self.peers = {peer.name: peer for peer in peers}
        self.rounds = rounds
        self.results: Results = defaultdict(list)
        self.problems: list[str] = []
        self._begun = time.monotonic()

    def run(self, scenarios: Sequence[Scenario]) -> None:
        """Measures."""
        for path, count in {each for s in scenarios for each in s.files(self.sizes)}:
            self.place.tool.files(self.place.files, self.place.origin.url(path), count)
        for _, group in groupby(scenarios, lambda scenario: scenario.group):
            self._run_group(list(group))

    def _run_group(self, scenarios: list[Scenario]) -> None:
        wanted = {name for scenario in scenarios for name in scenario.peers}
        with ExitStack() as stack:
            living: dict[str, Running] = {}
            for name, peer in self.peers.items():
                if name in wanted and (running := self._start(peer)):
                    stack.callback(running.process.stop)
                    living[name] = running
            for scenario in scenarios:
                self._run_scenario(scenario, [living[n] for n in scenario.peers if n in living])

    def _start(self, peer: Peer) -> Running | None:
        try:
            return peer.start(self.place)
        except (Failed, RuntimeError, OSError) as error:
            self._problem(f"{peer.name} did not start: {error}")
            return None

    def _run_scenario(self, scenario: Scenario, peers: list[Running]) -> None:
        names = ", ".join(running.peer.name for running in peers)
        say(f"{time.monotonic() - self._begun:4.0f} s {scenario.name}: {names}")
        ready = []
        for running in peers:
            if self._try(scenario, running, _warm(scenario, self.sizes)) is None:
                self.results[scenario.name, running.peer.name] = [None] * self.rounds
            else:
                ready.append(running)
        for number in range(self.rounds):
            first = number % max(len(ready), 1)
            for running in ready[first:] + ready[:first]:
                measure = _bind(scenario, self.sizes, number)
                values = self._try(scenario, running, measure)
                self.results[scenario.name, running.peer.name].append(values)

    def _try(
        self, scenario: Scenario, running: Running, work: Callable[[Running], Values]
    ) -> Values | None:
        try:
            return work(running)
        except (Failed, OSError) as error:
            self._problem(f"{scenario.name}, {running.peer.name}: {error}")
            return None

    def _problem(self, what: str) -> None:
        self.problems.append(what)
        say(f"  PROBLEM {what}")


def _warm(scenario: Scenario, sizes: Sizes) -> Callable[[Running], Values]:
    def warm(running: Running) -> Values:
        scenario.warm(running, sizes)
        return {}

    return warm


def _bind(scenario: Scenario, sizes: Sizes, number: int) -> Callable[[Running], Values]:
    return lambda running: scenario.measure(running, sizes, number)
