"""Repositories that are new now and then, so that there are always misses."""

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from clients.repo_apt import AptRepository
from clients.repo_cargo import CargoRepository, Crate
from clients.repo_git import GitRepository
from clients.repo_npm import NpmRepository
from clients.repo_python import PythonRepository, build
from clients.repository import Repository, payload
from support.origin import Origin

#: Seconds that one is the newest.
PERIOD = 45.0
#: Seconds between two commits.
COMMIT = 6.0
COMMITS = 10
#: So many are kept for jobs that are late.
KEPT = 4


def _python(host: str, number: int, folder: Path) -> Repository:
    version = f"2.{number}"
    needs = [f"smallpkg>=1.{number}"]
    return PythonRepository(
        host,
        (
            build("bigpkg", "1.0", requires=["smallpkg>=1"], apart=False),
            build("bigpkg", version, requires=needs, size=3_000_000, apart=False),
            build("smallpkg", "1.0"),
            build("smallpkg", f"1.{number}", size=20_000 + number),
        ),
    )


def _cargo(host: str, number: int, folder: Path) -> Repository:
    names = ["a", "ab", "abc", *(f"leaf{leaf:02}" for leaf in range(9))]

    def source(name: str) -> bytes:
        return f"// {payload(20_000, f'{name} {number}').hex()}\n".encode()

    leaves = [Crate(name, f"1.{number}.0", source(name)) for name in names]
    root = Crate("wide-root", f"1.{number}.1", source("wide-root"), names)
    return CargoRepository(
        host, (Crate("wide-root", "1.0.0", b"// old\n", names[:1]), root, *leaves)
    )


def _npm(host: str, number: int, folder: Path) -> Repository:
    return NpmRepository(host)


def _apt(host: str, number: int, folder: Path) -> Repository:
    return AptRepository(host, "https" if number % 2 else "http")


def _git(host: str, number: int, folder: Path) -> Repository:
    repository = GitRepository(host, folder, COMMITS)
    repository.advance(0)
    return repository


MAKE: Mapping[str, Callable[[str, int, Path], Repository]] = {
    "python": _python,
    "npm": _npm,
    "cargo": _cargo,
    "apt": _apt,
    "git": _git,
}


class Generations:
    """The repositories of each family, the newest of which is in use.

    Args:
        origin: Where they are published.
        folder: For their files.
    """

    def __init__(self, origin: Origin, folder: Path) -> None:
        self._origin = origin
        self._folder = folder
        self._epoch = time.monotonic()
        self._lock = threading.Lock()
        self._made: dict[str, dict[int, Repository]] = {family: {} for family in MAKE}

    def current(self, family: str) -> Repository:
        """Return the newest repository; it is published."""
        number = 1 + int((time.monotonic() - self._epoch) / PERIOD)
        with self._lock:
            made = self._made[family]
            if number not in made:
                host = f"g{number}.{family}.soak.example"
                repository = MAKE[family](host, number, self._folder / f"{family}{number}")
                repository.publish(self._origin)
                made[number] = repository
                for old in [key for key in made if key <= number - KEPT]:
                    self._origin.forget_hosts(made.pop(old).hosts)
                    shutil.rmtree(self._folder / f"{family}{old}", ignore_errors=True)
            found = made[number]
            if isinstance(found, GitRepository):
                self._commit(found, number)
            return found

    def _commit(self, repository: GitRepository, number: int) -> None:
        age = time.monotonic() - self._epoch - (number - 1) * PERIOD
        due = min(COMMITS - 1, int(age / COMMIT))
        if due != repository.current:
            repository.advance(due)

    def hosts(self, family: str) -> list[str]:
        """Return the hosts of all repositories of a family that are answered."""
        with self._lock:
            return [host for made in self._made[family].values() for host in made.hosts]
