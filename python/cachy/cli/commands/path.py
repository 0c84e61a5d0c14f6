"""``cachy path``"""

import click

from cachy.cli.terminal import dir_option, open_tree, refusals


@click.command("path")
@click.argument("url")
@dir_option
def command(url: str, directory: str) -> None:
    """Prints where the file of URL lies, or would lie.

    Whether it is there or not: what you put at that path answers the URL from
    then on. `cachy put` does the same in one step.

    \b
    Examples:
      cachy path https://example.org/dir/thing.zip
      cp thing.zip "$(cachy path https://example.org/dir/thing.zip)"
    """
    with refusals():
        click.echo(open_tree(directory, needed=False).path(url))
