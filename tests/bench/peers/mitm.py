"""cachy, and other ways to have mitmproxy answer: real mitmdumps, with nothing printed."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from cachy import addon_path

from ..process import Process, free_port
from .base import Peer, Place, Running

SCRIPTS = Path(__file__).parent.parent / "scripts"
BIN = Path(sys.executable).parent
#: What cachy sets by itself: a hit must not connect to the origin.
LAZY = {"connection_strategy": "lazy", "upstream_cert": "false"}
#: cachy as it was without its lane.
NO_LANE = "cachy no lane"


class Mitm(Peer):
    """A mitmdump."""

    def __init__(
        self,
        name: str,
        title: str,
        *,
        scripts: Sequence[Path] = (),
        options: Mapping[str, str] = LAZY,
        stores: bool = True,
    ) -> None:
        self.name = name
        self.title = title
        self.scripts = scripts
        self.options = options
        self.stores = stores

    def start(self, place: Place) -> Running:
        folder = place.fresh(self.name)
        port = free_port()
        options = {
            "confdir": str(place.folder / "confdir"),
            "ssl_verify_upstream_trusted_ca": str(place.origin.ca_pem),
            **self.options,
            **self.further(place, folder),
        }
        command = [*self.command(folder, port)]
        for script in (*self.scripts, SCRIPTS / "route.py"):
            command += ["-s", str(script)]
        for name, value in options.items():
            command += ["--set", f"{name}={value}"]
        process = Process(command, port, folder / "log", {"BENCH_FILES": str(place.files)})
        ca_pem = place.folder / "confdir" / "mitmproxy-ca-cert.pem"
        tree = folder / "tree"
        return Running(self, place, process, ca_pem, tree if tree.exists() else None)

    def command(self, folder: Path, port: int) -> list[str]:
        """What comes before mitmproxy's own options."""
        return [str(BIN / "mitmdump"), "-q", "--listen-host", "127.0.0.1", "-p", str(port)]

    def further(self, place: Place, folder: Path) -> Mapping[str, str]:
        """Options that depend on where it runs."""
        return {}


class MapLocal(Mitm):
    """mitmproxy's own way to answer from files."""

    def further(self, place: Place, folder: Path) -> Mapping[str, str]:
        host = place.origin.url("/")
        return {"map_local": f"|{host}|{place.files}/bench.example/"}


#: What was recorded, to be answered again.
FLOWS = "flows"


class Replay(Mitm):
    """mitmproxy's own way to answer again what was recorded."""

    def start(self, place: Place) -> Running:
        recorder = Recorder("recorder", "", stores=False)
        running = recorder.start(place)
        try:
            running.get(place.origin.url("/10k/hit-{}"), "--urls", "8")
        finally:
            running.process.stop()
        return super().start(place)

    def further(self, place: Place, folder: Path) -> Mapping[str, str]:
        return {"server_replay": str(place.folder / FLOWS), "server_replay_reuse": "true"}


class Recorder(Mitm):
    """Makes what `Replay` answers."""

    def further(self, place: Place, folder: Path) -> Mapping[str, str]:
        return {"save_stream_file": str(place.folder / FLOWS)}


class Cachy(Mitm):
    """cachy as a script of mitmdump's."""

    def further(self, place: Place, folder: Path) -> Mapping[str, str]:
        (folder / "tree").mkdir()
        return {"cachy_dir": str(folder / "tree")}


class Serve(Mitm):
    """`cachy serve`."""

    def __init__(self, name: str, title: str, *, workers: int) -> None:
        super().__init__(name, title, options={})
        self.workers = workers

    def missing(self) -> str | None:
        return None if "--workers" in _serve_help() else "this cachy has no `serve --workers`"

    def command(self, folder: Path, port: int) -> list[str]:
        tree = folder / "tree"
        tree.mkdir()
        command = [str(BIN / "cachy"), "serve", "--port", str(port), "--dir", str(tree)]
        return [*command, "--workers", str(self.workers), "--"]


@cache
def _serve_help() -> str:
    command = [str(BIN / "cachy"), "serve", "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return str(done.stdout)


MITM_PEERS: tuple[Peer, ...] = (
    Cachy("cachy", "`mitmdump -s`", scripts=[addon_path()], options={}),
    Serve("cachy serve", "one process", workers=1),
    Serve("cachy serve 2", "`--workers 2`", workers=2),
    Cachy(
        NO_LANE,
        "`cachy_lane=off`, all by mitmproxy's flows",
        scripts=[addon_path()],
        options={"cachy_lane": "off"},
    ),
    Mitm("constant", "an addon that does nothing but answer", scripts=[SCRIPTS / "constant.py"]),
    MapLocal("map_local", "mitmproxy's option"),
    Replay("replay", "mitmproxy's server replay"),
    Mitm("twenty", "a caching addon of twenty lines", scripts=[SCRIPTS / "twenty.py"]),
    Mitm(
        "mitmproxy",
        "no addon, `stream_large_bodies=1m`",
        options=LAZY | {"stream_large_bodies": "1m"},
        stores=False,
    ),
)
