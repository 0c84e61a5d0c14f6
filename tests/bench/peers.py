"""What is compared. Each is a real mitmdump, with TLS on both sides."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.factory import ProxyFactory
from support.proxy import Proxy

HERE = Path(__file__).parent
#: For all, so that nobody is measured printing a line for each flow.
QUIET: dict[str, str | int | bool] = {"flow_detail": 0}
#: What cachy sets by itself: a hit must not connect to the origin.
LAZY: dict[str, str | int | bool] = {"connection_strategy": "lazy", "upstream_cert": False}


@dataclass(frozen=True)
class Peer:
    """One of those that are compared."""

    name: str
    scripts: Sequence[Path] | None = ()
    """None stands for cachy."""
    options: Mapping[str, str | int | bool] = field(default_factory=lambda: LAZY)
    misses: bool = True
    """Whether it can fetch what it doesn't have."""
    stores: bool = True
    """Whether it answers without the origin at the second time."""
    replays: bool = False


PEERS = (
    Peer("cachy", scripts=None, options={}),
    Peer("twenty", scripts=[HERE / "twenty.py"]),
    Peer("constant", scripts=[HERE / "constant.py"], misses=False),
    Peer("mitmproxy", options=LAZY | {"stream_large_bodies": "1"}, stores=False),
    Peer("replay", options=LAZY | {"server_replay_reuse": True}, misses=False, replays=True),
)


class Starter:
    """Starts peers, each time as if for the first time."""

    def __init__(self, factory: ProxyFactory, folder: Path) -> None:
        self._factory = factory
        self._cachy_dir = folder / "cache"
        self._flows = folder / "flows"

    @contextmanager
    def recording(self) -> Iterator[Proxy]:
        """A proxy that records what `replay` will answer."""
        args = ["-w", str(self._flows)]
        yield from self._run(self._factory(scripts=[], options=LAZY | QUIET, args=args))

    @contextmanager
    def running(self, peer: Peer) -> Iterator[Proxy]:
        """A fresh process of a peer; cachy's folder is empty."""
        shutil.rmtree(self._cachy_dir, ignore_errors=True)
        yield from self._run(
            self._factory(
                scripts=peer.scripts,
                cachy_dir=self._cachy_dir,
                options={**QUIET, **peer.options},
                args=["--server-replay", str(self._flows)] if peer.replays else [],
            )
        )

    def _run(self, proxy: Proxy) -> Iterator[Proxy]:
        try:
            yield proxy
        finally:
            proxy.stop(5)
