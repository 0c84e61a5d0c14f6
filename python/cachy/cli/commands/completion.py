"""``cachy completion``"""

import click
from click.shell_completion import get_completion_class

from cachy.cli.terminal import Failure


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Prints what makes a shell complete cachy's commands and options.

    \b
    For bash, from now on:
      cachy completion bash > ~/.local/share/bash-completion/completions/cachy
    """
    from cachy.cli import cachy

    kind = get_completion_class(shell)
    if kind is None:
        raise Failure(f"there is no completion for {shell}")
    click.echo(kind(cachy, {}, "cachy", "_CACHY_COMPLETE").source())
