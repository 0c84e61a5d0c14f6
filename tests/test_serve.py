"""`cachy serve` and the launcher: a proxy that listens, or one line that says why not."""

import re
import signal
import socket
from pathlib import Path

import pytest

from cachy.cli.launch import LaunchError, launch
from support.client import fetch
from support.command import Cachy
from support.origin import Origin


class Served:
    """What `fetch` needs."""

    host = "127.0.0.1"

    def __init__(self, port: int, ca_pem: Path) -> None:
        self.port = port
        self.ca_pem = ca_pem
        self.url = f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serve(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, how: signal.Signals
) -> None:
    """It tells where it listens and what to do next, then nothing; it ends in good order."""
    world = how == signal.SIGTERM
    address = ["--host", "0.0.0.0"] if world else []
    own = ["--port", "0", "--dir", str(tmp_path), *address]
    with command.start("serve", *own, "--", *command.arguments) as process:
        assert process.stdout and process.stderr
        lines = [process.stdout.readline() for _ in range(7)]
        found = re.search(r"listens on http://127\.0\.0\.1:(\d+)$", lines[0])
        assert found, lines
        proxy = Served(int(found[1]), command.confdir / "mitmproxy-ca-cert.pem")
        told = "".join(lines)
        assert f'eval "$(cachy env --proxy {proxy.url})"' in told
        assert f"{tmp_path}\n" in told and f"{proxy.ca_pem}\n" in told
        origin.route(f"https://{host}/a", b"1")
        assert fetch(proxy, f"https://{host}/a").body == b"1"
        process.send_signal(how)
        # Not `communicate`, which loses what has been read ahead of the lines.
        out, err = process.stdout.read(), process.stderr.read()
        assert process.wait(timeout=10) == 0
    assert ("other machines" in out) == world
    assert (f"listens to the world (port {proxy.port} of 0.0.0.0)" in err) == world
    assert (tmp_path / host / "a").read_bytes() == b"1"


def test_port_is_taken(command: Cachy, tmp_path: Path) -> None:
    """It says so, and how to mend it."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = str(sock.getsockname()[1])
        done = command.run("serve", "--dir", tmp_path, "--port", port)
    assert done.status == 3
    assert done.output == (
        f"Error: the proxy did not start: port {port} is taken; name another by --port\n"
    )


def test_launch_fails(tmp_path: Path) -> None:
    """mitmdump's own words, in one line."""
    arguments = ["--bogus"]
    with pytest.raises(LaunchError, match="unrecognized arguments: --bogus") as caught:
        launch(log=tmp_path / "log", directory=tmp_path / "tree", extra_args=arguments)
    assert "\n" not in str(caught.value)


def test_launch_ends(command: Cachy, tmp_path: Path) -> None:
    """With the block; what it prints is for its owner alone."""
    arguments = ["--set", f"confdir={command.confdir}"]
    with launch(
        log=tmp_path / "log", directory=tmp_path / "tree", extra_args=arguments
    ) as launched:
        assert launched.ca_pem == command.confdir / "mitmproxy-ca-cert.pem"
        socket.create_connection(("127.0.0.1", launched.port)).close()
    assert launched.process.returncode == 0
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
