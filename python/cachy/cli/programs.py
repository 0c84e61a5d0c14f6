"""Runs short programs that never outlive this process."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self


class Over(Exception):
    """The block has ended: no program is started any more."""


class Programs:
    """Runs programs, from any thread. At the end of its `with` block it kills those that still run,
    along with the processes that they have started.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._living: set[subprocess.Popen[bytes]] = set()
        self._over = False

    def run(
        self, command: Sequence[str], env: Mapping[str, str], folder: Path, timeout: float
    ) -> tuple[int, str]:
        """Runs a program to its end.

        Args:
            command: Program and arguments.
            env: Its environment.
            folder: Its working directory, which is created.
            timeout: Seconds until it is killed.

        Returns:
            Its exit code, and what it printed to standard output and error.

        Raises:
            OSError: It can't be started.
            TimeoutError: It was killed.
            Over: The block has ended.
        """
        with self._lock:
            if self._over:
                raise Over
            folder.mkdir()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=folder,
                # Its helpers are killed along with it.
                start_new_session=True,
            )
            self._living.add(process)
        try:
            said, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            end(process)
            raise TimeoutError from None
        finally:
            if process.stdout is not None:
                process.stdout.close()
            with self._lock:
                self._living.discard(process)
        return process.returncode, said.decode(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over = True
            living = list(self._living)
        for process in living:
            end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Kills a program and the processes that it has started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
