"""What all commands say to people and scripts alike: options they share, failures, tables, JSON."""

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.console import Console

from cachy._core import default_directory

F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """It could not be done: exit code 3."""

    exit_code = 3


class No(click.ClickException):
    """The answer is no, or something is broken: exit code 1."""

    exit_code = 1


def dir_option(function: F) -> F:
    """``--dir``"""
    return click.option(
        "--dir",
        "directory",
        type=click.Path(file_okay=False),
        default=default_directory,
        show_default="$CACHY_DIR, else $XDG_CACHE_HOME/cachy, else ~/.cache/cachy",
        help="The tree.",
    )(function)


def json_option(function: F) -> F:
    """``--json``"""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(
        function
    )


def print_json(data: object) -> None:
    """Prints one JSON document."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def console() -> Console:
    """For tables, on standard output."""
    return Console(highlight=False, markup=False)


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
