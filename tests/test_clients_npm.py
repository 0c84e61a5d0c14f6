"""npm: `npm ci`, the audit by POST, a name that is file and folder, a scope, `--before`."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clients.npm import Npm
from clients.repo_npm import NpmRepository, packages
from clients.repo_npm_dated import DatedNpmRepository
from clients.run import need
from support.network import Network
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.tree import tree


@pytest.fixture
def repository(origin: Origin, host: str) -> NpmRepository:
    """A registry of this test's own."""
    need("npm")
    repository = NpmRepository(host)
    repository.publish(origin)
    return repository


def test_ci_with_no_network(
    repository: NpmRepository, shared_proxy: Proxy, network: Network, tmp_path: Path
) -> None:
    """`npm ci` in a new home installs what the lock file names, from the tree alone."""
    first = Npm(shared_proxy, tmp_path / "first", repository)
    first.install().ok()
    network.down()
    second = Npm(shared_proxy, tmp_path / "second", repository)
    second.write_manifest()
    shutil.copy(first.project / "package-lock.json", second.project)
    second.npm("ci").ok()
    assert second.installed() == repository.contents


def test_the_audit_passes(
    repository: NpmRepository, shared_proxy: Proxy, origin: Origin, tmp_path: Path
) -> None:
    """Each audit reaches upstream, with its body."""
    for name in ("first", "second"):
        Npm(shared_proxy, tmp_path / name, repository).install().ok()
    audits = origin.asked(repository.audit)
    assert [audit.method for audit in audits] == ["POST", "POST"]
    assert audits[0].body and audits[0].body == audits[1].body


def test_a_failing_audit_harms_nothing(
    repository: NpmRepository, shared_proxy: Proxy, origin: Origin, tmp_path: Path
) -> None:
    """The install succeeds where the audit is answered by an error, and that is not stored."""
    answer = origin.route(repository.audit, b"{}", 503)
    Npm(shared_proxy, tmp_path / "first", repository).install().ok()
    answer.status = 200
    run = Npm(shared_proxy, tmp_path / "second", repository).install().ok()
    assert "found 0 vulnerabilities" in run.output


def test_names_in_the_tree(
    repository: NpmRepository, shared_proxy: Proxy, shared_dir: Path, tmp_path: Path
) -> None:
    """A packument beside its tarballs, a scope both as `%2F` and as a folder, and no audit."""
    Npm(shared_proxy, tmp_path / "home", repository).install().ok()
    newest = {package.name: package for package in packages()}.values()
    tarballs = {package.path.removeprefix("/"): package.data for package in newest}
    found = tree(shared_dir / repository.hosts[0])
    packuments = {"npm", "lowdash/%~self", "leftside/%~self", "@kinds%2Fnode"}
    assert found.keys() <= tarballs.keys() | packuments
    assert found.keys() >= tarballs.keys() | packuments - {"npm"}
    assert {path: found[path] for path in tarballs} == tarballs


def test_before(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    network: Network,
    host: str,
    tmp_path: Path,
) -> None:
    """Who takes the newest and who takes what was there before a day read two forms of one URL."""
    need("npm")
    repository = DatedNpmRepository(host)
    repository.release("1.0.0", days=30)
    day = (datetime.now(UTC) - timedelta(days=10)).date().isoformat()

    def both(state: str, newest: str) -> None:
        a_while_ago(shared_dir, of=repository.hosts[0])
        for name, version, options in (
            ("newest", newest, []),
            ("before", "1.0.0", [f"--before={day}"]),
        ):
            npm = Npm(shared_proxy, tmp_path / f"{state}-{name}", repository)
            npm.install("--no-audit", "--no-update-notifier", *options).ok()
            assert npm.installed() == repository.content(version)

    for version in ("1.1.0", "1.2.0"):
        repository.release(version, days=1)
        repository.publish(origin)
        both(version, version)
    tarballs = [each.url for each in origin.requests if each.url.endswith(".tgz")]
    assert len(tarballs) == len(set(tarballs)) == 4
    network.down()
    both("offline", "1.2.0")
