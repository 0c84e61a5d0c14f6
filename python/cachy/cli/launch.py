"""Starts a proxy of one's own: `cachy.dump` in a process that ends with this one."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from select import select
from typing import Any, Self

from cachy._core import default_directory

#: Seconds until a proxy must listen; the first start of all makes a CA.
START = 60
#: Seconds for an end in good order.
END = 5

#: What begins a line of mitmproxy's log.
STAMP = re.compile(r"^\[\d\d:\d\d:\d\d\.\d+\]\s*(\[[^\]]*\]\s*)?")


class LaunchError(Exception):
    """The proxy did not start; the message says why."""


@dataclass
class Launched:
    """A proxy that listens. As a context manager it is ended with the block."""

    port: int
    url: str
    ca_pem: Path
    process: subprocess.Popen[bytes]
    log: Path
    lifeline: int

    def close(self) -> None:
        """Ends the proxy."""
        if self.lifeline < 0:
            return
        self.process.terminate()
        try:
            self.process.wait(END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.lifeline)
        self.lifeline = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def options_of(options: Mapping[str, str], arguments: Sequence[str] = ()) -> list[str]:
    """mitmproxy's options as arguments.

    Args:
        options: Their names and values.
        arguments: The user's own; what they set by ``--set`` is left out here, since mitmproxy takes
            each once.
    """
    theirs = {word.partition("=")[0] for word in arguments if "=" in word}
    chosen = {name: value for name, value in options.items() if name not in theirs}
    return [word for name, value in chosen.items() for word in ("--set", f"{name}={value}")]


def launch(
    *,
    log: Path,
    directory: str | os.PathLike[str] | None = None,
    mode: str | None = None,
    listen_host: str = "127.0.0.1",
    port: int = 0,
    run: str | None = None,
    extra_args: Sequence[str] = (),
    belongings: Path | None = None,
) -> Launched:
    """Starts a proxy and waits until it listens.

    It is in a session of its own, so that a terminal's ^C does not reach it, and ends when this process
    does, however that ends.

    Args:
        log: The file for what it prints.
        directory: ``cachy_dir``; the default where not given.
        mode: ``cachy_mode``, likewise.
        listen_host: The address to listen on.
        port: The port; 0 for a free one.
        run: The run that all connections belong to, 32 hex digits.
        extra_args: Further arguments of mitmdump.
        belongings: A folder that is to go, too, where this process is killed.

    Raises:
        LaunchError: It did not start.
    """
    left = None if belongings is None else os.fspath(belongings)
    options = {"flow_detail": "0", "termlog_verbosity": "warn"}
    if directory is not None:
        options["cachy_dir"] = os.fspath(directory)
    if mode is not None:
        options["cachy_mode"] = mode
    check(Path(directory or default_directory()), mode)
    told, announce = os.pipe()
    watched, lifeline = os.pipe()
    # -P: what lies in the folder where the user stands is none of our modules.
    command = [sys.executable, "-P", "-m", "cachy.dump", str(announce), str(watched)]
    arguments = options_of(options, extra_args)
    arguments += ["--listen-host", listen_host, "--listen-port", str(port), *extra_args]
    env = {name: value for name, value in os.environ.items() if name != "CACHY_RUN"}
    if run is not None:
        env["CACHY_RUN"] = run
    try:
        # Addresses that it tells of may hold secrets.
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
                pass_fds=(announce, watched),
                start_new_session=True,
            )
    except BaseException:
        for descriptor in (told, announce, watched, lifeline):
            os.close(descriptor)
        raise
    os.close(announce)
    os.close(watched)
    launched = Launched(port, "", Path(), process, log, lifeline)
    try:
        os.write(lifeline, json.dumps([arguments, left, 0]).encode() + b"\n")
        listening = wait(told)
        if listening is None:
            raise LaunchError(why(process, log))
    except BaseException:
        launched.close()
        raise
    finally:
        os.close(told)
    launched.port = listening["addresses"][0][1]
    # What listens everywhere is reached here by the loopback.
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(listen_host, listen_host)
    launched.url = f"http://{host}:{launched.port}"
    launched.ca_pem = Path(listening["ca_pem"])
    return launched


def check(directory: Path, mode: str | None) -> None:
    """Makes sure that there is a tree to fill; the addon itself passes everything where there is none.

    Raises:
        LaunchError: It can't be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LaunchError(
            f"cannot make {directory}: {error.strerror}; name another by --dir"
        ) from None
    if mode not in ("offline", "off") and not os.access(directory, os.W_OK | os.X_OK):
        raise LaunchError(
            f"cannot write to {directory}; name another by --dir, or read it with --mode offline"
        )


def wait(pipe: int) -> dict[str, Any] | None:
    """What the proxy tells; ``None`` where it ended before."""
    text = b""
    while select([pipe], [], [], START)[0]:
        piece = os.read(pipe, 65536)
        if not piece:
            told: dict[str, Any] | None = json.loads(text) if text else None
            return told
        text += piece
    raise LaunchError(f"the proxy does not listen after {START} s")


def why(process: subprocess.Popen[bytes], log: Path) -> str:
    """Why a proxy ended before it listened."""
    status = process.wait()
    lines = [STAMP.sub("", line).strip() for line in log.read_text(errors="replace").splitlines()]
    dull = re.compile(
        r"^$|^Errors? logged during startup|^Loading script|^HTTP\(S\) proxy listening"
    )
    said = [line for line in lines if not dull.search(line)]
    if "Traceback (most recent call last):" in said:
        said = said[-1:]
    if not said and status < 0:
        return f"the proxy was ended by {signal.Signals(-status).name}"
    return "; ".join(said[-5:]) or f"the proxy ended with {status} and said nothing"
