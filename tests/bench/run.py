"""Measures cachy and its peers: `python tests/bench/run.py --help`.

Needs cachy installed, a Rust toolchain, and Linux. Peers that are not installed are left out.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import clients, fetchers, machine, size
from bench.bench import Bench, say
from bench.core import core
from bench.peers import PEERS, Place
from bench.plot import plot
from bench.readme import write
from bench.scenarios import QUICK, SCENARIOS, Sizes
from bench.table import tables
from bench.tool import HOST, Failed, Origin, Tool

#: What is not about peers, each with a table of its own.
ALONE = ("size", "core", "clients")
PLOT = Path(__file__).with_name("hits.svg")


def _end(signum: int, frame: FrameType | None) -> None:
    # Once only: a second Ctrl-C must not keep us from ending what we started.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures cachy and its peers.")
    parser.add_argument(
        "--rounds", type=int, help="3 where not given, of clients 5, with --quick 1"
    )
    parser.add_argument("--quick", action="store_true", help="less of everything, to try it out")
    names = ", ".join(scenario.name for scenario in SCENARIOS)
    parser.add_argument(
        "--only",
        type=_names,
        metavar="NAME,...",
        help=f"of {names}; or alone: size (a million entries, takes minutes), "
        "core (instruction counts, needs valgrind), clients (real cargo and uv)",
    )
    peers = ", ".join(peer.name for peer in PEERS)
    parser.add_argument("--peers", type=_names, metavar="NAME,...", help=f"of {peers}")
    parser.add_argument("--write", action="store_true", help="into README.md and tests/bench/*.svg")
    parser.add_argument("--folder", type=Path, help="for trees and files, else a temporary one")
    arguments = parser.parse_args()
    for name in arguments.peers or ():
        if name not in {peer.name for peer in PEERS}:
            parser.error(f"no peer is called {name}")
    known = {*ALONE, *(scenario.name for scenario in SCENARIOS)}
    for name in arguments.only or ():
        if name not in known or (name in ALONE and len(arguments.only) > 1):
            parser.error(f"{name}: not one of {names}; or {', '.join(ALONE)}, alone")
    part = set(arguments.only or ()) - set(ALONE)
    if arguments.write and (arguments.quick or arguments.peers or part):
        parser.error("only what was measured in full is written")
    return arguments


def compare(arguments: argparse.Namespace, folder: Path) -> int:
    """Measures the peers and prints the tables; gives the exit status."""
    sizes = QUICK if arguments.quick else Sizes()
    rounds = max(1, arguments.rounds or (1 if arguments.quick else 3))
    scenarios = [s for s in SCENARIOS if not arguments.only or s.name in arguments.only]
    tool = Tool()
    # Others than us may have to read there.
    folder.chmod(0o755)
    peers = []
    for peer in PEERS:
        if arguments.peers and peer.name not in arguments.peers:
            continue
        if missing := peer.missing():
            say(f"SKIPPED {peer.name}: {missing}")
        elif any(peer.name in scenario.peers for scenario in scenarios):
            peers.append(peer)
    hosts = [HOST, *(host for s in scenarios for host in s.hosts(sizes, rounds))]
    before = machine.build()
    with Origin(tool, folder / "origin") as origin:
        bench = Bench(sizes, Place(folder, tool, origin, hosts), peers, rounds)
        try:
            bench.run(scenarios)
        except KeyboardInterrupt:
            bench.problems.append("interrupted, this is not all")
    if machine.build() != before:
        bench.problems.append("cachy was replaced during the run")
    text = tables(bench, scenarios)
    print(text)
    for problem in bench.problems:
        print(f"\nPROBLEM: {problem}")
    if arguments.write and not bench.problems:
        picture = plot(bench)
        if picture:
            PLOT.write_text(picture)
            text = f"![10 KB hits a second](tests/bench/{PLOT.name})\n\n{text}"
        write("figures", text)
    return 1 if bench.problems else 0


def alone(name: str, text: str, writing: bool) -> int:
    """Prints a table that is not about peers."""
    print(text)
    if writing:
        write(name, text)
    return 0


def main() -> int:
    """Runs the command."""
    arguments = _arguments()
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    only = (arguments.only or [""])[0]
    if only == "core":
        return alone("core", core(), arguments.write)
    with tempfile.TemporaryDirectory(prefix="cachy-bench-", dir=arguments.folder) as name:
        try:
            if only == "size":
                sizes = size.QUICK if arguments.quick else size.Size()
                text = size.measure(Path(name), sizes, arguments.rounds or 3)
                return alone("size", text, arguments.write)
            if only == "clients":
                count = fetchers.QUICK if arguments.quick else fetchers.Count()
                rounds = arguments.rounds or (1 if arguments.quick else 5)
                text = clients.measure(Path(name), count, rounds)
                return alone("clients", text, arguments.write)
            return compare(arguments, Path(name))
        except Failed as error:
            raise SystemExit(f"bench: {error}") from error
        except KeyboardInterrupt:
            say("interrupted, all processes ended")
            return 130


if __name__ == "__main__":
    sys.exit(main())
