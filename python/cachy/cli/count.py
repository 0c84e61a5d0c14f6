"""How many processes a person wants."""

import os
import sys

import click

#: More than this are a mistake.
MOST = 64


def count(_: click.Context, __: click.Parameter, value: str) -> int:
    """Reads a number, or ``auto``: one for each core that this process may use.

    Raises:
        click.BadParameter: It is neither.
    """
    if value == "auto":
        return min(cores(), MOST)
    number = int(value) if value.isascii() and value.isdigit() else 0
    if not 1 <= number <= MOST:
        raise click.BadParameter(f"{value!r} is neither a number from 1 to {MOST} nor auto")
    return number


def cores() -> int:
    """How many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
