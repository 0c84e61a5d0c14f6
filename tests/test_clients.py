"""pip, uv, npm, cargo and apt through one proxy, all at once: cold, warm, and with no network."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from clients.kinds import KINDS, Kind
from clients.repository import Repository
from clients.run import Run
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy

AGAIN = 5
"""Seconds within which cachy repeats no check."""


@dataclass(frozen=True)
class Outcome:
    """What one client did, and what the origin saw of it."""

    run: Run
    installed: dict[str, bytes]
    requests: list[Request]
    repository: Repository

    def all_right(self) -> None:
        """It ended well and has everything, byte by byte."""
        self.run.ok()
        assert self.installed == self.repository.contents


Outcomes = dict[tuple[str, str], Outcome]


@pytest.fixture(scope="module")
def outcomes(
    shared_proxy: Proxy,
    origin_server: Origin,
    network_service: Network,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Outcomes]:
    """Fifteen runs, five at a time; (client, state) -> what came of it."""
    folder = tmp_path_factory.mktemp("homes")
    kinds = {kind: kind.repository(f"{kind.name}.runs.example") for kind in KINDS if kind.present}
    for repository in kinds.values():
        repository.publish(origin_server)
    found: Outcomes = {}

    def one(state: str, kind: Kind) -> None:
        repository = kinds[kind]
        before = len(repository.requests(origin_server))
        client = kind.behind(shared_proxy, folder / state / kind.name, repository)
        run = client.install()
        requests = repository.requests(origin_server)[before:]
        found[kind.name, state] = Outcome(run, client.installed(), requests, repository)

    def all_at_once(state: str) -> None:
        with ThreadPoolExecutor(len(kinds)) as pool:
            list(pool.map(lambda kind: one(state, kind), kinds))

    try:
        all_at_once("cold")
        all_at_once("warm")
        # So that checks are due again, and fail.
        time.sleep(AGAIN)
        network_service.down()
        all_at_once("offline")
        yield found
    finally:
        network_service.clear()
        origin_server.clear()


pytestmark = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))


@pytest.mark.timeout(180)
def test_cold(kind: Kind, outcomes: Outcomes) -> None:
    """It gets everything, and upstream sees each URL once."""
    kind.need()
    cold = outcomes[kind.name, "cold"]
    cold.all_right()
    asked = Counter((request.method, request.url) for request in cold.requests)
    assert {key: times for key, times in asked.items() if times > 1} == {}


def test_warm(kind: Kind, outcomes: Outcomes) -> None:
    """A new home gets the same, and upstream is asked whether indexes changed, and nothing else."""
    kind.need()
    warm = outcomes[kind.name, "warm"]
    warm.all_right()
    for request in warm.requests:
        if request.method == "POST":
            continue
        assert request.method == "GET"
        assert warm.repository.is_index(request.url), request
        known = request.header("if-none-match") or request.header("if-modified-since")
        assert known or request.url in warm.repository.absent, request


def test_offline(kind: Kind, outcomes: Outcomes) -> None:
    """With no network a new home gets the same, though checks are due."""
    kind.need()
    offline = outcomes[kind.name, "offline"]
    offline.all_right()
    assert offline.requests == []
