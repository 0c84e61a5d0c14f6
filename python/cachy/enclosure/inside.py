"""The process around the command: ``python -m cachy.enclosure.inside CHANNEL ORDERS``, two numbers."""

import asyncio
import errno
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from cachy import _core
from cachy.enclosure import files, gate, names, network, signals
from cachy.enclosure.orders import Orders, tell


def enter() -> None:
    """Moves this process to namespaces of its own.

    Raises:
        OSError: The kernel forbids it.
    """
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        # Who may make namespaces keeps all rights, so that apt and others can drop theirs.
        with suppress(PermissionError):
            _core.enter_namespaces(user=False)
            return
    _core.enter_namespaces(user=True)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        Path("/proc/self", name).write_text(text)


class Inside:
    """The name service, the gate and the command."""

    def __init__(self, channel: socket.socket, orders: Orders) -> None:
        self._channel = channel
        self._orders = orders
        self._names = names.Names()
        enter()
        network.bring_up()
        files.put_in_place(Path(orders.folder))
        self._gate = gate.listeners(orders.ports)
        self._name_service = names.sockets()

    def start(self) -> "subprocess.Popen[bytes]":
        """Starts the command, then serves it.

        Raises:
            OSError: There is no such command.
        """
        try:
            process = self._spawn(self._orders.command)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script that doesn't say what runs it is the shell's.
            path = self._orders.env.get("PATH")
            program = shutil.which(self._orders.command[0], path=path)
            process = self._spawn(["/bin/sh", program or "", *self._orders.command[1:]])
        tell(self._channel, {"started": process.pid})
        # Connections wait meanwhile: all of them listen already.
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        return process

    def _spawn(self, command: list[str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            command,
            env=self._orders.env,
            preexec_fn=_before_the_command,  # noqa: PLW1509 (there is one thread yet)
        )

    async def _serve(self) -> None:
        asyncio.get_running_loop().set_exception_handler(_lost)
        await names.serve(self._names, *self._name_service)
        gate.open_to(self._names, self._gate, self._channel)
        await asyncio.Event().wait()

    def wait(self, process: "subprocess.Popen[bytes]") -> int:
        """Waits for the command's end, or that of who gave the orders; its status (`os.wait`)."""
        while True:
            signals.attend(process.pid)
            if os.getppid() != self._orders.parent:
                return 0
            with suppress(ChildProcessError):
                while (found := os.waitpid(-1, os.WNOHANG))[0]:
                    if found[0] == process.pid:
                        return found[1]


def _before_the_command() -> None:
    _core.end_with_parent(kill=True)
    signals.release()


def _lost(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Ends where nobody takes connections any more."""
    if isinstance(context.get("exception"), OSError):
        os.kill(os.getpid(), signal.SIGTERM)


def end_all() -> None:
    """Ends whatever the command has left behind."""
    while True:
        for task in Path("/proc/self/task").iterdir():
            for pid in (task / "children").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def end_as(status: int) -> None:
    """Ends as the command did, by the same signal where it was one."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):  # SIGKILL has no handler.
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def main(channel_fd: int, orders_fd: int) -> None:
    """Does as told, and ends as the command does."""
    channel = socket.socket(fileno=channel_fd)
    channel.set_inheritable(False)
    orders = Orders.from_file(orders_fd)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals.WATCHED)
    _core.end_with_parent(kill=False)
    _core.adopt_orphans()
    try:
        inside = Inside(channel, orders)
    except OSError as error:
        tell(channel, {"unsupported": error.errno, "why": error.strerror or str(error)})
        return
    try:
        process = inside.start()
    except OSError as error:
        tell(channel, {"failed": error.errno, "why": error.strerror, "file": orders.command[0]})
        return
    status = inside.wait(process)
    end_all()
    end_as(status)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
