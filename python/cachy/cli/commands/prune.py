"""``cachy prune``"""

import time
from collections.abc import Callable

import click

from cachy._core import Pruned, parse_size, parse_span
from cachy.cli.terminal import (
    Failure,
    as_dict,
    dir_option,
    json_option,
    open_tree,
    print_json,
    refusals,
    size,
)


@click.command("prune")
@click.option("--max-size", metavar="SIZE", help="Down to so much, such as 10GB or 500MB.")
@click.option("--unused-since", metavar="SPAN", help="What was not used for 30d, 12h, ...")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would go.")
@json_option
@dir_option
def command(
    max_size: str | None, unused_since: str | None, dry_run: bool, as_json: bool, directory: str
) -> None:
    """Makes room: what was not used for longest goes first.

    Never a person's file, which doesn't count either, nor what a proxy is sending
    to somebody or fetching right now. An entry goes with its variants. SIZE is that
    of cachy's bodies and their metadata. Records whose file somebody removed go as
    well, an hour after they last changed; without options, that is all.

    The addon does the same while it runs: `--set cachy_max_size=10GB`.

    \b
    Examples:
      cachy prune --max-size 10GB --dry-run
      cachy prune --unused-since 30d
    """
    most = None if max_size is None else number(parse_size, max_size, "--max-size")
    since = None
    if unused_since is not None:
        seconds = number(parse_span, unused_since, "--unused-since")
        since = int(time.time() * 1000) - seconds * 1000
    with refusals():
        tree = open_tree(directory)
        pruned = tree.prune(max_size=most, unused_since=since, dry_run=dry_run)
    if pruned.elsewhere:
        raise Failure(f"another process makes room in {directory} right now: try again")
    if as_json:
        print_json(as_dict(pruned) | {"dry_run": dry_run})
        return
    for line in lines(pruned, dry_run):
        click.echo(line)


def number(parse: Callable[[str], int], text: str, name: str) -> int:
    """The number that an option names.

    Raises:
        BadParameter: It names none.
    """
    try:
        return parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=name) from error


def lines(pruned: Pruned, dry_run: bool) -> list[str]:
    """What was done, for people."""
    would = "would remove" if dry_run else "removed"
    told = [f"{would} {url}" for url in pruned.urls]
    told.append(
        f"{would} {pruned.entries} entries ({size(pruned.bytes)}); "
        f"{pruned.left_entries} are left ({size(pruned.left_bytes)})"
    )
    if pruned.busy:
        told.append(f"{pruned.busy} are in use and stay")
    if pruned.orphans:
        told.append(f"{would} {pruned.orphans} records of files that are gone")
    return told
