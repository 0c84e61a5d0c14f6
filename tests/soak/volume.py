"""The disk of the tree: a small one of its own, where mounting is allowed."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: Megabytes of the disk, and of the tree at most: it is copied, and two files of curl's are large.
DISK, TREE = 300, 90
PIECE = 1 << 20


@dataclass(frozen=True)
class Volume:
    """Where the tree lies."""

    place: Path
    own: bool
    """Whether it is a disk of its own."""

    @property
    def tree(self) -> Path:
        """The tree itself."""
        return self.place / "tree"

    def fill(self, seconds: float) -> None:
        """Keep the disk full for a while, also when something is removed; then free it."""
        filler, deadline = self.place / "filler", time.monotonic() + seconds
        try:
            with filler.open("wb", buffering=0) as file:
                while time.monotonic() < deadline:
                    size = PIECE
                    while size:
                        try:
                            file.write(bytes(size))
                        except OSError:
                            size //= 2
                    time.sleep(0.05)
        finally:
            filler.unlink(missing_ok=True)


def _mount(place: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", str(place)]
    with contextlib.suppress(OSError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


@contextmanager
def volume(place: Path) -> Iterator[Volume]:
    """Mount a disk at a folder; where that is not allowed, the folder has to do."""
    place.mkdir()
    own = os.geteuid() == 0 and _mount(place)
    try:
        yield Volume(place, own)
    finally:
        if own:
            subprocess.run(["umount", "-l", str(place)], check=True)
