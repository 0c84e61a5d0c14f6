"""How long a person wants to wait."""

import re

import click

#: Seconds of each unit; without one, seconds are meant.
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def duration(_: click.Context, __: click.Parameter, value: str) -> float:
    """Reads a duration such as ``30s``. Returns seconds.

    Raises:
        click.BadParameter: It is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", value, re.ASCII)
    if found is None or found[2] not in UNITS:
        raise click.BadParameter(f"{value!r} is no duration; one looks like 30s, 2m or 0")
    return float(found[1]) * UNITS[found[2]]
