"""The real clients that are measured, and what each of them fetches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clients.cargo import Cargo
from clients.repo_cargo import CargoRepository
from clients.repo_python import PythonRepository
from clients.repository import Repository
from clients.run import Run, which
from clients.uv import Uv
from support.proxy import Proxy

from .bench import say
from .registries import FRESH, crates, wheels
from .tool import Failed


@dataclass(frozen=True)
class Count:
    """How much to measure."""

    crates: int = 150
    wheels: int = 100


QUICK = Count(crates=30, wheels=20)


@dataclass(frozen=True)
class Kind:
    """One client."""

    name: str
    title: str
    repository: Callable[[str], Repository]
    """What it fetches, at a host of that name."""
    install: Callable[[Proxy, Path, Repository], Run]
    """Has it fetch everything, in a new home."""


def _cargo(proxy: Proxy, home: Path, repository: Repository) -> Run:
    assert isinstance(repository, CargoRepository)
    client = Cargo(proxy, home, repository)
    run = client.install()
    _whole(run, client.installed(), repository)
    return run


def _uv(proxy: Proxy, home: Path, repository: Repository) -> Run:
    assert isinstance(repository, PythonRepository)
    client = Uv(proxy, home, repository)
    run = client.install(repository.wheels[0].name)
    _whole(run, client.installed(), repository)
    return run


def _whole(run: Run, installed: Mapping[str, bytes], repository: Repository) -> None:
    if run.status or installed != repository.contents:
        raise Failed(f"not all was fetched: {run}")


def kinds(count: Count) -> list[Kind]:
    """Those that are on this machine."""
    many, small = crates(count.crates), wheels(count.wheels)
    all_of_them = [
        Kind(
            "cargo",
            f"`cargo fetch`, {len(many)} crates",
            lambda host: CargoRepository(host, many, FRESH),
            _cargo,
        ),
        Kind(
            "uv",
            f"`uv pip install`, {len(small)} wheels",
            lambda host: PythonRepository(host, small),
            _uv,
        ),
    ]
    for kind in all_of_them:
        if not which(kind.name):
            say(f"SKIPPED {kind.name}: not installed")
    return [kind for kind in all_of_them if which(kind.name)]
