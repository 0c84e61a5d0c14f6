"""Nobody who waits for another one's fetch is forgotten."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import Cachy
from support.crowd import ask_together
from support.factory import ProxyFactory
from support.origin import Origin
from support.served import Served
from support.wire import Target

ROUNDS, URLS, CLIENTS = 50, 8, 13


@pytest.fixture(params=["lane", "no-lane", "two-workers"])
def asked(
    request: pytest.FixtureRequest, start_proxy: ProxyFactory, command: Cachy, tmp_path: Path
) -> Iterator[Target]:
    """Whom the clients ask."""
    if request.param == "two-workers":
        with Served(command, tmp_path / "tree", ["--workers", "2"]) as served:
            yield served
    else:
        lane = "auto" if request.param == "lane" else "off"
        yield start_proxy(options={"cachy_lane": lane})


def test_clients_that_lead_and_follow_at_once(asked: Target, origin: Origin, host: str) -> None:
    """Everybody is answered, in a moment, and the origin is asked once for each URL."""
    seen = ask_together(asked, origin, host, rounds=ROUNDS, urls=URLS, clients=CLIENTS, seed=1)
    assert seen.wrong == []
    assert seen.answers == ROUNDS * URLS * CLIENTS
    assert len(origin.requests) == ROUNDS * URLS
