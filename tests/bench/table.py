"""The result as Markdown."""

import os
import platform
import ssl
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from cachy import __version__

from .measure import Bench, Sizes
from .peers import PEERS, Peer


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    key: str
    title: str
    unit: str
    digits: int = 0
    hit: bool = False


def rows(sizes: Sizes) -> list[Row]:
    """The lines of the table."""
    large = f"{sizes.large // 1_000_000} MB"
    few = f"{sizes.misses} misses of 10 KB"
    crowd = f"{sizes.clients} clients, the same {sizes.urls} new URLs, origin takes 20 ms"
    return [
        Row("hits", f"10 KB hits, {sizes.connections} connections", "requests/s ↑", hit=True),
        Row("hit_cpu", "… processor time of the proxy", "ms/request ↓", 2, hit=True),
        Row("hit", f"{large} hit", "MB/s ↑", hit=True),
        Row("hit_memory", "… peak memory", "MB ↓", hit=True),
        Row("miss", f"{large} miss", "MB/s ↑"),
        Row("miss_first", "… first byte after the origin sent it", "ms ↓", 1),
        Row("miss_memory", "… peak memory", "MB ↓"),
        Row("misses", f"{few}, {sizes.connections} connections", "requests/s ↑"),
        Row("misses_upstream", "… requests to the origin", "↓"),
        Row("crowd", crowd, "s ↓", 2),
        Row("crowd_upstream", "… requests to the origin", "↓"),
        Row("rest_memory", "Memory after the first request", "MB ↓", hit=True),
    ]


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}"


def _cell(bench: Bench, row: Row, peer: Peer) -> str:
    values = bench.results.get((row.key, peer.name))
    if not values:
        return "failed" if peer.misses or row.hit else "- [^never]"
    middle = median(values)
    text = f"**{_number(middle, row.digits)}**" if peer is PEERS[0] else _number(middle, row.digits)
    low, high = (_number(edge(values), row.digits) for edge in (min, max))
    if low != high:
        text += f" ({low}–{high})"
    ours = bench.results.get((row.key, PEERS[0].name))
    if peer is not PEERS[0] and ours and median(ours):
        text += f" ×{middle / median(ours):.2f}"
    if row.hit and not peer.stores and row.key != "rest_memory":
        text += " [^again]"
    return text


def machine() -> str:
    """What it was measured on."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    model = " ".join((models or [platform.machine()])[0].split())
    return (
        f"{len(os.sched_getaffinity(0))} cores of {model}, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION.rsplit(' ', 3)[0]}, "
        f"mitmproxy {version('mitmproxy')}, cachy {__version__}"
    )


def table(bench: Bench, rounds: int, loads: tuple[float, float]) -> str:
    """All of it, ready for a README."""
    lines = [
        "| | " + " | ".join(peer.name for peer in PEERS) + " |",
        "|---|" + "---:|" * len(PEERS),
    ]
    for row in rows(bench.sizes):
        cells = " | ".join(_cell(bench, row, peer) for peer in PEERS)
        lines.append(f"| {row.title}, {row.unit} | {cells} |")
    many = f"{rounds} rounds" if rounds > 1 else "one round"
    about = (
        f"Median (min–max) of {many}, ×ratio to cachy. {machine()}; load {loads[0]:.1f} "
        f"before and {loads[1]:.1f} after. All are mitmdump, HTTP/1.1 over TLS on both sides, "
        "on loopback, with origin, client and proxy on the same cores. cachy keeps its "
        "tree on disk. `twenty`: a dict in memory, twenty lines. `constant`: an addon that "
        "does nothing but answer. `mitmproxy`: no addon, `stream_large_bodies=1`. `replay`: "
        "`--server-replay`, everything in memory."
    )
    return "\n".join(
        [
            *lines,
            "",
            about,
            "",
            "[^never]: Answers only what it was given beforehand.",
            "[^again]: Stores nothing: fetched from the origin again.",
        ]
    )
