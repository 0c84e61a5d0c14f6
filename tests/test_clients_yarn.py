"""Yarn 1 to 4 under `cachy run`, where a setting that one doesn't know stops it; and Yarn's age gate."""

from pathlib import Path

import pytest

from clients import yarn
from clients.npm import Npm
from clients.repo_npm import NpmRepository
from clients.repo_npm_dated import DatedNpmRepository
from clients.run import run
from support.command import Cachy
from support.network import Network
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("version", "named"), [*((v, False) for v in yarn.VERSIONS), *((v, True) for v in "234")]
)
def test_install(
    command: Cachy,
    open_proxy: Proxy,
    origin: Origin,
    host: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    version: str,
    named: bool,
) -> None:
    """It uses the proxy and trusts it, even if the project's settings name other roots."""
    program = yarn.programs(tmp_path_factory.getbasetemp() / "yarn")[version]
    repository = NpmRepository(host)
    repository.publish(origin)
    roots = tmp_path / "roots.pem"
    roots.write_text(command.upstream_ca.read_text())
    place = tmp_path / "project"
    yarn.project(place, version, repository.registry, "leftside", str(roots) if named else None)
    words = command.words("run", "-q", "--proxy", open_proxy.url, "--", "node", program, "install")
    # Of root, Yarn 1 has another one.
    home = {"HOME": str(tmp_path / "home"), "YARN_CACHE_FOLDER": str(tmp_path / "home/packages")}
    run(words, command.env | home, place, timeout=90).ok()
    installed = (place / "node_modules/leftside/index.js").read_bytes()
    assert installed == repository.contents["leftside"]
    assert origin.count(f"https://npm.{host}/leftside/-/leftside-1.3.0.tgz") == 1


@pytest.mark.timeout(180)
def test_age_gate(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    network: Network,
    host: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Yarn 4 takes what is old enough by now, though npm has fetched the form without ages before."""
    program = yarn.programs(tmp_path_factory.getbasetemp() / "yarn")["4"]
    repository = DatedNpmRepository(host)
    repository.release("1.0.0", days=30)

    def installs(state: str, version: str, newest: str) -> None:
        a_while_ago(shared_dir, of=repository.hosts[0])
        npm = Npm(shared_proxy, tmp_path / f"{state}-npm", repository)
        npm.install("--no-audit", "--no-update-notifier").ok()
        assert npm.installed() == repository.content(newest)
        client = yarn.Yarn4(shared_proxy, tmp_path / state, repository, program)
        client.install().ok()
        assert client.installed() == repository.content(version)

    for state, old, days in (("young", "1.0.0", 2), ("old", "1.1.0", 4)):
        repository.release("1.1.0", days)
        repository.release("1.2.0", days=1)
        repository.publish(origin)
        installs(state, old, "1.2.0")
    tarballs = [each.url for each in origin.requests if each.url.endswith(".tgz")]
    assert len(tarballs) == len(set(tarballs)) == 4
    network.down()
    installs("offline", "1.1.0", "1.2.0")
