"""``cachy stats``"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from cachy._core import Counts, Stats
from cachy.cli.report import explain
from cachy.cli.terminal import (
    ago,
    as_dict,
    dir_option,
    json_option,
    open_tree,
    print_json,
    print_table,
    refusals,
    size,
)

#: Reasons shown why requests were not answered from the tree.
REASONS = 5


@click.command("stats")
@click.option("--top", default=10, show_default=True, metavar="N", help="How many hosts to show.")
@json_option
@dir_option
def command(top: int, as_json: bool, directory: str) -> None:
    """Counts entries, bytes and people's files, by host.

    Bytes are those of the bodies. What counts towards cachy_max_size and
    `cachy prune --max-size` is these and the metadata of cachy's entries.

    \b
    Examples:
      cachy stats
      cachy stats --json | jq '.hosts | map_values(.bytes)'
    """
    with refusals():
        stats = open_tree(directory).stats()
        requests = counters(Path(directory))
    if as_json:
        hosts = {host: as_dict(counts) for host, counts in stats.hosts.items()}
        print_json({"all": as_dict(stats.all), "hosts": hosts, "requests": requests})
        return
    for line in lines(stats.all):
        click.echo(line)
    if requests is not None:
        for line in asked(requests):
            click.echo(line)
    if stats.hosts:
        click.echo()
        print_table(table(stats, top))


def counters(directory: Path) -> dict[str, Any] | None:
    """What proxies have counted of requests on this tree, where they have written it down."""
    try:
        found = json.loads((directory / ".cachy" / "stats.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def asked(requests: dict[str, Any]) -> Iterator[str]:
    """What became of the requests, for people."""
    total, hits = requests.get("requests") or 0, requests.get("hits") or 0
    share = f" ({hits * 100 // total} %)" if total else ""
    since = f", first {ago(requests['since'])}" if requests.get("since") else ""
    yield f"requests:  {total}{since}; {hits} from the tree{share}"
    sent = requests.get("bytes") or {}
    yield (
        f"bytes:     {size(sent.get('tree') or 0)} from the tree, "
        f"{size(sent.get('upstream') or 0)} from upstream"
    )
    reasons = requests.get("by_reason") or {}
    for name, each in sorted(reasons.items(), key=lambda item: -item[1]["count"])[:REASONS]:
        yield f"           {each['count']} {explain(name)}"


def lines(counts: Counts) -> list[str]:
    """The whole, for people."""
    stored = f"{size(counts.bytes)}, and {size(counts.meta_bytes)} of metadata"
    kinds = f"{counts.statuses} of them statuses, {counts.variants} variants"
    told = [
        f"entries:   {counts.entries} ({stored}); {kinds}",
        f"people's:  {counts.people} files ({size(counts.people_bytes)})",
    ]
    if counts.undecided:
        told.append(f"undecided: {counts.undecided} files, of which only the digest tells whose")
    for name, at in (
        ("oldest:   ", counts.oldest),
        ("used last:", counts.last_used),
        ("unused:   ", counts.least_used),
    ):
        if at is not None:
            told.append(f"{name} {ago(at)}")
    return told


def table(stats: Stats, top: int) -> Table:
    """The largest hosts."""
    made = Table(box=None, pad_edge=False)
    made.add_column("host", overflow="fold")
    for name in ("entries", "bytes", "people's", "last used"):
        made.add_column(name, justify="right", no_wrap=True)
    hosts = sorted(stats.hosts.items(), key=lambda host: -(host[1].bytes + host[1].people_bytes))
    for host, counts in hosts[:top]:
        used = "" if counts.last_used is None else ago(counts.last_used)
        made.add_row(host, str(counts.entries), size(counts.bytes), str(counts.people), used)
    if len(hosts) > top:
        made.add_row(f"and {len(hosts) - top} more: --top")
    return made
