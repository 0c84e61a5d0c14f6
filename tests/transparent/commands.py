"""`cachy transparent`, in a network of its own."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cachy.cli import cachy, firewall
from cachy.cli.redirect import Redirect
from cachy.cli.terminal import Failure
from support import namespace
from support.command import Cachy


@pytest.fixture(autouse=True)
def interface() -> Iterator[str]:
    """One of 15 letters, with all that is odd in some."""
    namespace.insist()
    name = "br-0a.b_c123456"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    subprocess.run(["ip", "addr", "add", "10.8.0.1/24", "dev", name], check=True)
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    yield name
    subprocess.run(["ip", "link", "del", name], check=True)


def do(*arguments: str) -> Result:
    """One command, in this process."""
    return CliRunner().invoke(cachy, ["transparent", *arguments])


def ruleset() -> str:
    """All rules of this network: those of nft, and what iptables says of its own."""
    commands = [[tool, "-t", "nat", "-S"] for tool in ("iptables", "ip6tables")]
    commands.append(["nft", "list", "ruleset"])
    text = ""
    for command in commands:
        if firewall.found(command[0]):
            text += subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return text


@pytest.fixture(params=list(firewall.FIREWALLS))
def backend(request: pytest.FixtureRequest) -> str:
    """Each."""
    name = str(request.param)
    if not firewall.FIREWALLS[name].available():
        pytest.skip(f"{name} is not installed")
    if name == "iptables":
        # iptables makes its tables when it is first used, whatever for.
        for tool in ("iptables", "ip6tables"):
            for change in ("-A", "-D"):
                rule = [tool, "-t", "nat", change, "PREROUTING", "-j", "ACCEPT"]
                done = subprocess.run(rule, capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    pytest.skip(f"{tool} does not work here: {done.stderr}")
    return name


def test_up_and_down(interface: str, backend: str) -> None:
    """Twice is once, another port takes the first one's place, and nothing is left."""
    before = ruleset()
    options = ["--interface", interface]
    for port in (8081, 8081, 9001):
        done = do("up", *options, "--port", str(port), "--backend", backend)
        assert done.exit_code == 0, done.output
        assert f"{interface}: ports 80 and 443 are led to port {port} ({backend})" in done.output
        once = ruleset()
        # Once for nft; once for each family by iptables, which may be nft's too.
        assert once.count("redirect to") <= 1 and once.count(f"PREROUTING -i {interface}") in (0, 2)
    assert str(9001) in once and "8081" not in once
    done = do("down", *options)
    assert (done.exit_code, done.output) == (0, f"{interface}: removed\n")
    assert ruleset() == before
    done = do("down", *options)
    assert (done.exit_code, done.output) == (0, f"{interface}: nothing was redirected\n")


def test_other_backend(interface: str) -> None:
    """One of them leads, never both."""
    for name in firewall.FIREWALLS:
        if not firewall.FIREWALLS[name].available():
            pytest.skip(f"{name} is not installed")
    for name in ("nft", "iptables", "nft"):
        assert do("up", "-i", interface, "--backend", name).exit_code == 0
        kinds = [k for k in firewall.FIREWALLS.values() if k(interface).port()]
        assert [kind.name for kind in kinds] == [name]
    assert do("down", "-i", interface).exit_code == 0


def test_status(interface: str) -> None:
    """0 where it is redirected and somebody listens where these connections arrive."""
    assert (status := do("status", "-i", interface)).exit_code == 1
    assert "nothing is redirected" in status.output
    with socket.create_server(("10.8.0.1", 0)) as there:
        port = there.getsockname()[1]
        with Redirect(interface, port):
            assert (status := do("status", "-i", interface)).exit_code == 0, status.output
            found = json.loads(do("status", "-i", interface, "--json").stdout)
            assert found == {
                "interface": interface,
                "up": True,
                "backend": "nft",
                "ports": [80, 443],
                "to": port,
                "listening": True,
            }
            there.close()
            # On loopback alone it doesn't count.
            with socket.create_server(("127.0.0.1", port)):
                assert (status := do("status", "-i", interface)).exit_code == 1
                assert "where nobody listens" in status.output
    assert do("status", "-i", interface).exit_code == 1


