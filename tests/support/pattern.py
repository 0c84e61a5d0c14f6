"""Large bodies that cost no memory: a repeated block with a known digest."""

import hashlib
import random
from collections.abc import Iterator
from functools import cached_property

# Prime, so that a chunk that went missing or changed places is noticed.
PERIOD = 1_048_573
CHUNK = 256 * 1024


class Pattern:
    """`size` deterministic bytes; other seeds give other bytes."""

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        block = random.Random(seed).randbytes(PERIOD)
        self._twice = memoryview(block + block[:CHUNK])

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """The bytes from `start` up to `stop`, in pieces of at most 256 KB."""
        end = self.size if stop is None else min(stop, self.size)
        while start < end:
            offset = start % PERIOD
            length = min(CHUNK, end - start)
            yield self._twice[offset : offset + length]
            start += length

    def slice(self, start: int, stop: int) -> bytes:
        """Some of the bytes, for comparison."""
        return b"".join(self.chunks(start, stop))

    @cached_property
    def sha256(self) -> str:
        """The digest of all bytes, in hex."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()
