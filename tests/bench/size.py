"""A tree with very many entries against one with few: `run.py --only size`."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from cachy import addon_path

from .bench import say
from .peers import Place
from .peers.base import Running
from .peers.mitm import Cachy
from .table import markdown, number, spread
from .tool import HERE, TARGET, Origin, Report, Tool, cargo, run_quietly


@dataclass(frozen=True)
class Size:
    """How much to measure."""

    many: int = 1_000_000
    few: int = 1_000
    different: int = 20_000
    """Entries of the large tree that are asked for, when it is about memory."""
    starts: int = 5


QUICK = Size(many=20_000, different=5_000, starts=2)


class Filled(Cachy):
    """cachy on a tree that is there already."""

    def __init__(self, tree: Path) -> None:
        super().__init__(tree.name, "", scripts=[addon_path()], options={})
        self._tree = tree

    def further(self, place: Place, folder: Path) -> Mapping[str, str]:
        return {"cachy_dir": str(self._tree)}


def fill(place: Place, tree: Path, entries: int) -> None:
    """Makes a tree of so many entries, none with 0."""
    say(f"size: a tree with {entries} entries")
    tree.mkdir(parents=True)
    if entries:
        authority = place.origin.url("").removeprefix("https://")
        run_quietly(TARGET / "release" / "core-bench", tree, authority, str(entries))


def walk(running: Running, urls: int, step: int, *arguments: str) -> Report:
    """Asks for `urls` entries, as far apart as `step`."""
    url = running.place.origin.url("/1k/{k}/{}")
    return running.get(url, "--urls", str(urls), "--step", str(step), *arguments)


def measure(folder: Path, size: Size, rounds: int) -> str:
    """Measures; gives the table."""
    tool = Tool()
    cargo("build", HERE / "core", "--release", "--locked")
    with Origin(tool, folder / "origin") as origin, ExitStack() as stack:
        place = Place(folder, tool, origin, [])
        peers = {
            entries: Filled(folder / "trees" / str(entries)) for entries in (0, size.few, size.many)
        }
        for entries in peers:
            fill(place, folder / "trees" / str(entries), entries)
        starts: dict[int, list[float]] = {entries: [] for entries in peers}
        for _ in range(size.starts):
            for entries, peer in peers.items():
                running = peer.start(place)
                running.process.stop()
                starts[entries].append(running.process.took)
        few, many = (peers[entries].start(place) for entries in (size.few, size.many))
        for running in (few, many):
            stack.callback(running.process.stop)
        origin.asked(anew=True)
        step = size.many // size.few
        at_few: list[Report] = []
        at_many: list[Report] = []
        for running, apart in ((few, 1), (many, step)):
            walk(running, size.few, apart)
        for _ in range(rounds):
            at_few.append(walk(few, size.few, 1, "--seconds", "2"))
            at_many.append(walk(many, size.few, step, "--seconds", "2"))
        say(f"size: {size.different} different ones")
        cold = walk(many, size.different, size.many // size.different, "-c", "8")
        walk(few, size.few, 1, "-c", "8", "--count", str(size.different))
        memory = {"few": few.process.rss_mb(), "many": many.process.rss_mb()}
        upstream = origin.asked().requests
    if upstream:
        raise SystemExit(f"bench: {upstream} requests went upstream, the trees were not as cachy's")
    ratio = [b.p50_ms / a.p50_ms for a, b in zip(at_few, at_many, strict=True)]
    start = median(starts[size.many]) - median(starts[0])
    more = memory["many"] - memory["few"]
    lines = [
        [
            f"Hits of {size.few:,} URLs, 1 connection, median ms",
            spread([each.p50_ms for each in at_few], 3),
            spread([each.p50_ms for each in at_many], 3),
            f"×{spread(ratio, 2)}",
            "at most ×1.3",
        ],
        [
            "… p99, ms",
            spread([each.p99_ms for each in at_few], 2),
            spread([each.p99_ms for each in at_many], 2),
        ],
        [f"{size.different:,} others, each once, 8 connections, ms", "", number(cold.p50_ms, 2)],
        [
            f"From the start until it listens, s (an empty tree: {number(median(starts[0]), 2)})",
            spread(starts[size.few], 2),
            spread(starts[size.many], 2),
            f"{start:+.2f}",
            "at most +0.2",
        ],
        [
            f"Memory after {size.different:,} hits, MB",
            number(memory["few"], 0),
            number(memory["many"], 0),
            f"{more:+.0f}",
            "at most +64",
        ],
    ]
    heads = ["", f"{size.few:,} entries", f"{size.many:,} entries", "", "wanted"]
    return markdown(heads, [line + [""] * (len(heads) - len(line)) for line in lines])
