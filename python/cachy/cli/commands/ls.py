"""``cachy ls``"""

from collections.abc import Callable
from typing import Any

import click
from rich.table import Table

from cachy._core import Entry
from cachy.cli.terminal import (
    ago,
    as_dict,
    dir_option,
    json_option,
    open_tree,
    print_json,
    print_table,
    printable,
    refusals,
    size,
    span,
)

ORDERS: dict[str, Callable[[Entry], Any]] = {
    "path": lambda entry: entry.path,
    "size": lambda entry: -entry.size,
    "age": lambda entry: entry.age or 0,
    "used": lambda entry: -(entry.used_at or 0),
}


@click.command("ls")
@click.argument("pattern", required=False)
@click.option("-l", "--long", is_flag=True, help="Path, last use, freshness and type as well.")
@click.option(
    "--sort",
    type=click.Choice(list(ORDERS)),
    default="path",
    show_default=True,
    help="Largest, youngest or last used first, or by path.",
)
@json_option
@dir_option
def command(pattern: str | None, long: bool, sort: str, as_json: bool, directory: str) -> None:
    """Lists what lies in the tree.

    PATTERN is a URL, a path or a folder of the tree, or a glob over paths and
    URLs, in which * stands for any text, slashes as well. Quote it.

    Whose it is: cachy's, which it may check, replace and evict; or a person's
    (put there by hand, or edited), which it never touches. "cachy?": only the
    digest tells, as in a tree that was copied without its times.

    \b
    Examples:
      cachy ls
      cachy ls '*.whl' --sort size
      cachy ls https://example.org/simple/
      cachy ls --json 'example.org/*' | jq -r '.[] | select(.whose == "person") | .path'

    Exit code 1 where PATTERN names nothing.
    """
    with refusals():
        tree = open_tree(directory)
        entries = sorted(tree.ls(pattern), key=ORDERS[sort])
    if as_json:
        print_json([as_dict(entry) for entry in entries])
    elif entries:
        print_table(table(entries, long))
    if pattern is not None and not entries:
        raise SystemExit(1)


def table(entries: list[Entry], long: bool) -> Table:
    """One line for each."""
    made = Table(box=None, pad_edge=False)
    for name, justify in (("size", "right"), ("age", "right"), ("status", "right")):
        made.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    names = ("whose", "used", "type", "freshness", "path", "url") if long else ("whose", "url")
    for name in names:
        made.add_column(name, overflow="fold", no_wrap=name in ("whose", "used"))
    for entry in entries:
        url = entry.url or f"{entry.path} ({entry.problem})"
        if entry.variant is not None:
            fields = ", ".join(f"{name}: {value}" for name, value in entry.selecting)
            url += f" [{fields or entry.variant}]"
        if entry.location is not None:
            url += f" -> {entry.location}"
        cells = [
            "" if entry.status is None or entry.status != 200 else size(entry.size),
            "" if entry.age is None else span(entry.age),
            str(entry.status or "link"),
            {"undecided": "cachy?"}.get(entry.whose, entry.whose),
        ]
        if long:
            cells += [
                "" if entry.used_at is None else ago(entry.used_at),
                entry.media_type or "",
                (entry.freshness or "").partition(": ")[0],
                printable(entry.path),
            ]
        made.add_row(*cells, printable(url))
    return made
