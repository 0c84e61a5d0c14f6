"""apt and signed repositories, flat ones too, in which a package is built again between two runs."""

from pathlib import Path

import pytest

from clients.apt import Apt
from clients.kinds import KINDS
from clients.repo_apt_signed import Signature, SignedAptRepository
from clients.run import need
from support.network import Network
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy

NO_CACHE = ["-o", "Acquire::https::No-Cache=true"]


@pytest.fixture(params=[(False, "InRelease"), (True, "Release.gpg")], ids=["pool", "flat"])
def repository(
    request: pytest.FixtureRequest, origin: Origin, host: str, tmp_path: Path
) -> SignedAptRepository:
    """A repository of this test's own."""
    KINDS[-1].need()
    need("gpg")
    flat: bool = request.param[0]
    signature: Signature = request.param[1]
    repository = SignedAptRepository(host, tmp_path / "repository", flat=flat, signature=signature)
    repository.publish(origin)
    return repository


def test_a_new_build(
    repository: SignedAptRepository,
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    network: Network,
    tmp_path: Path,
) -> None:
    """Index and signature are of one time; what has not changed comes from the tree."""
    common = repository.add("common", "1.0-1")
    for version in ("1.0-1", "1.0-1+b1"):
        tool = repository.add("tool", version, "common")
        a_while_ago(shared_dir, of=repository.host)
        apt = Apt(shared_proxy, tmp_path / version, repository)
        apt.update().ok()
        apt.download("tool").ok()
        assert apt.installed() == {"common": common.data, "tool": tool.data}
    packages = [request.url for request in origin.requests if request.url.endswith(".deb")]
    assert len(packages) == len(set(packages)) == 3
    a_while_ago(shared_dir, of=repository.host)
    network.down()
    apt = Apt(shared_proxy, tmp_path / "offline", repository)
    apt.update().ok()
    apt.download("tool").ok()
    assert apt.installed() == {"common": common.data, "tool": tool.data}


def test_the_same_version_built_again(
    repository: SignedAptRepository,
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    network: Network,
    tmp_path: Path,
) -> None:
    """Other bytes under a version: who says `no-cache` gets them, and so does everybody after."""
    common = repository.add("common", "1.0-1")
    for seed in ("", "again"):
        tool = repository.add("tool", "1.0-1", "common", seed=seed)
        a_while_ago(shared_dir, of=repository.host)
        apt = Apt(shared_proxy, tmp_path / f"home{seed}", repository)
        apt.update().ok()
        apt.download("tool", *(NO_CACHE if seed else [])).ok()
        assert apt.installed() == {"common": common.data, "tool": tool.data}
    whole = [each for each in origin.requests if each.url.endswith(".deb")]
    assert len(whole) == 4
    assert all(each.header("if-none-match") for each in whole[2:])
    for name in ("after", "offline"):
        apt = Apt(shared_proxy, tmp_path / name, repository)
        apt.update().ok()
        apt.download("tool").ok()
        assert apt.installed() == {"common": common.data, "tool": tool.data}
        a_while_ago(shared_dir, of=repository.host)
        network.down()


def test_one_part_is_due(
    repository: SignedAptRepository, shared_proxy: Proxy, shared_dir: Path, tmp_path: Path
) -> None:
    """Whichever part of an index is checked first: nobody gets a new one with an old one."""
    newest = repository.add("tool", "1.0")
    Apt(shared_proxy, tmp_path / "first", repository).update().ok()
    for number, part in enumerate(("Release", repository.signature, "Packages.gz", ""), 1):
        newest = repository.add("tool", f"1.{number}")
        a_while_ago(shared_dir, of=f'/{part}"' if part else repository.host)
        apt = Apt(shared_proxy, tmp_path / f"home{number}", repository)
        apt.update().ok()
    apt.download("tool").ok()
    assert apt.installed() == {"tool": newest.data}
