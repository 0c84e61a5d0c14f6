"""skopeo and a real docker-registry, whose tags move between two runs."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.repo_oci import ARCHITECTURES, LIST, MANIFEST, OciRepository, content
from clients.run import need
from clients.skopeo import Skopeo
from support.client import fetch
from support.network import Network
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy


@pytest.fixture
def repository(origin: Origin, host: str, tmp_path: Path) -> Iterator[OciRepository]:
    """A registry of this test's own."""
    need("skopeo", "docker-registry")
    with OciRepository(host, tmp_path / "registry") as repository:
        repository.publish(origin)
        yield repository


def test_a_moving_tag(
    repository: OciRepository,
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    network: Network,
    tmp_path: Path,
) -> None:
    """A tag is what it names now, on each architecture; blobs come once, and all is there offline."""

    def everywhere(name: str) -> dict[str, bytes]:
        skopeo = Skopeo(shared_proxy, tmp_path / name, repository)
        return {each: skopeo.pulled("latest", each) for each in ARCHITECTURES}

    def named() -> str | None:
        tag = f"{repository.url}manifests/latest"
        return fetch(shared_proxy, tag, "HEAD", {"Accept": LIST}).header("docker-content-digest")

    for build in (1, 2):
        digest = repository.push("latest", build)
        a_while_ago(shared_dir, of=repository.host)
        assert named() == digest
        assert everywhere(f"run{build}") == {each: content(each, build) for each in ARCHITECTURES}
    asked = Counter(request.url for request in origin.requests if "sha256:" in request.url)
    # Each build: of each architecture a manifest, a configuration and a layer; and the common layer.
    assert len(asked) == 2 * 2 * 3 + 1
    assert set(asked.values()) == {1}
    a_while_ago(shared_dir, of=repository.host)
    network.down()
    assert named() == digest
    assert everywhere("offline") == {each: content(each, 2) for each in ARCHITECTURES}


def test_a_new_tag(
    repository: OciRepository, shared_proxy: Proxy, shared_dir: Path, tmp_path: Path
) -> None:
    """The list of tags has one that was just pushed."""
    skopeo = Skopeo(shared_proxy, tmp_path / "home", repository)
    for tags in (["1.0"], ["1.0", "1.1"]):
        repository.push(tags[-1], len(tags))
        a_while_ago(shared_dir, of=repository.host)
        assert sorted(json.loads(skopeo.tags().ok().output)["Tags"]) == tags


def test_who_reads_no_lists(
    repository: OciRepository, shared_proxy: Proxy, network: Network, tmp_path: Path
) -> None:
    """A client that accepts no list gets amd64 from the registry, and spoils it for nobody."""
    repository.push("latest", 1)
    tag = f"{repository.url}manifests/latest"
    narrow = {"Accept": MANIFEST}
    old = fetch(shared_proxy, tag, headers=narrow)
    assert json.loads(old.body)["mediaType"] == MANIFEST
    skopeo = Skopeo(shared_proxy, tmp_path / "home", repository)
    assert skopeo.pulled("latest", "arm64") == content("arm64", 1)
    again = fetch(shared_proxy, tag, headers=narrow)
    assert again.body == old.body
    network.down()
    assert fetch(shared_proxy, tag, headers=narrow).body == old.body
    assert skopeo.pulled("latest", "arm64") == content("arm64", 1)
