"""cargo: HTTP/2 and many requests at once, or one at a time; an index that says only `ETag`."""

import asyncio
from pathlib import Path

import pytest

from clients.cargo import Cargo
from clients.repo_cargo import CargoRepository, Crate, crates
from clients.run import need
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.reply import Handler, Reply

AT_ONCE = 8


@pytest.fixture
def repository(origin: Origin, host: str) -> CargoRepository:
    """A registry of this test's own."""
    need("cargo")
    repository = CargoRepository(host)
    repository.publish(origin)
    return repository


@pytest.mark.parametrize("multiplexing", ["true", "false"])
def test_multiplexing(
    multiplexing: str,
    repository: CargoRepository,
    shared_proxy: Proxy,
    origin: Origin,
    network: Network,
    tmp_path: Path,
) -> None:
    """Cold and with no network, over HTTP/2 and over HTTP/1.1."""
    before = len(shared_proxy.log())
    for state in ("cold", "offline"):
        client = Cargo(shared_proxy, tmp_path / state, repository)
        client.env["CARGO_HTTP_MULTIPLEXING"] = multiplexing
        client.install().ok()
        assert client.installed() == repository.contents
        network.down()
    assert len(repository.requests(origin)) == len({request.url for request in origin.requests})
    assert ("HTTP/2.0" in shared_proxy.log()[before:]) == (multiplexing == "true")


def test_many_at_once(
    repository: CargoRepository, shared_proxy: Proxy, origin: Origin, tmp_path: Path
) -> None:
    """Eight of cargo's requests are under way upstream at the same time."""
    gate = origin.gate()
    waiting: list[Request] = []

    def held(answer: Handler) -> Handler:
        async def handle(request: Request, reply: Reply) -> None:
            waiting.append(request)
            if len(waiting) == AT_ONCE:
                gate.open()
            # One after the other, the first would wait in vain.
            await asyncio.wait_for(gate.passed(), 10)
            await answer(request, reply)

        return handle

    host = repository.hosts[1]
    for crate in crates():
        target = repository.url(crate).partition(host)[2]
        answer = origin.route(repository.url(crate), crate.data)
        origin.handle(host, target, held(answer), scheme="https")
    client = Cargo(shared_proxy, tmp_path / "home", repository)
    client.install().ok()
    assert client.installed() == repository.contents
    # More of them, and cargo had to ask again.
    assert len(waiting) == len(repository.contents)


def test_the_index_is_checked(
    repository: CargoRepository,
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    tmp_path: Path,
) -> None:
    """`cargo update` asks with `If-None-Match`; a new version is seen when there is one."""
    client = Cargo(shared_proxy, tmp_path / "home", repository)
    client.install().ok()
    cold = len(origin.requests)
    newer = Crate("wide-root", "1.2.0", b"// newer\n", ["a"])
    text = "".join(crate.line for crate in crates() if crate.name == "wide-root") + newer.line
    origin.route(repository.url(newer), newer.data)
    origin.route(repository.index + newer.index_path, text.encode(), etag='"newer"')
    a_while_ago(shared_dir)
    assert "-> v1.2.0" in client.cargo("update").ok().output
    checks = origin.requests[cold:]
    assert checks
    assert all(repository.is_index(check.url) and check.header("if-none-match") for check in checks)
    client.cargo("fetch").ok()
    assert origin.requests[-1].url == repository.url(newer)
