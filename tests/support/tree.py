"""Looking at a cache directory, and waiting for something to come true."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def tree(root: Path) -> dict[str, bytes | str]:
    """Path -> bytes, or "-> text" for a link; `.cachy` is left out.

    Empty folders do not show. A file that vanishes meanwhile is left out.
    """
    found: dict[str, bytes | str] = {}
    for folder, folders, files in os.walk(root):
        if Path(folder) == root and ".cachy" in folders:
            folders.remove(".cachy")
        for name in [*folders, *files]:
            path = Path(folder, name)
            key = path.relative_to(root).as_posix()
            try:
                if path.is_symlink():
                    found[key] = f"-> {os.readlink(path)}"
                elif name in files:
                    found[key] = path.read_bytes()
            except FileNotFoundError:
                continue
    return found


def temporary(root: Path) -> list[Path]:
    """What is being written."""
    return list((root / ".cachy/tmp").iterdir())


def wait_until(predicate: Callable[[], T], timeout: float = 10, what: str = "the condition") -> T:
    """What `predicate` gives as soon as that is true; fails after `timeout`."""
    deadline = time.monotonic() + timeout
    while True:
        if value := predicate():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(0.01)
