"""An ordinary user, for tests that run as root."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

NOBODY = 65534


def _barrier(path: Path) -> Path | None:
    """The first folder on the way that not everybody may pass."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def prefix(folder: Path, needed: Iterable[Path] = ()) -> list[str]:
    """The command that runs the rest of its line as an ordinary user.

    Args:
        folder: For this function's own use.
        needed: What that user has to reach, beside this Python.
    """
    if os.geteuid() != 0:
        return []
    for tool in ("unshare", "setpriv"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    root = Path(__file__).parent.parent.parent
    paths = {Path(sys.prefix), Path(sys.base_prefix).resolve(), root, *needed}
    kept = [path for path in sorted(paths) if not paths & set(path.parents)]
    lines, barriers = ["set -e", "cd /"], []
    # In a mount namespace of its own, the folders in the way are empty but for what is needed.
    for number, path in enumerate(kept):
        if barrier := _barrier(path):
            hold = folder / f"hold{number}"
            hold.mkdir()
            barriers.append((barrier, hold, path))
            lines.append(f"mount --bind {shlex.quote(str(path))} {shlex.quote(str(hold))}")
    if barriers:
        # Where these folders can be reached, whatever is in the way.
        lines.append("mount -t tmpfs -o mode=755 tmpfs /mnt")
        for number, (_, hold, _) in enumerate(barriers):
            lines += [
                f"mkdir /mnt/{number}",
                f"mount --move {shlex.quote(str(hold))} /mnt/{number}",
            ]
        for name in sorted({str(barrier) for barrier, _, _ in barriers}):
            lines.append(f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(name)}")
        for number, (_, _, path) in enumerate(barriers):
            quoted = shlex.quote(str(path))
            lines += [f"mkdir -p {quoted}", f"mount --move /mnt/{number} {quoted}"]
    lines.append(f'exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups "$@"')
    return ["unshare", "--mount", "sh", "-c", "\n".join(lines), "sh"]
