"""mitmproxy's transparent mode, with connections that the kernel really redirects.

That takes a network of its own, so all of it runs there: see `transparent/cases.py`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from support import namespace

CASES = Path(__file__).parent / "transparent/cases.py"


@pytest.mark.timeout(180)
def test_in_a_network_of_its_own(tmp_path: Path) -> None:
    """All cases pass there."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp"]
    done = subprocess.run(
        [*namespace.prefix(), *command, str(tmp_path / "alone"), str(CASES)],
        capture_output=True,
        text=True,
        check=False,
        cwd=CASES.parent.parent.parent,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout, done.stdout
