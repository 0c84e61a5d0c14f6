"""What to try where the proxy saw nothing of what a command did."""

import json
import socket
from pathlib import Path

import pytest

from cachy.cli.unseen import hint, used
from clients.run import need
from support.command import Cachy
from support.origin import Origin
from support.proxy import Proxy

PAST = "no request reached the proxy. If the command used the network"


def test_used() -> None:
    """Counts connections, whatever becomes of them, and names that are asked for."""
    before = used()
    assert before is not None, "this machine has no /proc/net/snmp"
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    connected = used()
    assert connected is not None and connected > before
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", 9))
    asked = used()
    assert asked is not None and asked > connected


@pytest.mark.parametrize(
    "text", [None, "", "Tcp: A\nTcp: 1\n", "Tcp: ActiveOpens\nTcp: x\n", "a\n"]
)
def test_a_system_that_does_not_tell(tmp_path: Path, text: str | None) -> None:
    """Nothing is known then, and nothing is claimed."""
    file = tmp_path / "snmp"
    if text is not None:
        file.write_text(text)
    assert used(file) is None
    said = hint(None, None, transparent=False, offline=False)
    assert said is not None and said.startswith(f"{PAST}: ")


def test_hint() -> None:
    """Where the network was used; what helps depends on how it ran."""
    assert hint(3, 3, transparent=False, offline=False) is None
    by_variables = hint(3, 4, transparent=False, offline=False) or ""
    assert by_variables.startswith(f"{PAST}: ")
    assert "try --transparent" in by_variables and "--no-cache-dir" in by_variables
    assert "--offline" not in by_variables
    transparent = hint(3, 4, transparent=True, offline=False) or ""
    assert "80 and 443" in transparent and "try --transparent" not in transparent
    assert "--offline holds only for" in (hint(3, 4, transparent=False, offline=True) or "")
    assert "NO_PROXY" not in by_variables
    spared = hint(3, 4, transparent=False, offline=False, spared="vm,.example.org") or ""
    assert "hosts of NO_PROXY (vm,.example.org) are asked past the proxy" in spared


@pytest.mark.parametrize("offline", [False, True])
def test_past_the_proxy(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, offline: bool
) -> None:
    """A client that goes its own way: on standard error and in both reports."""
    need("curl")
    origin.route(f"http://{host}/a", b"1")
    here = f"{host}:80:127.0.0.1:{origin.http_port}"
    own: list[str | Path] = ["--dir", tmp_path / "tree", *command.settings]
    own += ["--offline"] if offline else []
    curl = ["curl", "-sS", "--noproxy", "*", "--connect-to", here, f"http://{host}/a"]
    for name in ("r.json", "r.md"):
        done = command.run("run", *own, "--report", tmp_path / name, "--", *curl).ok()
        assert done.output.startswith("1cachy: 0 requests")
        assert f"\ncachy: {PAST}: " in done.output
        assert ("--offline holds" in done.output) == offline
    assert json.loads((tmp_path / "r.json").read_text())["hint"].startswith(PAST)
    assert f"\n{PAST[0].upper()}{PAST[1:]}: " in (tmp_path / "r.md").read_text()
    quiet = command.run("run", *own, "-q", "--", *curl).ok()
    assert quiet.output == "1"


def test_where_all_is_well(
    command: Cachy, open_proxy: Proxy, origin: Origin, host: str, tmp_path: Path
) -> None:
    """A command whose requests are seen has no need of it."""
    need("curl")
    origin.route(f"https://{host}/a", b"1")
    report = tmp_path / "r.json"
    own = ("run", "--proxy", open_proxy.url, "--report", report, "--")
    done = command.run(*own, "curl", "-sS", f"https://{host}/a").ok()
    assert "no request" not in done.output
    assert "hint" not in json.loads(report.read_text())
