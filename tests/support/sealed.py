"""Bodies that tell whether they are whole, and of which URL and version they are."""

import random

VERSION = "X-Version"
"""The field that goes with a body, so that a record and another body are told apart."""


def seal(label: str, version: int, size: int = 0) -> bytes:
    """A body of at least `size` bytes. `label`: the URL, and behind a `|` what selects a variant."""
    head = f"{label} {version} {size}\n".encode()
    block = random.Random(head).randbytes(4096)
    body = head + block * (size // len(block) + 1)
    return body[: max(size, len(head))]


def unseal(body: bytes) -> tuple[str, int]:
    """Label and version of a body.

    Raises:
        AssertionError: It isn't whole.
    """
    head = body.partition(b"\n")[0]
    label, version, size = head.decode().split(" ")
    expected = seal(label, int(version), int(size))
    assert body == expected, f"{head!r}: torn, {len(body)} of {len(expected)} bytes"
    return label, int(version)
