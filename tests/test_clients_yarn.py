"""Yarn 1 to 4 under `cachy run`: a setting that one of them doesn't know stops it."""

from pathlib import Path

import pytest

from clients import yarn
from clients.repo_npm import NpmRepository
from clients.run import run
from support.command import Cachy
from support.origin import Origin
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
