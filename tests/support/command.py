"""The installed command `cachy`, in an environment of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.run import Run, clean_env, run

from .factory import ROUTE
from .network import Network


@dataclass
class Cachy:
    """The command, whose proxies have the tests' name service and trust the tests' CA."""

    home: Path
    network: Network
    confdir: Path
    upstream_ca: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        state = {"XDG_STATE_HOME": str(self.confdir / "state"), "TMPDIR": str(self.home)}
        self.env = clean_env(self.home) | state | self.network.env

    @property
    def settings(self) -> list[str]:
        """What a proxy of its own needs, as options of `cachy run`."""
        options = [f"scripts={ROUTE}", *self._options]
        return [word for each in options for word in ("--set", each)]

    @property
    def arguments(self) -> list[str]:
        """The same, as options of mitmdump."""
        return ["-s", str(ROUTE), *(w for each in self._options for w in ("--set", each))]

    @property
    def _options(self) -> list[str]:
        return [
            f"confdir={self.confdir}",
            f"ssl_verify_upstream_trusted_ca={self.upstream_ca}",
        ]

    def words(self, *arguments: str | Path) -> list[str]:
        """The command line."""
        program = str(Path(sys.executable).with_name("cachy"))
        return [program, *(str(word) for word in arguments)]

    def run(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Run:
        """Runs it to the end."""
        return run(self.words(*arguments), self.env | dict(env or {}), self.home)

    def start(
        self,
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        **more: Any,
    ) -> "subprocess.Popen[str]":
        """Starts it, with pipes; by a command that executes the rest of its line, if any."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        words = [*prefix, *self.words(*arguments)]
        return subprocess.Popen(
            words, env=self.env | dict(env or {}), cwd=self.home, **(pipes | more)
        )


def set_environment(monkeypatch: Any, env: Mapping[str, str]) -> None:
    """Makes an environment that of the test's own process."""
    for name in os.environ.keys() - env.keys():
        # Of pytest and its kin.
        if not name.startswith(("PYTEST", "COV")):
            monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
