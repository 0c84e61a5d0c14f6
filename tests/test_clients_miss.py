"""Offline, and something is missing: each client gives up at once, and the log says what to do."""

from pathlib import Path

import pytest

from clients.kinds import KINDS, Kind
from clients.pip import Pip
from clients.repo_python import PythonRepository
from clients.uv import Uv
from support.factory import ProxyFactory
from support.origin import Origin
from support.proxy import Proxy

LIMIT = 5
"""Seconds within which a client has failed."""

all_kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))


@pytest.fixture(scope="module")
def offline_proxy(start_shared_proxy: ProxyFactory, shared_proxy: Proxy) -> Proxy:
    """A second proxy on the tree of `shared_proxy`, with `cachy_mode=offline`."""
    return start_shared_proxy(options={"cachy_mode": "offline"})


def path_of(url: str, folder: Path) -> Path:
    """Where the tree has it."""
    path = folder / url.partition("://")[2]
    return path / "index.html" if url.endswith("/") else path


@all_kinds
def test_nothing_is_there(
    kind: Kind, offline_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, tmp_path: Path
) -> None:
    """It fails within five seconds at its first URL, whose path is named."""
    kind.need()
    repository = kind.repository(host)
    repository.publish(origin)
    before = len(offline_proxy.log())
    run = kind.behind(offline_proxy, tmp_path / "home", repository).install()
    assert run.status != 0, run
    assert run.seconds < LIMIT, run
    assert f"{path_of(repository.first, shared_dir)} " in offline_proxy.log()[before:]
    assert origin.requests == []


@all_kinds
def test_a_file_is_missing(
    kind: Kind,
    shared_proxy: Proxy,
    offline_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    tmp_path: Path,
) -> None:
    """It fails as soon, the path is named, and with the file put there all is right."""
    kind.need()
    repository = kind.repository(host)
    repository.publish(origin)
    kind.behind(shared_proxy, tmp_path / "cold", repository).install().ok()
    path = path_of(repository.file, shared_dir)
    path.rename(tmp_path / "kept")
    asked = len(origin.requests)
    before = len(offline_proxy.log())
    run = kind.behind(offline_proxy, tmp_path / "miss", repository).install()
    assert run.status != 0, run
    assert run.seconds < LIMIT, run
    assert f"{path} " in offline_proxy.log()[before:]
    (tmp_path / "kept").rename(path)
    client = kind.behind(offline_proxy, tmp_path / "again", repository)
    client.install().ok()
    assert client.installed() == repository.contents
    assert len(origin.requests) == asked


@pytest.mark.parametrize("program", [Pip, Uv])
def test_no_older_version_instead(
    program: type[Pip] | type[Uv],
    shared_proxy: Proxy,
    offline_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    tmp_path: Path,
) -> None:
    """Where the newest version is missing, the older one that is stored is not taken for it."""
    repository = PythonRepository(host)
    repository.publish(origin)
    program(shared_proxy, tmp_path / "old", repository).install("bigpkg==1.0").ok()
    client = program(offline_proxy, tmp_path / "new", repository)
    assert client.install().status != 0
    assert client.installed() == {}
