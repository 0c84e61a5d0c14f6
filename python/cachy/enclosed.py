"""Runs a command in a network of its own, in which the web is a proxy: no variable needs to say so.

For programs that read none (node's fetch, static binaries), without root: see `cachy.enclosure`.
"""

import errno
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

#: Variables that name a proxy, which nobody reaches from inside.
_PROXY_VARIABLE = re.compile(r"(?i)(.*_)?(http|https|ftp|all|no)_?proxy")


class Unsupported(Exception):
    """The kernel, or who has set it up, forbids it; the message says why."""


def _why(number: int | None, text: str) -> str:
    def setting(name: str) -> str:
        try:
            return Path("/proc/sys", name).read_text().strip()
        except OSError:
            return ""

    if number == errno.ENOSPC:
        return f"no more user or network namespaces: see sysctl user.max_user_namespaces ({text})"
    if number in (errno.EPERM, errno.EACCES):
        if setting("kernel/unprivileged_userns_clone") == "0":
            return (
                "the system forbids user namespaces: sysctl kernel.unprivileged_userns_clone is 0"
            )
        if setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
            return (
                "AppArmor restricts user namespaces: "
                "sysctl kernel.apparmor_restrict_unprivileged_userns is 1"
            )
        return f"namespaces are forbidden here, as in most containers and in a chroot ({text})"
    if number == errno.EINVAL:
        return f"a mount namespace can't be made here, as in a chroot ({text})"
    return text


def run_enclosed(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    proxy_url: str,
    bundle: str | os.PathLike[str],
    run: str | None = None,
    ports: Sequence[int] = (80, 443),
) -> int:
    """Runs a command whose connections to some ports, of whatever host, all go to a proxy.

    Inside there is nothing else: other ports refuse, and this machine's own services are out of reach.
    When the command ends, so does everything that it has started. Signals that are sent to this process are
    passed on to it; call it in the main thread.

    Args:
        command: The program, looked for in the ``PATH`` of `env`, and its arguments.
        env: Its environment, less what names a proxy.
        proxy_url: ``http://[user:password@]host:port``, of a proxy in regular mode.
        bundle: The roots trusted inside, the proxy's CA among them, as PEM; seen in place of the system's.
        run: The id of the run, 32 hex digits, which goes to the proxy as ``Cachy-Run``.
        ports: The TCP ports that are led to the proxy.

    Returns:
        The exit code, or a signal's number below zero, as `subprocess.Popen.returncode`.

    Raises:
        Unsupported: The kernel forbids it, and the command has not been started.
        OSError: The command can't be started: FileNotFoundError, PermissionError.
    """
    if sys.platform != "linux":
        raise Unsupported("there are network namespaces on Linux alone")
    from cachy.enclosure import signals
    from cachy.enclosure.relay import Relay

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, signals.held():
        # What lies there is mounted, so that the folder is gone even where this process is killed.
        with theirs, TemporaryDirectory(prefix="cachy-") as folder:
            process = _enter(list(command), env, Path(folder), Path(bundle), list(ports), theirs)
            _hear_whether_it_started(ours, process)
        try:
            with Relay(ours, proxy_url, run) as relay:
                while process.poll() is None and not relay.ended:
                    signals.attend(process.pid)
            process.wait()
        except BaseException:
            # The one inside ends all of it.
            process.terminate()
            process.wait()
            raise
    return process.returncode


def _enter(
    command: list[str],
    env: Mapping[str, str],
    folder: Path,
    bundle: Path,
    ports: list[int],
    channel: socket.socket,
) -> "subprocess.Popen[bytes]":
    """Starts the process around the command."""
    from cachy.enclosure import files
    from cachy.enclosure.orders import Orders

    files.prepare(folder, bundle)
    orders = Orders(
        command=command,
        env={k: v for k, v in env.items() if not _PROXY_VARIABLE.fullmatch(k)},
        folder=str(folder),
        ports=ports,
        parent=os.getpid(),
    ).to_file()
    fds = (channel.fileno(), orders)
    arguments = [str(fd) for fd in fds]
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-m", "cachy.enclosure.inside", *arguments], pass_fds=fds
        )
    finally:
        os.close(orders)
        channel.close()


def _hear_whether_it_started(channel: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    from cachy.enclosure.orders import hear

    found = hear(channel)
    message: dict[str, Any] = (
        found[0] if found else {"unsupported": None, "why": "the process inside ended at once"}
    )
    if "started" in message:
        return
    process.wait()
    if "unsupported" in message:
        raise Unsupported(_why(message["unsupported"], message["why"]))
    raise OSError(message["failed"], message["why"], message["file"])
