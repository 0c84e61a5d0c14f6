"""The user's command runs as if it had been started without us."""

import os
import signal
from pathlib import Path

import pytest

from cachy.cli import child


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
)
def test_exit_code(script: str, code: int) -> None:
    """Its own, or 128 and the signal's number."""
    assert child.run(["sh", "-c", script], os.environ) == code


def test_not_started(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As shells have it."""
    file = tmp_path / "file"
    file.write_text("exit 4\n")
    assert child.run(["no-such-command"], os.environ) == 127
    assert child.run([str(file)], os.environ) == 126
    file.chmod(0o755)
    assert child.run([str(file)], os.environ) == 4
    said = capfd.readouterr().err
    assert said.splitlines() == [
        "cachy run: no-such-command: command not found",
        f"cachy run: {file}: Permission denied",
    ]


def test_signals_are_as_before(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither what we block nor what Python ignores is passed on, nor does it stay so here."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert child.run(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], os.environ) == 0
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    blocked, ignored = (line.split()[1] for line in capfd.readouterr().out.splitlines())
    assert int(blocked, 16) == 0
    assert not int(ignored, 16) & (1 << (signal.SIGPIPE - 1))
