"""SIGHUP: what `config.yaml` says now is in force, and nothing ends; the end of the terminal does end it."""

import os
import pty
import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.command import Cachy
from support.gated import in_two
from support.home import ask_json
from support.origin import Origin
from support.pattern import Pattern
from support.served import Served
from support.tree import wait_until

MB = 1 << 20
COUNTS = pytest.mark.parametrize("count", ["1", "2"])


@pytest.fixture
def config_folder(command: Cachy, tmp_path: Path) -> Path:
    """mitmproxy's folder for this test, with the session's CA."""
    folder = tmp_path / "confdir"
    folder.mkdir()
    for each in command.confdir.glob("mitmproxy-*"):
        shutil.copy(each, folder)
    return folder


def serve(command: Cachy, tmp_path: Path, config_folder: Path, count: str) -> Served:
    """A proxy that reads that folder."""
    own = Cachy(command.home, command.network, config_folder, command.upstream_ca)
    return Served(own, tmp_path / "tree", ["--workers", count])


def hang_up(served: Served, count: str, text: str) -> str:
    """Sends SIGHUP, and waits for what it says."""
    served.process.send_signal(signal.SIGHUP)
    return served.wait_for_line(text, log=count == "1")


@COUNTS
def test_other_options(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, config_folder: Path, count: str
) -> None:
    """They are in force at once; a file that is wrong changes nothing."""
    url = f"https://{host}/a"
    origin.route(url, b"body")
    config = config_folder / "config.yaml"
    with serve(command, tmp_path, config_folder, count) as served:
        assert fetch(served, url).status == 200
        config.write_text("cachy_mode: offline\n")
        hang_up(served, count, " reloaded")
        assert {fetch(served, f"{url}{n}").status for n in range(4)} == {403}
        for wrong in (
            "cachy_mode: sideways\n",
            "cachy_mode: [",
            "cachy_no_such: 1\n",
            "- a\n",
            "anticache: 7\n",
        ):
            config.write_text(wrong)
            hang_up(served, count, "not reloaded")
            assert {fetch(served, f"{url}{n}").status for n in range(4)} == {403}
        # As without the file.
        config.unlink()
        hang_up(served, count, " reloaded")
        origin.route(f"{url}1", b"1")
        assert {fetch(served, f"{url}1").body for _ in range(4)} == {b"1"}


def test_the_command_line_overrides_the_file(
    command: Cachy, tmp_path: Path, config_folder: Path
) -> None:
    """As at the start: an option with a name of its own is not the file's to change."""
    (config_folder / "config.yaml").write_text("listen_port: 1\nshowhost: true\n")
    with serve(command, tmp_path, config_folder, "1") as served:
        (config_folder / "config.yaml").write_text("listen_port: 2\nshowhost: false\n")
        line = hang_up(served, "1", " reloaded")
        assert "changed: showhost" in line


def test_workers_are_replaced(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, config_folder: Path
) -> None:
    """One by one, by new processes; what the old ones do is finished, and nobody is refused."""
    url, pattern = f"https://{host}/a.bin", Pattern(3 * MB, seed=5)
    handler, go_on = in_two(origin, pattern, MB)
    origin.handle(host, "/a.bin", handler)
    with serve(command, tmp_path, config_folder, "2") as served, Connection(served, url) as client:
        client.send_request()
        client.read_head()
        before = served.workers
        hang_up(served, "2", "reloaded: new workers have taken over")
        assert len(served.workers - before) == 2
        # One of the old ones has nothing to do.
        wait_until(lambda: len(served.workers & before) == 1)
        for _ in range(4):
            assert ask_json(served, "/stats")
        go_on()
        assert client.read_to_end() == pattern.slice(0, pattern.size)
        wait_until(lambda: not served.workers & before)
        assert client.wire.sock.recv(1) == b""


class InTerminal:
    """`cachy serve` in the foreground of a terminal of its own.

    Args:
        command: The command line.
        env: Its environment.
        log: What it prints.
    """

    def __init__(self, command: list[str], env: dict[str, str], log: Path) -> None:
        self.log = log
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            out = os.open(log, os.O_WRONLY | os.O_CREAT)
            os.dup2(out, 1)
            os.dup2(out, 2)
            os.execvpe(command[0], command, env)

    def wait_for(self, text: str) -> None:
        """Waits until it has printed a text."""
        wait_until(lambda: self.log.exists() and text in self.log.read_text(), 30, text)

    def end(self) -> int:
        """Waits for its end. Returns its status."""
        return os.waitpid(self.pid, 0)[1]


@COUNTS
@pytest.mark.parametrize("prefix", [[], ["nohup"]], ids=["plain", "nohup"])
def test_the_terminal_goes(command: Cachy, tmp_path: Path, count: str, prefix: list[str]) -> None:
    """SIGHUP from anybody else reloads, in a terminal, too. With its end the proxy ends, but for nohup."""
    own = ["serve", "--port", "0", "--dir", str(tmp_path / "tree"), "--workers", count]
    words = [*prefix, *command.words(*own, "--", *command.arguments)]
    proxy = InTerminal(words, command.env, tmp_path / "log")
    proxy.wait_for("the CA")
    if not prefix:
        os.kill(proxy.pid, signal.SIGHUP)
        proxy.wait_for(" reloaded")
    os.close(proxy.terminal)
    if prefix:
        port = int(proxy.log.read_text().split("listens on http://127.0.0.1:")[1].split()[0])
        time.sleep(1.5)
        socket.create_connection(("127.0.0.1", port)).close()
        os.kill(proxy.pid, signal.SIGTERM)
    assert proxy.end() == 0


def test_it_is_still_starting(command: Cachy, tmp_path: Path) -> None:
    """Nothing ends."""
    own = ["serve", "--port", "0", "--dir", str(tmp_path)]
    with command.start(*own, "--", *command.arguments) as process:
        status = Path(f"/proc/{process.pid}/status")

        def catches() -> bool:
            line = next(x for x in status.read_text().splitlines() if x.startswith("SigCgt"))
            return bool(int(line.split()[1], 16) & 1 << signal.SIGHUP - 1)

        wait_until(catches)
        process.send_signal(signal.SIGHUP)
        assert process.stdout
        assert "listens on" in process.stdout.readline()
        process.terminate()
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, (out, err)


#: A mitmproxy script that keeps the start waiting, once the configuration has been read.
WAIT = """
import time
from pathlib import Path

def load(loader):
    Path({read!r}).touch()
    while not Path({go!r}).exists():
        time.sleep(0.02)
"""


@COUNTS
def test_the_configuration_is_read_already(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, config_folder: Path, count: str
) -> None:
    """What changes while it starts is in force when it has started."""
    read, go, script = (tmp_path / name for name in ("read", "go", "script.py"))
    script.write_text(WAIT.format(read=str(read), go=str(go)))
    url = f"https://{host}/a"
    origin.route(url, b"body")
    served = serve(command, tmp_path, config_folder, count)
    served.arguments += ["-s", str(script)]

    def change() -> None:
        wait_until(read.exists, 30)
        (config_folder / "config.yaml").write_text("cachy_mode: offline\n")
        served.process.send_signal(signal.SIGHUP)
        go.touch()

    changing = threading.Thread(target=change)
    changing.start()
    with served:
        changing.join()
        served.wait_for_line(" reloaded", log=count == "1")
        assert {fetch(served, f"{url}{n}").status for n in range(4)} == {403}
