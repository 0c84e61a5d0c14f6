"""Programs that run for a moment, and end with us."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self


class Over(Exception):
    """Nothing more is started."""


class Programs:
    """Runs programs in any number of threads. As a context manager it ends with the block all that still
    run, and what they have started.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._living: set[subprocess.Popen[bytes]] = set()
        self._over = False

    def run(
        self, command: Sequence[str], env: Mapping[str, str], folder: Path, timeout: float
    ) -> tuple[int, str]:
        """Runs one to its end, and gives its exit code and what it has printed.

        Args:
            command: Program and arguments.
            env: Its environment.
            folder: Where it stands, which is made.
            timeout: Seconds it has.

        Raises:
            OSError: It can't be started.
            TimeoutError: It took longer, and was ended.
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
                # So that its helpers can be ended along with it.
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
    """Ends a program and what it has started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
