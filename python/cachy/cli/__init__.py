"""The command ``cachy``: one module of `cachy.cli.commands` for each of its commands."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

import click

from cachy import __version__
from cachy.cli import characters, commands


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
    open_streams()
    characters.spare()
    try:
        try:
            cachy.main(arguments, prog_name="cachy")
        finally:
            sys.stdout.flush()
    except OSError as error:
        # What was printed could not be: the rest of it isn't either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        click.echo(f"Error: cannot print: {error.strerror}", err=True)
        raise SystemExit(3) from None
    except UnicodeEncodeError as error:
        # The name of a file, in a locale without UTF-8.
        click.echo(
            f"Error: this locale writes names of files in {error.encoding}, which cannot hold "
            f"{error.object!a}; set LC_ALL=C.UTF-8",
            err=True,
        )
        raise SystemExit(3) from None


def open_streams() -> None:
    """Opens what the caller has closed: else the next files would be taken for it."""
    missing = [number for number in (0, 1, 2) if not is_open(number)]
    for number in missing:
        os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
    if 1 in missing:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if 2 in missing:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def is_open(number: int) -> bool:
    """Whether a descriptor is."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
