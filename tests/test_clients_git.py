"""Real git behind the proxy."""

from pathlib import Path

from clients.git import Git
from clients.repo_git import FILE, GitRepository, content
from clients.run import need
from support.origin import Origin
from support.proxy import Proxy


def test_clone(proxy: Proxy, origin: Origin, host: str, tmp_path: Path) -> None:
    """A clone has what the branch names at that moment, whatever an earlier one got."""
    need("git")
    repository = GitRepository(host, tmp_path / "repository")
    repository.publish(origin)
    for commit in (0, 2):
        repository.advance(commit)
        client = Git(proxy, tmp_path / f"home{commit}", repository)
        client.install().ok()
        assert client.head() == repository.ids[commit]
        assert client.installed() == {FILE: content(commit)}
