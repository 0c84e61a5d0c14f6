"""A real mitmdump in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

READY = re.compile(r"[Pp]roxy .*?listening at (?:\S+ and )?\S*?:(\d+)\.")

#: A mistake of the proxy's, whatever its clients got.
MISHAP = re.compile(
    r"Traceback \(most recent|has crashed|never retrieved|was never awaited|is pending!|panicked"
    r"|but rescued after"
)
#: The same while it ends: asyncio and mitmproxy then have much to say of what they cancel.
MISHAP_AT_THE_END = re.compile(r'has crashed|panicked|File "[^"]*/cachy/')


@dataclass
class Settings:
    """How to start a proxy."""

    scripts: Sequence[Path]
    confdir: Path
    """mitmproxy's own CA lives here; proxies may share it."""
    log_file: Path
    """Standard output and error of all starts, one after the other."""
    upstream_ca: Path | None = None
    """What to trust upstream; None leaves that to mitmproxy and the addon."""
    options: Mapping[str, str | int | bool] = field(default_factory=dict)
    """Given as `--set name=value`."""
    args: Sequence[str] = ()
    """Further arguments of mitmdump."""
    env: Mapping[str, str | None] = field(default_factory=dict)
    """Changes to the environment; None takes a variable away."""
    prefix: Sequence[str] = ()
    """A command that executes the rest of its line, such as `prlimit --nofile=64`."""
    port: int = 0
    start_timeout: float = 20


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Proxy:
    """One mitmdump; `start()` returns when it accepts connections."""

    host = "127.0.0.1"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.port = settings.port
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._log_ends: int | None = None
        self._log_seen = 0
        self._unseen: list[str] = []

    @property
    def ca_pem(self) -> Path:
        """The CA that clients of this proxy trust."""
        return self.settings.confdir / "mitmproxy-ca-cert.pem"

    @property
    def url(self) -> str:
        """What `https_proxy` would be."""
        return f"http://{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of mitmdump."""
        assert self._process is not None, "the proxy was never started"
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it lives."""
        return self._process.poll() if self._process else None

    def command(self) -> list[str]:
        """The command line."""
        options: dict[str, str | int | bool] = {"confdir": str(self.settings.confdir)}
        if self.settings.upstream_ca:
            options["ssl_verify_upstream_trusted_ca"] = str(self.settings.upstream_ca)
        options |= self.settings.options
        command = [*self.settings.prefix, str(Path(sys.executable).parent / "mitmdump")]
        command += ["--listen-host", self.host, "--listen-port", str(self.port)]
        for script in self.settings.scripts:
            command += ["-s", str(script)]
        for name, value in options.items():
            command += ["--set", f"{name}={_text(value)}"]
        return command + list(self.settings.args)

    def start(self) -> Self:
        """Start, also again after `stop()` or `kill()`, then on the same port."""
        assert not self.running, "the proxy runs already"
        env = {k: v for k, v in os.environ.items() if not k.startswith("CACHY_")}
        env |= {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
        for name, value in self.settings.env.items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        self._log_start = len(self.log())
        self._unseen = self.mishaps()
        self._log_ends = None
        with self.settings.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=self.settings.log_file.parent,
                start_new_session=True,
            )
        try:
            self._wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + self.settings.start_timeout
        while True:
            ended = not self.running
            log = self.log()[self._log_start :]
            if found := READY.search(log):
                self.port = int(found[1])
                return
            if ended:
                raise RuntimeError(f"mitmdump ended with {self.returncode}:\n{log}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"mitmdump does not listen:\n{log}")
            time.sleep(0.01)

    def stop(self, timeout: float = 10) -> int:
        """Ask it to end (SIGTERM) and wait; gives the exit status."""
        return self._end(signal.SIGTERM, timeout)

    def kill(self) -> int:
        """End it at once (SIGKILL), with whatever it has started."""
        return self._end(signal.SIGKILL, 10)

    def _end(self, how: signal.Signals, timeout: float) -> int:
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            self._log_ends = len(self.log())
            try:
                if how == signal.SIGKILL:
                    os.killpg(process.pid, how)
                else:
                    process.send_signal(how)
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
                raise
        return process.returncode

    def log(self) -> str:
        """All it has printed."""
        try:
            return self.settings.log_file.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def mishaps(self) -> list[str]:
        """What it has printed since the last call that tells of a mistake of its own."""
        log = self.log()
        ends = len(log) if self._log_ends is None else self._log_ends
        found = self._unseen + [
            line
            for text, mishap in (
                (log[self._log_seen : ends], MISHAP),
                (log[max(ends, self._log_seen) :], MISHAP_AT_THE_END),
            )
            for line in text.splitlines()
            if mishap.search(line)
        ]
        self._log_seen = len(log)
        self._unseen = []
        return found

    def _status_kb(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
        assert found, f"no {name} in {status}"
        return int(found[1])

    def peak_rss_kb(self) -> int:
        """The most memory it ever had, in KB."""
        return self._status_kb("VmHWM")

    def rss_kb(self) -> int:
        """The memory it has now, in KB."""
        return self._status_kb("VmRSS")

    def reset_peak_rss(self) -> None:
        """Let `peak_rss_kb()` count from now on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def open_fds(self) -> int:
        """How many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def open_files(self, root: Path) -> list[str]:
        """The files below a folder that it has open, but for what tells others that it uses the tree."""
        found = []
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # Closed meanwhile.
                found.append(str(link.readlink()))
        here = f"{root}/.cachy/locks/here"
        return [n for n in found if n.startswith(f"{root}/") and not n.startswith(here)]

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
