"""Bodies that name their URL and version, and tell where a piece is missing or changed places."""

import functools
import random

#: Prime, so that no block of a file or a network ever fits it.
PERIOD = 4093


@functools.lru_cache(maxsize=64)
def make(label: str, version: int, size: int) -> bytes:
    """Return a body.

    Args:
        label: The host and target of its URL.
        version: Counts from 0.
        size: Bytes; what the first line takes is the least.
    """
    head = f"{label} {version} {size}\n".encode()
    block = random.Random(head).randbytes(PERIOD)
    return (head + block * (size // PERIOD + 1))[: max(size, len(head))]


def read(body: bytes) -> tuple[str, int, int]:
    """Return the label, version and size that a body names.

    Raises:
        ValueError: It names none, or its bytes are others than these have.
    """
    head = body[:1000].partition(b"\n")[0]
    try:
        label, version, size = head.decode().split(" ")
        number, length = int(version), int(size)
    except ValueError:
        raise ValueError(f"no body of ours: {body[:80]!r}") from None
    expected = make(label, number, length)
    if body != expected:
        at = next((i for i, (a, b) in enumerate(zip(body, expected, strict=False)) if a != b), None)
        where = "cut short or too long" if at is None else f"other bytes from {at} on"
        raise ValueError(f"{head!r}: {where}, {len(body)} of {len(expected)} bytes")
    return label, number, length
