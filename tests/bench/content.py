"""What the benchmark's origin holds: known to the origin, the client and `constant.py`."""

import random
from functools import cache

from support.pattern import Pattern

HOST = "bench.example"
SMALL = 10_000
HEADERS = [("Content-Type", "application/octet-stream"), ("Cache-Control", "max-age=86400")]

_FILLER = random.Random(1).randbytes(SMALL)


def small_body(target: str) -> bytes:
    """The body of a small target; it tells whose it is, so that a mix-up is noticed."""
    own = f"{target}\n".encode()
    return own + _FILLER[len(own) :]


def large_target(size: int) -> str:
    """The target whose body has that size."""
    return f"/large/{size}"


@cache
def large_body(target: str) -> Pattern:
    """The body of a large target."""
    return Pattern(int(target.rsplit("/", 1)[1]))


def targets(folder: str, count: int) -> list[str]:
    """That many targets in a folder; the origin takes its time for those in `/slow`."""
    return [f"{folder}/{number}" for number in range(count)]
