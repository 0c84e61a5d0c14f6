"""Measures cachy and its peers: `python tests/bench/run.py [--rounds N] [--quick]`.

Needs cachy installed with its extra `test`, and Linux. The table goes to standard output.
"""

import argparse
import hashlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measure import Bench, Sizes
from bench.peers import PEERS, Starter
from bench.source import Source
from bench.table import table
from cachy import addon_path
from support.ca import CA
from support.factory import ProxyFactory
from support.network import Network
from support.origin import Origin

QUICK = Sizes(large=20_000_000, seconds=0.5, misses=80, urls=20)


def _end(signum: int, frame: FrameType | None) -> None:
    # Once only: a second Ctrl-C must not keep us from ending what we started.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _build() -> str:
    """A digest of the installed package, to notice that it was replaced meanwhile."""
    script = addon_path()
    digest = hashlib.sha256()
    for path in [script, *sorted((script.parent / "cachy").iterdir())]:
        if path.suffix in (".py", ".so"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def run(sizes: Sizes, rounds: int) -> int:
    """Measures and prints; gives the exit status."""
    build = _build()
    _say(f"cachy from {addon_path().parent}, build {build}")
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="cachy-bench-") as name:
        folder = Path(name)
        ca = CA(folder / "ca")
        with (
            Origin(ca) as origin,
            Network(folder, origin) as network,
            ProxyFactory(
                folder=folder,
                confdir=folder / "confdir",
                cachy_dir=folder / "cache",
                network=network,
                upstream_ca=ca.pem,
                addon=addon_path,
            ) as factory,
        ):
            bench = Bench(sizes, Source(origin), Starter(factory, folder))
            bench.record()
            for number in range(rounds):
                first = number % len(PEERS)
                for peer in PEERS[first:] + PEERS[:first]:
                    _say(f"round {number + 1} of {rounds}: {peer.name}")
                    bench.turn(peer)
            if (after := _build()) != build:
                bench.problems.append(f"cachy was replaced during the run: {build}, now {after}")
            print(table(bench, rounds, (before, os.getloadavg()[0])))
            for problem in bench.problems:
                print(f"\nPROBLEM: {problem}")
            return 1 if bench.problems else 0


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description="Measures cachy and its peers.")
    parser.add_argument("--rounds", type=int, help="3 where not given, with --quick 1")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    try:
        return run(QUICK if arguments.quick else Sizes(), max(1, rounds))
    except KeyboardInterrupt:
        _say("interrupted, all processes ended")
        return 130


if __name__ == "__main__":
    sys.exit(main())
