"""The memory of the process, where what the system's library does by itself is slow."""

#: Bytes of the largest block that is used again and again: a piece of a large body is much smaller.
LARGEST = 8 * 1024 * 1024


def keep() -> None:
    """Lets pieces of large bodies use the same memory, one after the other. glibc has the system map a block
    of 128 KB and more anew each time, which costs as much as all else that is done with it, until one of that
    size or a larger one has been freed (`M_MMAP_THRESHOLD` in mallopt(3)).
    """
    bytes(LARGEST)
