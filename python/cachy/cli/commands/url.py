"""``cachy url``"""

import click

from cachy.cli.terminal import dir_option, open_tree, refusals


@click.command("url")
@click.argument("path")
@dir_option
def command(path: str, directory: str) -> None:
    """Prints the URL that the file at PATH answers.

    PATH is relative to the tree, or a real path that leads into it. A name that
    no request will ever find is refused, with the name that would do.

    \b
    Examples:
      cachy url example.org/dir/thing.zip
      cd ~/.cache/cachy/example.org && cachy url dir/index.html
    """
    with refusals():
        click.echo(open_tree(directory, needed=False).url(path))
