"""dnf and a repository with a signed index, which gets a new package between two runs."""

import os
from pathlib import Path

import pytest

from clients.dnf import Dnf
from clients.repo_rpm import RpmRepository
from clients.run import need
from support.network import Network
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy


@pytest.fixture
def repository(origin: Origin, host: str, tmp_path: Path) -> RpmRepository:
    """A repository of this test's own."""
    need("dnf", "createrepo_c", "rpmbuild", "gpg")
    if os.geteuid() != 0:
        pytest.skip("dnf gets packages for root alone")
    repository = RpmRepository(host, tmp_path / "repository")
    repository.publish(origin)
    return repository


def test_a_new_version(
    repository: RpmRepository,
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    network: Network,
    tmp_path: Path,
) -> None:
    """Index, signature and lists are of one time; what has not changed comes from the tree."""
    common = repository.add("common", "1.0")
    for version in ("1.0", "1.1"):
        tool = repository.add("tool", version)
        a_while_ago(shared_dir, of=repository.host)
        dnf = Dnf(shared_proxy, tmp_path / version, repository)
        dnf.download("tool", "common").ok()
        wanted = {f"tool-{version}-1.noarch.rpm": tool, "common-1.0-1.noarch.rpm": common}
        assert dnf.downloaded() == wanted
    packages = [request.url for request in origin.requests if request.url.endswith(".rpm")]
    assert len(packages) == len(set(packages)) == 3
    a_while_ago(shared_dir, of=repository.host)
    network.down()
    dnf = Dnf(shared_proxy, tmp_path / "offline", repository)
    dnf.download("tool").ok()
    assert dnf.downloaded() == {"tool-1.1-1.noarch.rpm": tool}


def test_one_part_is_due(
    repository: RpmRepository, shared_proxy: Proxy, shared_dir: Path, tmp_path: Path
) -> None:
    """Whichever part of an index is checked first: nobody gets a new one with an old one."""
    newest = repository.add("tool", "1.0")
    Dnf(shared_proxy, tmp_path / "first", repository).download("tool").ok()
    for number, part in enumerate(("repomd.xml", "repomd.xml.asc", "primary.xml.gz", ""), 1):
        newest = repository.add("tool", f"1.{number}")
        a_while_ago(shared_dir, of=f'{repository.url}repodata/{part}"' if part else repository.url)
        dnf = Dnf(shared_proxy, tmp_path / f"home{number}", repository)
        dnf.download("tool").ok()
    assert dnf.downloaded() == {"tool-1.4-1.noarch.rpm": newest}
