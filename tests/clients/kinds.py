"""The five package managers, each with the repository that it reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.wire import Target

from .apt import Apt
from .cargo import Cargo
from .client import Client
from .npm import Npm
from .pip import Pip
from .repo_apt import AptRepository
from .repo_cargo import CargoRepository
from .repo_npm import NpmRepository
from .repo_python import PythonRepository
from .repository import Repository
from .run import need, which
from .uv import Uv


@dataclass(frozen=True)
class Kind:
    """A client, what it reads, and what has to be installed for both."""

    client: type[Client[Any]]
    repository: type[Repository]
    programs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Short, for people."""
        return self.client.__name__.lower()

    @property
    def present(self) -> bool:
        """Whether it can run here."""
        return all(which(program) for program in self.programs)

    def need(self) -> None:
        """Skip the test where it can't run here."""
        need(*self.programs)

    def behind(self, proxy: Target, home: Path, repository: Repository) -> Client[Any]:
        """One with a home of its own."""
        return self.client(proxy, home, repository)


KINDS = (
    Kind(Pip, PythonRepository),
    Kind(Uv, PythonRepository, ("uv",)),
    Kind(Npm, NpmRepository, ("npm",)),
    Kind(Cargo, CargoRepository, ("cargo",)),
    Kind(Apt, AptRepository, ("apt-get", "dpkg-deb", "dpkg-scanpackages")),
)
