"""``cachy verify``"""

from dataclasses import asdict, dataclass, field

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from cachy._core import Tree
from cachy.cli.terminal import (
    No,
    aside,
    dir_option,
    json_option,
    open_tree,
    print_json,
    refusals,
    size,
)


@dataclass
class Broken:
    """An entry whose bytes are not its record's."""

    path: str
    url: str | None
    what: str
    dropped: bool


@dataclass
class Outcome:
    """What came out."""

    whole: int = 0
    bytes: int = 0
    statuses: int = 0
    people: int = 0
    gone: int = 0
    broken: list[Broken] = field(default_factory=list)


@click.command("verify")
@click.argument("pattern", required=False)
@click.option("--drop", is_flag=True, help="Remove what is broken, so that it is fetched again.")
@json_option
@dir_option
def command(pattern: str | None, drop: bool, as_json: bool, directory: str) -> None:
    """Compares the digest of every entry with its record.

    A file with the size and time of its record and other bytes is broken: by the
    disk, or by a copy. One with another size or time was edited by a person, which
    is fine, and counted. PATTERN is as for `cachy ls`; without it, all is read.

    \b
    Examples:
      cachy verify
      cachy verify --drop '*.deb'

    Exit code 1 where something is broken and was not dropped, or where PATTERN names nothing.
    """
    with refusals():
        outcome = verify(open_tree(directory), pattern, drop)
    if as_json:
        print_json(asdict(outcome))
    else:
        for broken in outcome.broken:
            told = "dropped" if broken.dropped else "broken"
            click.echo(f"{told}: {broken.url or broken.path}")
            click.echo(f"  {broken.path}: {broken.what}")
        click.echo(
            f"{outcome.whole} entries are whole ({size(outcome.bytes)}), "
            f"{len(outcome.broken)} broken; {outcome.statuses} statuses, "
            f"{outcome.people} files of people's or edited by them"
        )
    if pattern is not None and outcome == Outcome():
        raise SystemExit(1)
    if any(not broken.dropped for broken in outcome.broken):
        raise No("say --drop to have what is broken fetched again")


def verify(tree: Tree, pattern: str | None, drop: bool) -> Outcome:
    """Reads what the pattern names."""
    entries = tree.ls(pattern)
    outcome = Outcome()
    columns = (TextColumn("verifying"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = aside()
    # A log has no use for a bar.
    quiet = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("", total=sum(entry.size for entry in entries))
        for entry in entries:
            verified = tree.verify(entry.path, drop=drop)
            progress.advance(task, entry.size)
            match verified.result:
                case "whole":
                    outcome.whole += 1
                    outcome.bytes += entry.size
                case "status":
                    outcome.statuses += 1
                case "person":
                    outcome.people += 1
                case "gone":
                    outcome.gone += 1
                case _:
                    what = f"sha256 is {verified.found}, and was {verified.recorded}"
                    outcome.broken.append(Broken(entry.path, entry.url, what, verified.dropped))
    return outcome
