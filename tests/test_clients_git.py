"""Real git behind the proxy."""

from pathlib import Path

import pytest

from clients.git import Git
from clients.repo_git import FILE, GitRepository, content
from clients.run import need
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
