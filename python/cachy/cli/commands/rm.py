"""``cachy rm``"""

import click

from cachy._core import Entry
from cachy.cli.terminal import (
    No,
    as_dict,
    dir_option,
    json_option,
    open_tree,
    print_json,
    refusals,
)


@click.command("rm")
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN...")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--force", is_flag=True, help="People's files too.")
@json_option
@dir_option
def command(
    patterns: tuple[str, ...], dry_run: bool, force: bool, as_json: bool, directory: str
) -> None:
    """Removes entries, so that the next request fetches them again.

    PATTERN is a URL, a path of the tree, or a glob over paths and URLs, in which
    * stands for any text, slashes as well. Metadata and variants go with an entry,
    and folders that are empty then. A folder alone is no pattern: say 'folder/*'.

    A person's file stays unless you say --force, also where you name it exactly:
    nothing could fetch it again, and by its URL you can't tell that it is one.
    It is named then, and the exit code is 1; so it is where nothing was found.

    \b
    Examples:
      cachy rm https://example.org/simple/six/
      cachy rm --dry-run 'example.org/*.deb'
    """
    gone: list[Entry] = []
    kept: list[Entry] = []
    forgotten: list[str] = []
    vain: list[str] = []
    with refusals():
        tree = open_tree(directory)
        for pattern in patterns:
            removed = tree.remove(pattern, force=force, dry_run=dry_run)
            gone += removed.gone
            kept += removed.kept
            if removed.forgotten:
                forgotten.append(pattern)
            elif not removed.gone and not removed.kept:
                folder = pattern.rstrip("/")
                is_folder = any(tree.ls(pattern))
                vain.append(
                    f"{pattern} is a folder: say '{folder}/*'"
                    if is_folder
                    else f"nothing is stored for {pattern}"
                )
    if as_json:
        found = {"gone": [as_dict(e) for e in gone], "kept": [as_dict(e) for e in kept]}
        print_json(found | {"forgotten": forgotten})
    else:
        for entry in gone:
            click.echo(f"{'would remove' if dry_run else 'removed'} {entry.path}")
        for url in forgotten:
            click.echo(f"{'would forget' if dry_run else 'forgot'} that {url} leads to {url}/")
    problems = [f"{entry.path} is a person's and stays: say --force" for entry in kept] + vain
    if problems:
        raise No("\n".join(problems))
