"""The table at the end, and what is behind each row that is not as wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, field

#: So many cases are told of each row.
TOLD = 15
#: Memory and descriptors at the end, against the beginning.
MEMORY_FACTOR, MEMORY_MORE = 2.0, 40.0
#: The same for processes that have been at work for a while.
CALM_FACTOR, CALM_MORE = 1.25, 25.0
#: Seconds until they have.
SETTLED = 90.0
DESCRIPTORS_MORE = 20
THREADS_MORE = 8
#: Seconds; a wake-up that was lost shows as ten.
LONGEST_WAIT = 8.0
#: Seconds of a client that installs some packages, on a machine that does much else.
LONGEST_ROUND = 45.0


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    what: str
    value: str
    wanted: str = ""
    """Empty where nothing is wanted."""
    good: bool = True
    cases: Sequence[str] = field(default_factory=tuple)
    """What is behind it."""


def none(what: str, cases: Sequence[str]) -> Row:
    """Return a row of what should not be."""
    return Row(what, str(len(cases)), "0", not cases, cases)


def at_most(what: str, value: float, most: float, unit: str = "", cases: Sequence[str] = ()) -> Row:
    """Return a row of what should not be more."""
    good = value <= most
    return Row(what, f"{value:.1f}{unit}", f"≤ {most:.0f}{unit}", good, () if good else cases)


def grown(what: str, before: float, after: float, most: float, unit: str = "") -> Row:
    """Return a row of what should not have grown much."""
    value = f"{before:.0f} → {after:.0f}{unit}"
    return Row(what, value, f"≤ {most:.0f}{unit}", after <= most)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as text."""
    what = max(len(row.what) for row in rows)
    value = max(len(row.value) for row in rows)
    wanted = max(len(row.wanted) for row in rows)
    lines = []
    for row in rows:
        mark = ("✓" if row.good else "✗") if row.wanted else " "
        lines.append(f"{row.what:<{what}}  {row.value:>{value}}  {row.wanted:<{wanted}}  {mark}")
    return "\n".join(lines)


def details(rows: Sequence[Row]) -> str:
    """Return what is behind each row that is not as wanted."""
    lines: list[str] = []
    for row in rows:
        if row.cases and not row.good:
            lines += ["", f"== {row.what}: {row.value}"]
            lines += [f"-- {case}" for case in row.cases[:TOLD]]
            if (more := len(row.cases) - TOLD) > 0:
                lines.append(f"… and {more} more")
    return "\n".join(lines)