def test_print(interface: str, backend: str) -> None:
    """What it prints does what `up` does."""
    before = ruleset()
    assert do("up", "-i", interface, "--backend", backend).exit_code == 0
    up = ruleset()
    assert do("down", "-i", interface).exit_code == 0
    rules = do("print", "-i", interface, "--backend", backend).output
    program = {"nft": ["nft", "-f", "-"], "iptables": ["sh"]}[backend]
    subprocess.run(program, input=rules, text=True, check=True)
    assert ruleset() == up
    assert do("down", "-i", interface).exit_code == 0
    assert ruleset() == before


def test_refused(interface: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are none, an interface that isn't there, no tool, no right."""
    before = ruleset()
    for name in (
        "",
        "-x",
        "a b",
        "br0;true",
        "sixteen-letters-",
        "br+",
        "br*",
        "br0\n",
        "a/b",
        "ä",
    ):
        assert do("up", "--interface", name).exit_code == 2
        with pytest.raises(ValueError, match="not an interface's name"):
            Redirect(name)
    done = do("up", "-i", "br77")
    assert (done.exit_code, "no interface br77" in done.output) == (3, True)
    for command in ("up", "down", "status"):
        with monkeypatch.context() as patch:
            patch.setattr("cachy.cli.redirect._CAP_NET_ADMIN", 1 << 62)
            done = do(command, "-i", interface)
            assert (done.exit_code, "only root" in done.output) == (3, True)
    with monkeypatch.context() as patch:
        patch.setattr(firewall, "found", lambda tool: None)
        done = do("up", "-i", interface)
        assert (done.exit_code, "apt-get install nftables" in done.output) == (3, True)
        with pytest.raises(Failure, match="nft is not installed"):
            Redirect(interface, backend="nft").up()
    assert ruleset() == before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serve(interface: str, command: Cachy, tmp_path: Path, how: signal.Signals) -> None:
    """The rules come and go with the proxy, whose other end is loopback's; a reload, and a second one that
    fails, take nothing away.
    """
    before = ruleset()
    own = ["--dir", str(tmp_path), "--transparent", interface, "--transparent-port", "8181"]
    with command.start("serve", "--port", "8180", *own, "--", *command.arguments) as process:
        assert process.stdout and process.stderr
        assert "listens on http://127.0.0.1:8180" in process.stdout.readline()
        assert "port 8181 of" in process.stderr.readline()
        during = ruleset()
        assert during != before and Redirect(interface).state().port == 8181
        second = command.run("serve", "--port", "8182", *own)
        assert second.status == 3 and "port 8181 is taken" in second.output
        elsewhere = command.run("serve", "--port", "8182", *own[:-1], "8183")
        assert elsewhere.status == 3 and "led to port 8181 already" in elsewhere.output
        process.send_signal(signal.SIGHUP)
        assert ruleset() == during
        # Nobody led this one here.
        with socket.create_connection(("10.8.0.1", 8181), timeout=10) as client:
            client.sendall(b"GET /x HTTP/1.1\r\nHost: h.example:8181\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 508 ")
        process.send_signal(how)
        assert process.wait(timeout=10) == 0
    assert ruleset() == before


def test_serve_leaves_what_was_there(interface: str, command: Cachy, tmp_path: Path) -> None:
    """Rules that somebody has made stay."""
    assert do("up", "-i", interface, "-p", "8181").exit_code == 0
    own = ["--dir", str(tmp_path), "--transparent", interface, "--transparent-port", "8181"]
    before = ruleset()
    with command.start("serve", "--port", "8180", *own, "--", *command.arguments) as process:
        assert process.stdout and process.stdout.readline()
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert ruleset() == before
    assert do("down", "-i", interface).exit_code == 0
