"""What all commands say to people and scripts alike: options they share, failures, tables, JSON."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from cachy._core import Tree, default_directory
from cachy.cli.characters import has_all

#: Columns of what is no terminal.
WIDE = 10_000

F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """It could not be done: exit code 3."""

    exit_code = 3


class No(click.ClickException):
    """The answer is no, or something is broken: exit code 1."""

    exit_code = 1


def folder(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    """The folder that is meant, for whoever is elsewhere."""
    return None if text is None else os.path.abspath(os.path.expanduser(text))


def dir_option(function: F) -> F:
    """``--dir``"""
    return click.option(
        "--dir",
        "directory",
        type=click.Path(file_okay=False),
        callback=folder,
        default=default_directory,
        show_default="$CACHY_DIR, else $XDG_CACHE_HOME/cachy, else ~/.cache/cachy",
        help="The tree.",
    )(function)


def json_option(function: F) -> F:
    """``--json``"""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(
        function
    )


def set_option(function: F) -> F:
    """``--set``"""
    return click.option(
        "--set",
        "settings",
        metavar="NAME=VALUE",
        multiple=True,
        help="An option of mitmproxy or of the addon; may be repeated.",
    )(function)


def open_tree(directory: str, *, needed: bool = True) -> Tree:
    """The tree that a command is about.

    Args:
        directory: The folder.
        needed: It has to be there.

    Raises:
        Failure: It isn't there, or can't be opened.
    """
    try:
        tree = Tree(directory)
        if needed and not tree.exists:
            raise Failure(f"there is no tree at {directory}: name another with --dir or $CACHY_DIR")
    except OSError as error:
        raise Failure(str(error.strerror or error)) from error
    except ValueError as error:
        # Of another version.
        raise Failure(str(error)) from error
    return tree


@contextmanager
def refusals() -> Iterator[None]:
    """Says what the core refuses, in its words.

    Raises:
        Failure: It could not be done; that a person's file lies there is left to the command.
        click.UsageError: What the core was given is no URL, pattern or size.
    """
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise Failure(str(error.strerror or error)) from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def as_dict(result: object) -> dict[str, Any]:
    """One of the core's frozen results, for `print_json`: all its properties."""
    found: dict[str, Any] = {}
    for name in sorted(vars(type(result))):
        if not name.startswith("_"):
            value = getattr(result, name)
            if name == "headers":
                value = fields(value)
            found[name] = str(value) if isinstance(value, Path) else value
    return found


def fields(headers: list[tuple[bytes, bytes]]) -> list[list[str]]:
    """Header fields as text."""
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


def span(seconds: float) -> str:
    """A time span, for people: in its largest unit."""
    for name, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"


def moment(at: int) -> str:
    """A time by the clock on the wall.

    Args:
        at: Milliseconds since 1970.
    """
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at / 1000))


def ago(at: int) -> str:
    """How long ago a time was.

    Args:
        at: Milliseconds since 1970.
    """
    return f"{span(time.time() - at / 1000)} ago"


def print_json(data: object) -> None:
    """Prints one JSON document."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=not has_all()))


def print_table(table: Table, out: Console | None = None) -> None:
    """Prints a table.

    Args:
        table: The table.
        out: Where to; standard output where not given. What is no terminal has no width to fit in, and
            no use for blanks at the ends of lines.
    """
    out = out or console()
    if out.is_terminal:
        out.print(table)
        return
    out.width = WIDE
    with out.capture() as printed:
        out.print(table)
    out.out("\n".join(line.rstrip() for line in printed.get().splitlines()))


def printable(text: str) -> str:
    """Without what a terminal would obey: a name in the tree may hold anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def console() -> Console:
    """For tables, on standard output; lines are folded for a terminal alone."""
    width = None if sys.stdout.isatty() else WIDE
    return Console(highlight=False, markup=False, width=width)


def aside() -> Console:
    """For progress and remarks, on standard error."""
    return Console(file=sys.stderr, highlight=False, markup=False)


def size(count: int) -> str:
    """Bytes, for people: in powers of 1000."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError
