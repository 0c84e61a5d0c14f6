"""A signal ends a command in order: what it has started ends, and its temporary files are removed."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

#: What ends a command: ^C, `kill` and systems that shut down, a terminal that is closed.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(SystemExit):
    """A signal has ended the command: exit code 128 and the signal's number, as shells have it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.text = f"stopped by {signal.Signals(number).name}"

    def add(self, text: str) -> None:
        """Has more to tell."""
        self.text += f"; {text}"


@contextmanager
def in_order() -> Iterator[None]:
    """Lets signals end the block by an exception, so that it cleans up, and then says so.

    Raises:
        Stopped: A signal came.
    """
    terminals = [number for number in (1, 2) if os.isatty(number)]

    def end(number: int, _: FrameType | None) -> None:
        # A second one would cut short what the first one has begun.
        undisturbed()
        for each in terminals:
            if not os.isatty(each):
                # It is gone, and nothing that still wants to write there shall stumble over that.
                os.dup2(os.open(os.devnull, os.O_WRONLY), each)
        raise Stopped(number)

    before: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        # What is ignored, as by nohup, stays so.
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    except Stopped as stopped:
        with suppress(OSError):
            sys.stderr.write(f"cachy: {stopped.text}\n")
            sys.stderr.flush()
        # One that comes while Python ends would make something else of it.
        before = dict.fromkeys(before, signal.SIG_IGN)
        raise
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def undisturbed() -> None:
    """Has signals ignored up to the end of `in_order`: what is left to do is to clean up."""
    for number in ENDING:
        # Of one that has come already, Python would complain if it were ignored properly.
        signal.signal(number, lambda *_: None)
