"""The memory of the process, where what the system's library does by itself is slow."""

import ctypes
from collections.abc import Callable
from typing import Any

#: Bytes of the largest block that is used again and again: a piece of a large body is much smaller.
LARGEST = 8 * 1024 * 1024


def keep() -> None:
    """Lets pieces of large bodies use the same memory, one after the other. glibc has the system map a block
    of 128 KB and more anew each time, which costs as much as all else that is done with it, until one of that
    size or a larger one has been freed (`M_MMAP_THRESHOLD` in mallopt(3)).
    """
    bytes(LARGEST)


def trimmer() -> Callable[[int], Any] | None:
    """The function of the system's library that gives back what is free, malloc_trim(3); only glibc has it."""
    try:
        found: Callable[[int], Any] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return None
    return found


TRIM = trimmer()


def give_back() -> None:
    """Gives memory that is free back to the system. By itself glibc does so only at the end of its heap,
    before which some small object always lies. Takes some milliseconds: belongs in a thread.
    """
    if TRIM is not None:
        TRIM(0)
