"""mitmproxy's transparent mode, with connections that the kernel really redirects.

That takes a network of its own, so all of it runs there: see `transparent/*.py`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from support import namespace

CASES = Path(__file__).parent / "transparent"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("cases", ["cases", "commands", "bridge"])
def test_in_a_network_of_its_own(tmp_path: Path, cases: str) -> None:
    """All cases pass there."""
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "--basetemp"]
    done = subprocess.run(
        [*namespace.prefix(), *command, str(tmp_path / "alone"), str(CASES / f"{cases}.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=CASES.parent.parent,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout, done.stdout
