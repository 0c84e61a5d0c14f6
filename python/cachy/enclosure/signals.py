"""A process that waits for another, and passes on the signals that are sent to it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: What is passed on to the command.
PASSED = {
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
}
WATCHED = PASSED | {signal.SIGCHLD}
#: In seconds.
_TURN = 0.5


@contextmanager
def held() -> Iterator[None]:
    """Holds these signals back, in this thread and in all that it starts meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def release() -> None:
    """Lets them through again: in the child, before the command."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)


def reaches_group(number: int, code: int) -> bool:
    """Whether a signal has reached all of our process group by itself, as a terminal's ^C does.

    A terminal that goes sends SIGHUP to the leader of its session only.

    Args:
        number: The signal.
        code: Its ``si_code``, above zero where the kernel sent it.
    """
    alone = number == signal.SIGHUP and os.getsid(0) == os.getpid()
    return code > 0 and not alone


def attend(pid: int) -> None:
    """Waits, while the signals are held, until one of them is SIGCHLD; passes the others on.

    What a terminal sends reaches all of the process group by itself, and isn't passed on.
    """
    while True:
        # Where another thread took one, Python's own handler gets its turn.
        found = signal.sigtimedwait(WATCHED, _TURN)
        if found is None:
            continue
        if found.si_signo == signal.SIGCHLD:
            return
        if not reaches_group(found.si_signo, found.si_code):
            with suppress(ProcessLookupError):
                os.kill(pid, found.si_signo)
