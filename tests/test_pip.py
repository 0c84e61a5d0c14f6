"""The real pip and the real registry: cold, again, and with no network at all."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import addon_script
from support.past import a_while_ago
from support.tree import tree

PROGRAM = Path(__file__).parent / "support/install.py"


@pytest.mark.timeout(180)
def test_cold_again_and_with_no_network(tmp_path: Path, cachy_dir: Path) -> None:
    """The same result three times; the third needs no name, no route and no option."""
    unshare = shutil.which("unshare")
    alone = [unshare or "unshare", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        alone = [unshare or "unshare", "--map-root-user", "--net"]

    def install(name: str, *prefix: str) -> subprocess.CompletedProcess[str]:
        where = [addon_script(), tmp_path / "conf", cachy_dir, tmp_path / name]
        command = [*prefix, sys.executable, PROGRAM, *where, "six", "idna"]
        return subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False
        )

    cold = install("cold")
    if cold.returncode and "error establishing server connection" in cold.stdout:
        pytest.skip("the registry can't be reached from here")
    assert cold.returncode == 0, cold.stdout + cold.stderr
    names = [Path(name).name for name in tree(cachy_dir)]
    assert sorted(n for n in names if n.endswith(".whl")) == sorted(
        n for n in names if n != "index.html"
    )
    assert names.count("index.html") == 2

    a_while_ago(cachy_dir)
    again = install("again")
    assert again.returncode == 0, again.stdout + again.stderr
    # One connection to the index, none for the files.
    assert again.stdout.count("] server connect ") == 1
    try:
        subprocess.run([*alone, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no network namespaces here")
    offline = install("offline", *alone)
    assert offline.returncode == 0, offline.stdout + offline.stderr
    assert "] server connect " not in offline.stdout
    installed = [
        {p: b for p, b in tree(tmp_path / name).items() if "__pycache__" not in p}
        for name in ("cold", "again", "offline")
    ]
    assert installed[0] and installed[0] == installed[1] == installed[2]
