"""Maven and a repository with a new release, and a snapshot that is built again, between two runs."""

from pathlib import Path

import pytest

from clients.maven import Maven
from clients.repo_maven import MavenRepository
from clients.run import need
from support.network import Network
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy


@pytest.fixture
def repository(origin: Origin, host: str, tmp_path: Path) -> MavenRepository:
    """A repository of this test's own."""
    need("mvn", "keytool")
    repository = MavenRepository(host, tmp_path / "repository")
    repository.publish(origin)
    return repository


@pytest.mark.parametrize("said", [None, "no-cache, no-store"], ids=["3.8", "3.9"])
def test_a_new_release(
    repository: MavenRepository,
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    network: Network,
    tmp_path: Path,
    said: str | None,
) -> None:
    """The newest of a range and of a snapshot, lists with their digests; files come once."""
    for run in (1, 2):
        extension = repository.build()
        a_while_ago(shared_dir, of=repository.host)
        maven = Maven(shared_proxy, tmp_path / f"home{run}", repository, said)
        maven.validate().ok()
        assert maven.parents() == [f"1.{run}"]
        assert maven.extension() == extension
    assert not [each for each in origin.requests if each.method != "GET"]
    # A repository that Maven has never seen, and nothing new in the one that it reads.
    before = len(origin.requests)
    again = Maven(shared_proxy, tmp_path / "again", repository, said)
    again.validate().ok()
    for each in origin.requests[before:]:
        # No release, and of all that belongs to the snapshot only whether it has changed.
        assert "maven-metadata.xml" in each.url or "-SNAPSHOT/" in each.url
        assert each.header("if-none-match"), each
    a_while_ago(shared_dir, of=repository.host)
    network.down()
    offline = Maven(shared_proxy, tmp_path / "offline", repository, said)
    offline.validate().ok()
    assert (offline.parents(), offline.extension()) == (["1.2"], extension)
