"""Runs the user's command, as if it had been started without us."""

import errno
import os
import shutil
import signal
import sys
from collections.abc import Collection, Mapping, Sequence

from cachy.enclosure.signals import WATCHED, reaches_group

#: As shells and `env` have it.
NOT_FOUND = 127
NOT_EXECUTABLE = 126


def run(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Runs a command to its end, with our standard input, output and error, and passes signals on.

    It stays in our process group, so that a terminal's ^C and ^Z reach it as ever.

    Args:
        command: Program and arguments.
        env: Its environment.

    Returns:
        Its exit code; 128 and the number of the signal that ended it; 126 or 127 where it can't be
        started, with a line on standard error.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    try:
        return shell_code(wait(spawn(list(command), env, before)))
    except OSError as error:
        return not_started(command[0], error)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def shell_code(code: int) -> int:
    """An exit code as shells have it.

    Args:
        code: A signal's number is below zero.
    """
    return 128 - code if code < 0 else code


def not_started(program: str, error: OSError) -> int:
    """Says why a command was not started, and gives the exit code for that."""
    if isinstance(error, FileNotFoundError):
        sys.stderr.write(f"cachy run: {program}: command not found\n")
        return NOT_FOUND
    sys.stderr.write(f"cachy run: {program}: {error.strerror}\n")
    return NOT_EXECUTABLE


def spawn(command: list[str], env: Mapping[str, str], mask: Collection[int]) -> int:
    """Starts a program and tells its process id.

    Raises:
        OSError: It can't be started.
    """

    def start(command: list[str]) -> int:
        # Python itself ignores these two.
        reset = [signal.SIGPIPE, signal.SIGXFSZ]
        return os.posix_spawnp(command[0], command, dict(env), setsigmask=mask, setsigdef=reset)

    try:
        return start(command)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script that does not say what runs it is the shell's.
        return start(["/bin/sh", shutil.which(command[0]) or command[0], *command[1:]])


def wait(pid: int) -> int:
    """Waits for the end of a process, passes on the signals that come meanwhile, and gives its exit
    code; a signal's number is below zero.
    """
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        number, by_terminal = next_signal()
        # What a terminal sends reaches all of its foreground processes: twice is once too often.
        if number != signal.SIGCHLD and not by_terminal:
            os.kill(pid, number)


def next_signal() -> tuple[int, bool]:
    """Waits for a signal, and tells whether a terminal has sent it to the command, too."""
    if sys.platform == "darwin":
        number = signal.sigwait(WATCHED)
        return number, number in (signal.SIGINT, signal.SIGQUIT) and sys.stdin.isatty()
    told = signal.sigwaitinfo(WATCHED)
    return told.si_signo, reaches_group(told.si_signo, told.si_code)
