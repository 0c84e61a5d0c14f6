"""Real git and libgit2 behind the proxy."""

from pathlib import Path

import pytest

from clients.git import Git
from clients.libgit2 import Libgit2, need_libgit2
from clients.repo_git import FILE, GitRepository, content
from clients.run import need
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy


@pytest.fixture
def repository(origin: Origin, host: str, tmp_path: Path) -> GitRepository:
    """A repository of this test's own, with its first commit."""
    need("git")
    repository = GitRepository(host, tmp_path / "repository")
    repository.publish(origin)
    repository.advance(0)
    return repository


def test_clone(shared_proxy: Proxy, repository: GitRepository, tmp_path: Path) -> None:
    """A clone has what the branch names at that moment, whatever earlier ones got."""
    for commit in (0, 1, 2):
        repository.advance(commit)
        client = Git(shared_proxy, tmp_path / f"home{commit}", repository)
        client.install().ok()
        assert client.head() == repository.ids[commit]
        assert client.installed() == {FILE: content(commit)}


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_push(
    shared_proxy: Proxy, repository: GitRepository, tmp_path: Path, version: str
) -> None:
    """What was pushed through the proxy is what the next client fetches, at once."""
    repository.accept_pushes()
    mine = Git(shared_proxy, tmp_path / "mine", repository)
    theirs = Git(shared_proxy, tmp_path / "theirs", repository)
    for each in (mine, theirs):
        each.env |= each.setting("protocol.version", version)
        each.install().ok()
    for said in ("one", "two", "three"):
        mine.commit(said).ok()
        mine.git("push", "--quiet", "origin", "HEAD:main").ok()
        theirs.git("pull", "--quiet", "--ff-only").ok()
        assert theirs.head() == mine.head()


def test_all_protocols(
    shared_proxy: Proxy, repository: GitRepository, origin: Origin, network: Network, tmp_path: Path
) -> None:
    """Clients of protocol 2, 0 and libgit2, in turns, get what they speak, and what is there now."""
    need_libgit2()
    for commit in (0, 1, 2):
        repository.advance(commit)
        for kind, version in ((Git, "2"), (Git, "0"), (Libgit2, "")):
            client = kind(shared_proxy, tmp_path / f"home{commit}{version}", repository)
            client.env |= client.setting("protocol.version", version) if version else {}
            client.install().ok()
            assert client.head() == repository.ids[commit]
            assert client.installed() == {FILE: content(commit)}
    asked = [each.header("git-protocol") for each in origin.requests if each.method == "GET"]
    assert asked == ["version=2", None, None] * 3
    network.down()
    # The list of branches is all that protocol 0 gets without a POST.
    client.env |= client.setting("protocol.version", "0")
    run = client.run("git", "ls-remote", repository.url, "main").ok()
    assert run.output.split() == [repository.ids[2], "refs/heads/main"]
