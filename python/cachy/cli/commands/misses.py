"""``cachy misses``"""

import click
from rich.table import Table

from cachy.cli.terminal import (
    ago,
    as_dict,
    console,
    dir_option,
    json_option,
    open_tree,
    print_json,
    refusals,
)


@click.command("misses")
@click.option("--clear", is_flag=True, help="Forget them.")
@json_option
@dir_option
def command(clear: bool, as_json: bool, directory: str) -> None:
    """Lists what was asked for in vain.

    That is, offline, or while upstream could not be reached; and only what still
    isn't in the tree. Requests with credentials leave no line. Once upstream can
    be reached, `cachy fetch --misses` fetches all of it.

    \b
    Examples:
      cachy misses
      cachy misses --json | jq -r '.[].url'
      cachy misses --clear
    """
    with refusals():
        tree = open_tree(directory)
        misses = tree.misses()
        if clear:
            tree.forget_misses()
    if as_json:
        print_json([as_dict(miss) for miss in misses])
    elif misses:
        table = Table(box=None, pad_edge=False)
        table.add_column("first asked", no_wrap=True)
        table.add_column("url", overflow="fold")
        table.add_column("accept", overflow="fold")
        for miss in misses:
            table.add_row(ago(miss.when), miss.url, miss.accept or "")
        console().print(table)
