"""Starts proxies for tests, and stops them all at the end."""

import contextlib
import itertools
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from .network import Network
from .proxy import Proxy, Settings

ROUTE = Path(__file__).with_name("route.py")
LOG_TAIL = 12_000


class ProxyFactory:
    """Every proxy gets the tests' name service and trusts the tests' CA."""

    living: ClassVar[list["ProxyFactory"]] = []
    """All factories in use, for the report of a test that failed."""
    options: ClassVar[dict[str, str | int | bool]] = {}
    """For all proxies with the addon, unless a test says otherwise."""

    def __init__(
        self,
        *,
        folder: Path,
        confdir: Path,
        cachy_dir: Path,
        network: Network,
        upstream_ca: Path,
        addon: Callable[[], Path],
    ) -> None:
        self.proxies: list[Proxy] = []
        self._folder = folder
        self._confdir = confdir
        self._cachy_dir = cachy_dir
        self._network = network
        self._upstream_ca = upstream_ca
        self._addon = addon
        self._numbers = itertools.count(1)

    def __call__(
        self,
        *,
        options: Mapping[str, str | int | bool] | None = None,
        scripts: Sequence[Path] | None = None,
        cachy_dir: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        trust_origin: bool = True,
        start: bool = True,
        **settings: Any,
    ) -> Proxy:
        """A running proxy with the addon; further arguments as in `Settings`.

        `scripts` takes the addon's place; `route.py` is always loaded, last.
        """
        all_options: dict[str, str | int | bool] = {}
        if scripts is None:
            scripts = [self._addon()]
            all_options = self.options | {"cachy_dir": str(cachy_dir or self._cachy_dir)}
        proxy = Proxy(
            Settings(
                scripts=[*scripts, ROUTE],
                confdir=settings.pop("confdir", self._confdir),
                log_file=self._folder / f"mitmdump{next(self._numbers)}.log",
                upstream_ca=self._upstream_ca if trust_origin else None,
                options=all_options | dict(options or {}),
                env=self._network.env | dict(env or {}),
                **settings,
            )
        )
        self.proxies.append(proxy)
        return proxy.start() if start else proxy

    def logs(self) -> list[tuple[str, str]]:
        """Title and last lines of each proxy's output."""
        return [(proxy.settings.log_file.name, proxy.log()[-LOG_TAIL:]) for proxy in self.proxies]

    def mishaps(self) -> list[str]:
        """What the proxies have printed since the last call that tells of a mistake of their own."""
        return [line for proxy in self.proxies for line in proxy.mishaps()]

    def __enter__(self) -> Self:
        self.living.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.living.remove(self)
        for proxy in self.proxies:
            # A proxy that hangs was killed by `stop`; tests of the end itself
            # call `stop` and see the exception.
            with contextlib.suppress(subprocess.TimeoutExpired):
                proxy.stop(5)
        if kind is None:
            assert not (found := self.mishaps()), "\n".join(found)
