"""One run of a program, in an environment with nothing in it that it does not need."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Run:
    """How a program ended."""

    command: str
    status: int
    output: str
    """Standard output and error, as they came."""
    seconds: float

    def ok(self) -> "Run":
        """Itself, once it is sure that the program succeeded."""
        assert self.status == 0, str(self)
        return self

    def __str__(self) -> str:
        return f"{self.command}\nended with {self.status} in {self.seconds:.1f} s:\n{self.output}"


def which(program: str) -> str | None:
    """Where it lies: beside the Python that runs the tests, else on the path."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(program, path=os.pathsep.join([beside, os.environ["PATH"]]))


def need(*programs: str) -> None:
    """Skip the test where one of the programs is not installed."""
    if missing := [program for program in programs if which(program) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")


def clean_env(home: Path) -> dict[str, str]:
    """A home of its own, and none of the variables that steer clients."""
    home.mkdir(parents=True, exist_ok=True)
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


def run(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    cwd: Path,
    timeout: float = 40,
) -> Run:
    """Run to the end; past `timeout` it is killed, with all that it started."""
    words = [str(word) for word in command]
    start = time.monotonic()
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            output += f"\nkilled after {timeout} s\n".encode()
    seconds = time.monotonic() - start
    return Run(shlex.join(words), process.returncode, output.decode(errors="replace"), seconds)
