"""apt: conditions, times of files, 404s that it expects, pieces of a package."""

import os
from pathlib import Path

import pytest

from clients.apt import Apt
from clients.kinds import KINDS
from clients.repo_apt import MODIFIED, AptRepository, archive
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.origin_h1 import Http1Reply
from support.past import a_while_ago
from support.proxy import Proxy
from support.reply import Handler, Reply

DEBUG = ["-o", "Debug::Acquire::http=true", "-o", "Debug::Acquire::https=true"]


@pytest.fixture(params=["http", "https"])
def repository(request: pytest.FixtureRequest, origin: Origin, host: str) -> AptRepository:
    """A repository of this test's own."""
    KINDS[-1].need()
    repository = AptRepository(host, request.param)
    repository.publish(origin)
    return repository


@pytest.fixture
def apt(repository: AptRepository, shared_proxy: Proxy, tmp_path: Path) -> Apt:
    """One apt."""
    return Apt(shared_proxy, tmp_path / "home", repository)


def test_second_update(
    apt: Apt, repository: AptRepository, origin: Origin, shared_dir: Path
) -> None:
    """apt asks with `If-Modified-Since`, gets 304, and upstream is asked conditionally."""
    apt.update().ok()
    cold = len(origin.requests)
    a_while_ago(shared_dir)
    run = apt.run("apt-get", "update", *DEBUG).ok()
    assert "If-Modified-Since: " in run.output
    assert "Hit:2 " in run.output
    checks = [check for check in origin.requests[cold:] if check.url not in repository.absent]
    assert [check.url for check in checks] == [f"{repository.suite}Release"]
    assert checks[0].header("if-none-match")


def test_times_of_files(apt: Apt, shared_proxy: Proxy, tmp_path: Path) -> None:
    """Fetched or from the tree: files have the time that upstream calls Last-Modified."""
    again = Apt(shared_proxy, tmp_path / "again", apt.repository)
    for each in (apt, again):
        each.install().ok()
        files = [*each.lists.glob("*_Release"), *each.archives.glob("*.deb")]
        assert len(files) == 1 + len(archive()[0])
        assert {int(path.stat().st_mtime) for path in files} == {MODIFIED}


def test_no_index_by_hash(
    apt: Apt,
    repository: AptRepository,
    origin: Origin,
    network: Network,
    shared_proxy: Proxy,
    tmp_path: Path,
) -> None:
    """Where an index is not there by its hash, apt takes it by its name, also with no network."""
    for url in repository.by_hash:
        origin.route(url, b"not here\n", 404)
    apt.install().ok()
    assert apt.installed() == repository.contents
    network.down()
    offline = Apt(shared_proxy, tmp_path / "offline", repository)
    offline.install().ok()
    assert offline.installed() == repository.contents


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "miss"])
def test_resumes_a_package(
    apt: Apt,
    repository: AptRepository,
    origin: Origin,
    shared_proxy: Proxy,
    shared_dir: Path,
    tmp_path: Path,
    stored: bool,
) -> None:
    """The rest of a package comes by `Range` and `If-Range`; upstream is asked for all of it, once."""
    deb = next(deb for deb in archive()[0] if deb.name == "part11")
    if stored:
        Apt(shared_proxy, tmp_path / "first", repository).install().ok()
    apt.update().ok()
    part = apt.archives / "partial" / Path(deb.path).name
    part.write_bytes(deb.data[:500_000])
    os.utime(part, (MODIFIED, MODIFIED))
    run = apt.run("apt-get", "install", "--yes", "--download-only", *DEBUG, deb.name).ok()
    assert "Range: bytes=500000-" in run.output
    assert "If-Range: " in run.output
    # On a miss the whole of it is as good an answer.
    assert "HTTP/1.1 206 Partial Content" in run.output or not stored
    assert (apt.archives / part.name).read_bytes() == deb.data
    [request] = origin.asked(repository.url(deb))
    assert request.header("range") is None
    path = shared_dir / repository.hosts[0] / "debian" / deb.path
    assert path.read_bytes() == deb.data


def test_a_connection_for_each(
    apt: Apt, repository: AptRepository, origin: Origin, network: Network
) -> None:
    """Requests are pipelined and answered in order, though the origin closes after each answer."""

    def closing(answer: Handler) -> Handler:
        async def handle(request: Request, reply: Reply) -> None:
            await answer(request, reply)
            assert isinstance(reply, Http1Reply)
            reply.close_after = True

        return handle

    for deb in archive()[0]:
        answer = origin.route(repository.url(deb), deb.data, headers={"Connection": "close"})
        target = f"/debian/{deb.path}"
        origin.handle(repository.hosts[0], target, closing(answer), scheme=repository.scheme)
    apt.install().ok()
    assert apt.installed() == repository.contents
    debs = [request for request in origin.requests if request.url.endswith(".deb")]
    assert len({request.connection for request in debs}) == len(debs) == len(archive()[0])
