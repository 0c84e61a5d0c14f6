"""`kill -9` at any moment: nothing is torn, nothing stored is lost, nothing passes for a person's.

`CACHY_TEST_KILLS` says how often the proxy is killed; a hundred take some minutes:

    CACHY_TEST_KILLS=100 pytest tests/test_killed.py --timeout 1000
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.factory import ProxyFactory
from support.inspection import inspect
from support.load import Load
from support.origin import Origin
from support.tree import temporary, wait_until

KILLS = int(os.environ.get("CACHY_TEST_KILLS", "4"))
CORE_KILLS = 100


def killed_committer(cachy_dir: Path, seed: int, seconds: float) -> list[tuple[str, int]]:
    """What a process has stored before it was killed, so long after its first entry."""
    command = [sys.executable, "-m", "support.committer", str(cachy_dir), str(seed)]
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stderr
        said = process.stdout.readline()
        time.sleep(seconds)
        process.kill()
        said += process.stdout.read()
        assert not (errors := process.stderr.read()), errors
    # The last line may itself be cut.
    lines = [line.rsplit(" ", 1) for line in said.splitlines(keepends=True) if line.endswith("\n")]
    return [(label, int(version)) for label, version in lines]


def test_core_killed_a_hundred_times(tmp_path: Path) -> None:
    """Four threads store entries of all kinds; after each kill the whole tree is looked through."""
    root = tmp_path / "cache"
    chance = random.Random(7)
    stored: dict[str, int] = {}
    commits = 0
    for seed in range(1, CORE_KILLS + 1):
        said = killed_committer(root, seed, chance.uniform(0, 0.1))
        commits += len(said)
        stored |= said
        found = inspect(root)
        for label, version in stored.items():
            if "/slash" not in label:
                assert found.get(label, -1) >= version, f"{label} {version} is lost"
    assert commits > 10 * CORE_KILLS


@pytest.mark.timeout(60 + 10 * KILLS)
def test_proxy_killed_under_load(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """Several clients at work; after each kill and start the tree is whole and swept."""
    proxy = start_proxy(options={"cachy_mode": "refresh"})
    chance = random.Random(host)
    found: dict[str, int] = {}
    for seed in range(KILLS):
        with Load([proxy], origin, host, seed) as load:
            wait_until(lambda load=load: load.answered > 0)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 1))
            proxy.kill()
        assert not load.wrong, "\n".join(load.wrong)
        proxy.start()
        assert not temporary(cachy_dir)
        newer = inspect(cachy_dir)
        gone = [label for label in found if label not in newer and "/slash" not in label]
        assert not gone, "lost"
        found = newer
    assert len(found) > 10
