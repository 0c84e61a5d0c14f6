"""The proxy that a command goes by: one of its own, or one that runs."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cachy.cli.corporate import Upstream, upstream
from cachy.cli.launch import launch, options_of
from cachy.cli.through import Proxy, ca_of, internal


@dataclass(frozen=True)
class Way:
    """A proxy that is up."""

    proxy: Proxy
    ca: str
    """Its CA's certificate, PEM."""
    process: subprocess.Popen[bytes] | None = None
    """Where it is our own."""
    direct: str = ""
    """Hosts to ask directly, as in ``NO_PROXY``."""
    remark: str | None = None
    """What to tell about it."""


@contextmanager
def own(
    *,
    log: Path,
    directory: str | None = None,
    mode: str | None = None,
    run: str | None = None,
    settings: Sequence[str] = (),
    belongings: Path | None = None,
) -> Iterator[Way]:
    """A proxy on a free port, for as long as the block lasts.

    Args:
        log: The file for what it prints.
        directory: ``cachy_dir``.
        mode: ``cachy_mode``.
        run: The run that all its connections belong to.
        settings: Options of mitmproxy, ``NAME=VALUE``.
        belongings: A folder that is to go, too, where this process is killed.

    Raises:
        LaunchError: It does not start.
    """
    named = {setting.partition("=")[0] for setting in settings}
    by = Upstream() if mode == "offline" or "mode" in named else upstream(os.environ)
    arguments = [word for setting in settings for word in argument(setting)]
    with launch(
        log=log,
        directory=directory,
        mode=mode,
        run=run,
        extra_args=[*by.arguments, *options_of(by.options, arguments), *arguments],
        belongings=belongings,
    ) as launched:
        yield Way(
            Proxy.parse(launched.url),
            launched.ca_pem.read_text(),
            launched.process,
            by.direct,
            by.remark,
        )


def argument(setting: str) -> tuple[str, str]:
    """An option as an argument: scripts are added to the addon, which is one itself."""
    name, _, value = setting.partition("=")
    return ("-s", value) if name == "scripts" else ("--set", setting)


def running(url: str) -> Way:
    """A proxy that runs.

    Raises:
        ValueError: The URL is no proxy's.
        ProxyError: It does not answer.
    """
    proxy = Proxy.parse(url)
    ca = ca_of(proxy)
    remark = None
    if internal(proxy, "/status") is None:
        remark = f"{proxy} does not answer as cachy: it may cache nothing, and reports nothing"
    return Way(proxy, ca, remark=remark)
