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
    from cachy.enclosure import files, signals
    from cachy.enclosure.orders import Orders, hear
    from cachy.enclosure.relay import Relay

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, TemporaryDirectory(prefix="cachy-") as folder, signals.held():
        files.prepare(Path(folder), Path(bundle))
        orders = Orders(
            command=list(command),
            env={k: v for k, v in env.items() if not _PROXY_VARIABLE.fullmatch(k)},
            folder=folder,
            ports=list(ports),
            parent=os.getpid(),
        ).to_file()
        with theirs:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-m", "cachy.enclosure.inside"),
                    *(str(theirs.fileno()), str(orders)),
                ],
                pass_fds=(theirs.fileno(), orders),
            )
        os.close(orders)
        found = hear(ours)
        message: dict[str, Any] = (
            found[0] if found else {"unsupported": None, "why": "the process inside ended at once"}
        )
        if "started" not in message:
            process.wait()
            if "unsupported" in message:
                raise Unsupported(_why(message["unsupported"], message["why"]))
            raise OSError(message["failed"], message["why"], message["file"])
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
