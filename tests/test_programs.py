"""Programs that end with us."""

import os
import threading
from pathlib import Path

import pytest

from cachy.cli.programs import Over, Programs
from support.tree import wait_until

#: It leaves its own and a helper's process id.
STUBBORN = "trap '' TERM; sleep 60 & echo $$ $! >pids.new; mv pids.new pids; wait; wait"


def gone(pids: Path) -> bool:
    """Whether these processes have ended, or are about to: a zombie has no memory any more."""
    return not any(
        Path(f"/proc/{pid}/maps").exists() and maps(pid) for pid in pids.read_text().split()
    )


def maps(pid: str) -> str:
    """What it has in memory."""
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""


def test_run(tmp_path: Path) -> None:
    """Its exit code, and what it printed on either way; its folder is made."""
    with Programs() as programs:
        script = "pwd; echo $MARK >&2; cat; exit 7"
        code, said = programs.run(
            ["sh", "-c", script], os.environ | {"MARK": "x"}, tmp_path / "a", 10
        )
    assert (code, said) == (7, f"{tmp_path / 'a'}\nx\n")


def test_too_long(tmp_path: Path) -> None:
    """It ends, and so does its helper, which holds our pipe."""
    with Programs() as programs, pytest.raises(TimeoutError):
        programs.run(["sh", "-c", STUBBORN], os.environ, tmp_path / "a", 0.5)
    wait_until(lambda: gone(tmp_path / "a/pids"))


def test_the_end_of_the_block(tmp_path: Path) -> None:
    """All end, and nothing more begins, not even a folder."""
    with Programs() as programs:
        command = ["sh", "-c", STUBBORN]
        arguments = (command, os.environ, tmp_path / "a", 60)
        thread = threading.Thread(target=programs.run, args=arguments)
        thread.start()
        wait_until((tmp_path / "a/pids").exists)
    thread.join(10)
    assert not thread.is_alive()
    wait_until(lambda: gone(tmp_path / "a/pids"))
    with pytest.raises(Over):
        programs.run(["true"], os.environ, tmp_path / "b", 1)
    assert not (tmp_path / "b").exists()
