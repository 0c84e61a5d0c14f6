"""Memory that is free goes back to the system."""

import subprocess
import sys

import pytest

from cachy import memory

#: Frees most of 200 MB, but for small parts that lie between.
FRAGMENTS = """
from cachy import memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

memory.keep()
all_of_it = [b"x" * 100_000 for _ in range(2000)]
kept = all_of_it[::50]
del all_of_it
before = resident()
memory.give_back()
print(before, resident())
"""


def test_fragments() -> None:
    """Also what lies between parts that are in use."""
    assert memory.TRIM is not None, "this system's library has no malloc_trim"
    done = subprocess.run(
        [sys.executable, "-c", FRAGMENTS], check=True, capture_output=True, text=True
    )
    before, after = (int(word) for word in done.stdout.split())
    assert before > 150_000_000, "nothing was held"
    assert after < before / 2


def test_other_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no such function, nothing happens."""
    monkeypatch.setattr(memory, "TRIM", None)
    memory.give_back()
