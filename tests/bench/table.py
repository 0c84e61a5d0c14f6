"""The results as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from . import machine
from .bench import Bench
from .figures import TWO, Figure, figures, size
from .peers import PEERS
from .scenarios import CACHY, Scenario, Sizes


@dataclass(frozen=True)
class Row:
    """One line of the second table."""

    scenario: str
    key: str
    title: str
    digits: int = 0


@dataclass(frozen=True)
class Column:
    """One column of a table with a line for each peer."""

    scenario: str
    key: str
    title: str
    digits: int = 0


#: What is told of the peers that are measured at small hits.
HITS = (
    Column("hits", "per_second", "requests/s ↑"),
    Column("hits", "cpu_us", "CPU µs/request ↓"),
    Column("hits", "p50_ms", "median ms ↓", 2),
    Column("hits", "p99_ms", "p99 ms ↓", 2),
    Column("hits", "peak_mb", "peak memory MB ↓"),
)
#: And over HTTP/2.
MULTIPLEXED = (
    Column("h2", "per_second", "32 at a time, requests/s ↑"),
    Column("h2", "cpu_us", "CPU µs/request ↓"),
    Column("h2", "p99_ms", "p99 ms ↓", 2),
    Column("h2", "peak_mb", "peak memory MB ↓"),
    Column("h2-s1", "per_second", "one at a time, requests/s ↑"),
    Column("h2-s1", "p50_ms", "median ms ↓", 2),
)
#: What those two tell of.
OF_EACH_PEER = {column.scenario for column in (*HITS, *MULTIPLEXED)}


def rows(sizes: Sizes) -> list[Row]:
    """The lines of the second table."""
    large, huge = size(sizes.large), size(sizes.huge)
    jobs = f"{sizes.jobs} jobs, each the same {sizes.urls} new URLs, {sizes.delay} ms away"
    return [
        Row("hits-c1", "per_second", "10 KB hits, 1 connection, requests/s ↑"),
        Row("hits-c32", "per_second", "… 32 connections, requests/s ↑"),
        Row("hits-1k", "per_second", "1 KB hits, 8 connections, requests/s ↑"),
        Row("hits-100k", "per_second", "100 KB hits, 8 connections, requests/s ↑"),
        Row("new", "per_second", "10 KB hits, CONNECT and TLS for each, 8 at a time, requests/s ↑"),
        Row("new", "cpu_us", "… CPU µs/request ↓"),
        Row("hosts", "seconds", f"{sizes.hosts} new hosts, one after the other, s ↓", 2),
        Row("large", "mb_per_second", f"{large} hit, MB/s ↑"),
        Row("large", "peak_mb", "… peak memory, MB ↓"),
        Row("huge", "mb_per_second", f"{huge} hit, MB/s ↑"),
        Row("huge", "peak_mb", "… peak memory, MB ↓"),
        Row("huge-4", "mb_per_second", "… four at once, MB/s ↑"),
        Row("huge-4", "peak_mb", "… peak memory, MB ↓"),
        Row("beside", "per_second", f"10 KB hits beside a loop of {large} hits, requests/s ↑"),
        Row("beside", "share", "… as a part of the rate alone ↑", 2),
        Row("beside", "p99_ms", "… p99, ms ↓", 1),
        Row("beside", "mb_per_second", "… the loop, MB/s ↑"),
        Row("huge-miss", "mb_per_second", f"{huge} miss, MB/s ↑"),
        Row("huge-miss", "peak_mb", "… peak memory, MB ↓"),
        Row("first", "first_ms", f"{large} miss, first byte after the origin's, ms ↓", 1),
        Row("jobs", "seconds", f"{jobs}, s ↓", 2),
        Row("jobs", "upstream", "… requests to the origin ↓"),
        Row("misses", "seconds", f"{sizes.misses} misses of 10 KB, 8 connections, s ↓", 2),
        Row("misses", "cpu_us", "… CPU µs/request ↓"),
        Row("misses", "upstream", "… requests to the origin ↓"),
    ]


def number(value: float, digits: int) -> str:
    """With a narrow space between thousands."""
    return f"{value:,.{digits}f}".replace(",", "\u202f")


def spread(values: Sequence[float], digits: int) -> str:
    """Median, and the range where there is one."""
    text = number(median(values), digits)
    low, high = number(min(values), digits), number(max(values), digits)
    return text if low == high else f"{text} ({low}–{high})"


def values(bench: Bench, scenario: str, peer: str, key: str) -> list[float]:
    """That of each round; none where one of them failed."""
    found = bench.results.get((scenario, peer), [])
    return [each[key] for each in found if each is not None and all(found)]


def _cell(bench: Bench, scenario: str, peer: str, key: str, digits: int) -> str:
    if found := values(bench, scenario, peer, key):
        return spread(found, digits)
    return "failed" if bench.results.get((scenario, peer)) else ""


def markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table, numbers to the right."""
    text = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    return "\n".join(text + ["| " + " | ".join(line) + " |" for line in lines])


def hits_table(bench: Bench, head: str, columns: Sequence[Column]) -> str:
    """All peers at small hits."""
    lines = []
    for peer in PEERS:
        if any((column.scenario, peer.name) in bench.results for column in columns):
            cells = [_cell(bench, c.scenario, peer.name, c.key, c.digits) for c in columns]
            lines.append([f"{peer.name}: {peer.title}", *cells])
    return markdown([head, *(column.title for column in columns)], lines) if lines else ""


def others_table(bench: Bench) -> str:
    """All else."""
    there = [
        row for row in rows(bench.sizes) if any(key[0] == row.scenario for key in bench.results)
    ]
    named = {name for scenario, name in bench.results if scenario not in OF_EACH_PEER}
    peers = [peer.name for peer in PEERS if peer.name in named]
    lines = [
        [row.title, *(_cell(bench, row.scenario, peer, row.key, row.digits) for peer in peers)]
        for row in there
    ]
    return markdown(["", *peers], lines) if lines else ""


def _figure(bench: Bench, figure: Figure, who: str) -> str:
    if figure.only not in (None, who) or (who == TWO and figure.only != who):
        return ""
    if not (found := figure.values(bench.results, who, bench.rounds)):
        return ""
    text = spread(found, figure.digits)
    return text if figure.holds(median(found)) else f"{text} ✗"


def figures_table(bench: Bench) -> str:
    """The ratios."""
    who = [name for name in (*CACHY, TWO) if name in bench.peers]
    lines = []
    for figure in figures(bench.sizes):
        cells = [_figure(bench, figure, name) for name in who]
        if any(cells):
            lines.append([figure.title, figure.wanted, *cells])
    return markdown(["Ratios, each within a round", "wanted", *who], lines) if lines else ""


def tables(bench: Bench, scenarios: Sequence[Scenario]) -> str:
    """All of it, ready for a README."""
    many = f"{bench.rounds} rounds" if bench.rounds > 1 else "one round"
    about = f"Median (lowest–highest) of {many}; ✗: not as wanted. {machine.describe()}."
    parts = [
        hits_table(bench, "10 KB hits, 8 connections", HITS),
        hits_table(bench, "10 KB hits over HTTP/2, 1 connection", MULTIPLEXED),
        others_table(bench),
        figures_table(bench),
        about,
    ]
    return "\n\n".join(part for part in parts if part)
