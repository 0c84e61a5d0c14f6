"""pip and uv: what one of them fetched serves the other, and what is new is seen."""

from pathlib import Path

import pytest

from clients.pip import Pip
from clients.repo_python import PythonRepository, build, wheels
from clients.run import need
from clients.uv import Uv
from support.network import Network
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.tree import tree


@pytest.fixture
def repository(origin: Origin, host: str) -> PythonRepository:
    """An index of this test's own."""
    need("uv")
    repository = PythonRepository(host)
    repository.publish(origin)
    return repository


@pytest.mark.parametrize(("first", "second"), [(Pip, Uv), (Uv, Pip)])
def test_mixed_order(
    first: type[Pip] | type[Uv],
    second: type[Pip] | type[Uv],
    repository: PythonRepository,
    shared_proxy: Proxy,
    network: Network,
    tmp_path: Path,
) -> None:
    """The second needs no network, though it asks for HEAD and ranges where the first did not."""
    first(shared_proxy, tmp_path / "first", repository).install().ok()
    network.down()
    client = second(shared_proxy, tmp_path / "second", repository)
    client.install().ok()
    assert client.installed() == repository.contents


def test_no_fragment_is_stored(
    repository: PythonRepository, shared_proxy: Proxy, shared_dir: Path, tmp_path: Path
) -> None:
    """uv asks for pieces of the wheel; in the tree there are whole ones alone, of the newest."""
    Uv(shared_proxy, tmp_path / "home", repository).install().ok()
    newest = {wheel.filename: wheel.data for wheel in wheels() if wheel.version in ("2.0", "1.1")}
    found = tree(shared_dir / f"files.{repository.host}")
    assert {Path(p).name: b for p, b in found.items() if p.endswith(".whl")} == newest


@pytest.mark.parametrize(("kind", "path"), [(Pip, "/simple/"), (Uv, "/root/dev/+simple/")])
def test_a_new_version(
    kind: type[Pip] | type[Uv],
    path: str,
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    network: Network,
    host: str,
    tmp_path: Path,
) -> None:
    """An index that says nothing of how long it holds shows what is new; what was there comes once."""
    need("uv")
    needed = build("needed", "1.0")
    tools = [build("tool", version, requires=["needed"]) for version in ("1.0", "1.1")]
    for number, tool in enumerate(tools):
        repository = PythonRepository(host, [needed, *tools[: number + 1]], path, [])
        repository.publish(origin)
        a_while_ago(shared_dir, of=host)
        client = kind(shared_proxy, tmp_path / f"home{number}", repository)
        client.install("tool").ok()
        assert client.installed() == {"needed": needed.content, "tool": tool.content}
    files = [each.url for each in origin.requests if each.host == f"files.{host}"]
    assert len(files) == len(set(files))
    a_while_ago(shared_dir, of=host)
    network.down()
    offline = kind(shared_proxy, tmp_path / "offline", repository)
    offline.install("tool").ok()
    assert offline.installed() == client.installed()
