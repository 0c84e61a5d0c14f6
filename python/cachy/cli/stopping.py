"""Ends a command in order when a signal arrives: no process and no temporary file is left."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

#: ^C; `kill`, or a system that shuts down; a terminal that is closed.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(SystemExit):
    """A signal has ended the command. The exit code is 128 plus its number, as in shells."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.text = f"stopped by {signal.Signals(number).name}"

    def add(self, text: str) -> None:
        """Adds to what is printed."""
        self.text += f"; {text}"


@contextmanager
def in_order() -> Iterator[Callable[[], None]]:
    """Makes a signal raise an exception in the block, which cleans up, and prints its name.

    Yields a function that is to be called if the terminal may have gone without a signal to us.

    Raises:
        Stopped: A signal came.
    """
    terminals = [number for number in (1, 2) if os.isatty(number)]

    def end(number: int, _: FrameType | None) -> None:
        # A second signal must not interrupt the cleanup.
        undisturbed()
        forget_terminals()
        raise Stopped(number)

    def forget_terminals() -> None:
        for each in terminals:
            if not os.isatty(each):
                # The terminal is gone. Later output to it must not fail.
                os.dup2(os.open(os.devnull, os.O_WRONLY), each)

    before: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        # Signals that are ignored, as by nohup, stay ignored.
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield forget_terminals
    except Stopped as stopped:
        with suppress(OSError):
            sys.stderr.write(f"cachy: {stopped.text}\n")
            sys.stderr.flush()
        # A signal while Python ends must not change the exit code.
        before = dict.fromkeys(before, signal.SIG_IGN)
        raise
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def temporary(stack: ExitStack, prefix: str) -> Path:
    """Makes a temporary folder that goes with a stack, also where a signal comes just then.

    Args:
        stack: What removes it.
        prefix: The beginning of its name.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
        return Path(stack.enter_context(folder))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def undisturbed() -> None:
    """Ignores signals until the end of `in_order`, for the cleanup."""
    for number in ENDING:
        # With SIG_IGN, Python would warn about a signal that has arrived already.
        signal.signal(number, lambda *_: None)
