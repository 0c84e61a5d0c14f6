"""What the tests ask of every package manager."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, TypeVar

from support.wire import Target

from .repository import Repository
from .run import Run, clean_env, run

R = TypeVar("R", bound=Repository)


class Client(ABC, Generic[R]):
    """One package manager with a home of its own, behind a proxy."""

    timeout: float = 40
    """Seconds until a program is killed."""

    def __init__(self, proxy: Target, home: Path, repository: R) -> None:
        self.proxy = proxy
        self.proxy_url = f"http://{proxy.host}:{proxy.port}"
        self.home = home
        self.repository = repository
        self.env = clean_env(home) | self.settings()

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """The variables by which it finds the proxy, its CA and the repository."""

    @abstractmethod
    def install(self) -> Run:
        """Get everything that the repository has."""

    @abstractmethod
    def installed(self) -> dict[str, bytes]:
        """What it got, as in `Repository.contents`."""

    def run(self, *command: str | Path, timeout: float | None = None) -> Run:
        """Run a program in this client's environment."""
        return run(command, self.env, self.home, timeout or self.timeout)
