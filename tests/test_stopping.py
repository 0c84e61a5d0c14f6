"""A signal stops a command at once and in order, and nothing of it is left."""

import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.command import Cachy
from support.listener import Listener
from support.message import Request
from support.origin import Origin
from support.reply import Reply
from support.tree import temporary, wait_until
from support.trouble import says_nothing

STOPPING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
#: Seconds; what it waits for would take 30 and more.
AT_ONCE = 10


class Started:
    """A command with its own folder for temporary files, which also marks its processes."""

    def __init__(self, command: Cachy, folder: Path, *words: str | Path, **more: str) -> None:
        self.place = folder / "temporary"
        self.place.mkdir()
        env = command.env | {"TMPDIR": str(self.place)} | more
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = command.start(*words, env=env, **pipes)

    def others(self) -> list[int]:
        """The living processes that it has started."""
        return [pid for pid in processes(f"TMPDIR={self.place}") if pid != self.process.pid]

    def stop(self, number: signal.Signals) -> str:
        """Sends a signal and returns what is printed then. The command ends at once."""
        before = time.monotonic()
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        assert time.monotonic() - before < AT_ONCE
        assert self.process.returncode == 128 + number
        return str(said)

    def assert_nothing_is_left(self) -> None:
        """Neither processes nor files."""
        wait_until(lambda: not self.others(), what="the end of all processes")
        assert list(self.place.iterdir()) == []


def processes(variable: str) -> list[int]:
    """All that live and have a variable in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue  # Another user's, or gone.
    return found


def hanging(origin: Origin, host: str) -> str:
    """A URL of something large, of which the end never comes."""
    gate = origin.gate()

    async def half(_: Request, reply: Reply) -> None:
        await reply.head(length=100_000_000)
        await reply.send(b"x" * 3_000_000)
        await gate.passed()

    origin.handle(host, "/large-1.0.zip", half)
    return f"https://{host}/large-1.0.zip"


@pytest.mark.parametrize("number", STOPPING)
def test_fetch(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, number: signal.Signals
) -> None:
    """In the middle of a large file: what was whole before is in the tree, and nothing of this."""
    small, large, tree = f"https://{host}/a-1.0.zip", hanging(origin, host), tmp_path / "tree"
    origin.route(small, b"PK\3\4")
    own = ["--dir", str(tree), *command.settings]
    started = Started(command, tmp_path, "fetch", *own, large, small)
    wait_until(lambda: (tree / host / "a-1.0.zip").exists() and temporary(tree), 20)
    assert started.others()
    assert started.stop(number) == (
        f"cachy: stopped by {number.name}; 1 of 2 were fetched before\n"
    )
    started.assert_nothing_is_left()
    assert [path.name for path in (tree / host).iterdir()] == ["a-1.0.zip"]


@pytest.mark.parametrize("number", STOPPING)
def test_fetch_by_a_proxy_that_hangs(
    command: Cachy, tmp_path: Path, number: signal.Signals
) -> None:
    """One that says nothing at all."""
    with Listener(says_nothing) as listener:
        url = f"http://127.0.0.1:{listener.port}"
        started = Started(command, tmp_path, "fetch", "--proxy", url, "https://h.example/")
        wait_until(lambda: listener.accepted, 20)
        assert started.stop(number) == f"cachy: stopped by {number.name}\n"
        started.assert_nothing_is_left()


def test_fetch_killed(command: Cachy, origin: Origin, host: str, tmp_path: Path) -> None:
    """Even `kill -9` leaves neither a proxy nor a file."""
    own = ["--dir", str(tmp_path / "tree"), *command.settings]
    started = Started(command, tmp_path, "fetch", *own, url := hanging(origin, host))
    wait_until(lambda: origin.count(url), 20)
    started.process.kill()
    started.process.communicate()
    started.assert_nothing_is_left()


def test_fetch_that_ignores_a_signal(
    command: Cachy, origin: Origin, host: str, tmp_path: Path
) -> None:
    """Under `nohup` it goes on."""
    gate, url = origin.gate(), f"https://{host}/a-1.0.zip"

    async def late(_: Request, reply: Reply) -> None:
        await gate.passed()
        await reply.head(length=4)
        await reply.send(b"PK\3\4")
        await reply.end()

    origin.handle(host, "/a-1.0.zip", late)
    own = ["--dir", str(tmp_path / "tree"), *command.settings]
    words = ["nohup", *command.words("fetch", *own, url)]
    with subprocess.Popen(
        words, env=command.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        wait_until(lambda: origin.count(url), 20)
        process.send_signal(signal.SIGHUP)
        gate.open()
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said.endswith(b"cachy: 1 fetched, 4 B\n")) == (0, True), said


@pytest.mark.parametrize("name", ["fetch", "run"])
def test_at_a_terminal_that_goes(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, name: str
) -> None:
    """What it would print there has nowhere to go, which hinders nothing."""
    place = tmp_path / "temporary"
    place.mkdir()
    url = hanging(origin, host)
    own = [name, "--dir", str(tmp_path / "tree"), *command.settings]
    what = [url] if name == "fetch" else ["--", "curl", "-o", os.devnull, url]
    words = command.words(*own, *what)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(words[0], words, command.env | {"TMPDIR": str(place)})
    wait_until(lambda: origin.count(url), 20)
    assert len(processes(f"TMPDIR={place}")) == (2 if name == "fetch" else 3)
    os.close(terminal)
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert ended == 128 + signal.SIGHUP
    wait_until(lambda: not processes(f"TMPDIR={place}"), what="the end of all processes")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("number", STOPPING)
def test_doctor(command: Cachy, open_proxy: object, tmp_path: Path, number: signal.Signals) -> None:
    """While a client that it has started hangs, and what that one has started, too."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "curl").write_text("#!/bin/sh\ntrap '' TERM INT HUP\nsleep 60 & sleep 60\n")
    (tools / "curl").chmod(0o755)
    path = f"{tools}:{command.env['PATH']}"
    url = open_proxy.url  # type: ignore[attr-defined]
    started = Started(command, tmp_path, "doctor", "--proxy", url, PATH=path)
    wait_until(lambda: len(started.others()) >= 3, 20, "the client's start")
    assert started.stop(number) == f"cachy: stopped by {number.name}\n"
    started.assert_nothing_is_left()


