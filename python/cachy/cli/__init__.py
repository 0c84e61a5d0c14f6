"""The command ``cachy``: one module of `cachy.cli.commands` for each of its commands."""

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

import click

from cachy import __version__
from cachy.cli import commands


class Commands(click.Group):
    """Loads a command's module when it is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Their names: those of the modules."""
        return sorted(module.name for module in iter_modules(commands.__path__))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        if name not in self.list_commands(context):
            return None
        command: click.Command = import_module(f"cachy.cli.commands.{name}").command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="cachy %(version)s")
def cachy() -> None:
    """Caches anything that is fetched over HTTP or HTTPS, in a plain directory tree.

    \b
    The first steps:
      cachy run -- pip install -r requirements.txt   one command, cached
      cachy serve                                    a proxy for everybody
      cachy doctor                                   what is wrong, and how to mend it

    \b
    Exit codes: 0 done; 1 the answer is no (nothing found, something broken);
    2 the command line is wrong; 3 it could not be done. `cachy run` ends as
    its command does.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command.

    Args:
        arguments: What stands behind the command's name; the process's own where not given.

    Raises:
        SystemExit: With the exit code.
    """
    cachy.main(arguments, prog_name="cachy")