@pytest.mark.parametrize("number", STOPPING)
def test_run_before_the_command(command: Cachy, tmp_path: Path, number: signal.Signals) -> None:
    """It waits for a proxy that says nothing; the command is not run."""
    with Listener(says_nothing) as listener:
        url = f"http://127.0.0.1:{listener.port}"
        words = ["run", "--proxy", url, "--", "touch", str(tmp_path / "made")]
        started = Started(command, tmp_path, *words)
        wait_until(lambda: listener.accepted, 20)
        assert started.stop(number) == f"cachy: stopped by {number.name}\n"
        started.assert_nothing_is_left()
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("number", STOPPING)
def test_run(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, number: signal.Signals
) -> None:
    """The signal goes to the command. When that has ended, everything else has."""
    url = hanging(origin, host)
    own = ["run", "-q", "--dir", str(tmp_path / "tree"), *command.settings, "--"]
    started = Started(command, tmp_path, *own, "curl", "-sS", "-o", str(tmp_path / "got"), url)
    wait_until(lambda: (tmp_path / "got").exists(), 20)
    assert started.stop(number) == ""
    started.assert_nothing_is_left()


def test_impatient(command: Cachy, origin: Origin, host: str, tmp_path: Path) -> None:
    """Those who press ^C again and again don't stop it from cleaning up."""
    own = ["--dir", str(tmp_path / "tree"), *command.settings]
    started = Started(command, tmp_path, "fetch", *own, url := hanging(origin, host))
    wait_until(lambda: origin.count(url), 20)
    for _ in range(20):
        started.process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert "stopped by SIGINT" in started.stop(signal.SIGINT)
    started.assert_nothing_is_left()
