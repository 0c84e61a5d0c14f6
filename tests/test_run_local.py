"""Under `cachy run`, servers on this machine are asked directly, by whatever name or address."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cachy.cli import local
from cachy.cli.environment import prepare
from cachy.cli.through import Proxy as Where
from cachy.no_proxy import is_direct
from clients.run import need
from support.ca import CA
from support.command import Cachy
from support.proxy import Proxy

HOSTNAME = socket.gethostname()
#: What every client reads.
PLAIN = ["localhost", "127.0.0.1", "127.0.0.2", "127.0.1.1", "0.0.0.0", HOSTNAME]


class Server(http.server.ThreadingHTTPServer):
    """Answers each request with a number of its own, which may be cached for a day."""

    address_family = socket.AF_INET6

    def __init__(self) -> None:
        super().__init__(("::", 0), Handler)
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def server_bind(self) -> None:
        """On all addresses."""
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class Handler(http.server.BaseHTTPRequestHandler):
    """See `Server`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answers."""
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path)
        body = json.dumps({"number": len(self.server.asked)}).encode()
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=86400")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server on all addresses of this machine."""
    with Server() as server:
        yield server
        server.shutdown()


def urllib(url: str) -> list[str]:
    """The command of Python's own client."""
    return [sys.executable, "-c", f"import urllib.request as u; u.urlopen('{url}').read()"]


def pip(url: str) -> list[str]:
    """pip, which finds no package there, but asks."""
    words = "pip download -q --disable-pip-version-check --retries 0 --no-deps --no-input"
    host = url.split("/")[2]
    return [sys.executable, "-m", *words.split(), "--trusted-host", host, "-i", url, "none"]


CLIENTS: dict[str, Callable[[str], list[str]]] = {
    "curl": lambda url: ["curl", "-fsS", url],
    "wget": lambda url: ["wget", "-qO-", url],
    "urllib": urllib,
    "pip": pip,
    "git": lambda url: ["git", "ls-remote", url],
    "npm": lambda url: ["npm", "view", "--registry", url, "none"],
}
#: What some read, too.
MORE = {
    # As of 7.86 it knows networks.
    "curl": ["127.9.9.9", "[::1]", "[::]", "a.localhost", HOSTNAME.upper(), "127.1"],
    "git": ["127.9.9.9", "[::1]"],
    "pip": ["127.9.9.9"],
    "wget": ["[::1]"],
    "urllib": [HOSTNAME.upper()],
    "npm": [HOSTNAME.upper()],
}


@pytest.mark.parametrize("client", CLIENTS)
def test_asked_directly(command: Cachy, server: Server, tmp_path: Path, client: str) -> None:
    """The proxy hears of none of it; neither its report nor its tree has anything."""
    if client in ("curl", "wget", "git", "npm"):
        need(client)
    port = server.server_address[1]
    hosts = PLAIN + MORE[client] + local.addresses()[:1]
    calls = []
    for number, host in enumerate(hosts):
        words = CLIENTS[client](f"http://{host}:{port}/{client}/{number}")
        calls.append(f"subprocess.run({words!r})")
    script = "import subprocess\n" + "\n".join(calls)
    own: list[str | Path] = ["--dir", tmp_path / "tree", "--report", tmp_path / "r.json"]
    done = command.run(
        *("run", "-q", *own, *command.settings, "--", sys.executable, "-c", script),
        env={"npm_config_update_notifier": "false", "npm_config_fetch_retries": "0"},
    ).ok()
    asked = {path.split("/")[2] for path in server.asked if path.startswith(f"/{client}/")}
    assert asked == {str(number) for number in range(len(hosts))}, done.output
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["requests"], report["misses"]) == (0, [])


def test_by_way_of_the_proxy_all_the_same(command: Cachy, server: Server, tmp_path: Path) -> None:
    """A client that hears no NO_PROXY gets new answers too, and the report says why."""
    need("curl")
    url = f"http://127.0.0.2:{server.server_address[1]}/stubborn"
    curl = f'curl -fsS --noproxy "" -x "$http_proxy" {url}'
    own: list[str | Path] = ["--dir", tmp_path / "tree", "--report", tmp_path / "r.json"]
    # Without the tests' name service, which leads addresses elsewhere.
    own += command.settings[2:]
    done = command.run("run", *own, "--", "sh", "-c", f"{curl}; {curl}").ok()
    first, second = done.output.split("}")[:2]
    assert first != second
    (miss,) = json.loads((tmp_path / "r.json").read_text())["misses"]
    assert (miss["url"], miss["reason"], miss["count"]) == (url, "this-machine", 2)
    assert "is on this machine" in done.output


@pytest.fixture
def environment(tmp_path: Path, ca: CA) -> dict[str, str]:
    """What a command gets."""
    environ = {"PATH": "/nonexistent", "HOME": str(tmp_path)}
    return prepare(tmp_path / "files", Where("127.0.0.1", 1), ca.pem.read_text(), environ).set


def test_words(environment: dict[str, str]) -> None:
    """All ways to name this machine; Java's own are in Java's words."""
    for host in [*PLAIN, "127.9.9.9", "::1", "::", "a.localhost", *local.addresses()]:
        assert is_direct(environment["NO_PROXY"], host, 80), host
    for host in ("cachy.internal", "a.example", "10.11.12.13", "128.0.0.1"):
        assert not is_direct(environment["NO_PROXY"], host, 80), host
    assert "[" not in environment["NO_PROXY"]


def test_a_machine_that_is_called_like_a_suffix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name stays out: it would have everything below it asked directly."""
    names = ["dev", "internal", "lan", "github.io", "build7", "build.corp.internal", "a.dev"]
    monkeypatch.setattr(local, "this_machine", lambda: (names, []))
    assert local.names() == ["build7", "build.corp.internal", "a.dev"]


def test_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hosts file against advertisers doesn't fill the environment."""
    names = [f"n{number}.example" for number in range(5000)]
    addresses = ["127.0.0.1", "::1", "fe80::1", "192.0.2.5", "2001:db8::5"]
    monkeypatch.setattr(local, "this_machine", lambda: (["build7", *names], addresses))
    assert local.names()[:2] == ["build7", "n0.example"]
    assert len(",".join(local.words())) < 2000
    assert local.addresses() == ["192.0.2.5", "2001:db8::5"]


def test_java(tmp_path: Path, ca: CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one asks directly what is this machine's, and else the proxy."""
    need("java", "keytool")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    before = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    where = Where("proxy.example", 3128)
    made = prepare(
        tmp_path / "files", where, ca.pem.read_text(), before, direct="10.0.0.0/8,.in.example"
    )
    program = tmp_path / "Ask.java"
    program.write_text("""
        import java.net.*;
        class Ask {
            public static void main(String[] hosts) {
                for (String host : hosts)
                    System.out.println(host + " " + ProxySelector.getDefault().select(
                        URI.create("http://" + host + "/")).get(0).type());
            }
        }""")
    own = [*PLAIN, "127.9.9.9", "[::1]", "a.localhost", "10.1.2.3", "x.in.example"]
    own += local.addresses()[:1]
    others = ["a.example", "11.1.2.3", f"{HOSTNAME}.example", "in.example"]
    done = subprocess.run(
        ["java", str(program), *own, *others],
        env=made.apply(before),
        check=True,
        capture_output=True,
        text=True,
    )
    said = dict(line.split(" ") for line in done.stdout.splitlines())
    assert said == dict.fromkeys(own, "DIRECT") | dict.fromkeys(others, "HTTP")


@pytest.mark.parametrize(
    ("settings", "set_to"),
    [("timeout = 9", "none"), ("proxy = http://hostile:1", "http://127.0.0.1:")],
)
def test_pip_proxy(
    command: Cachy, open_proxy: Proxy, tmp_path: Path, settings: str, set_to: str
) -> None:
    """pip's own variable, which wins over NO_PROXY, is set only against the user's settings."""
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip/pip.conf").write_text(f"[global]\n{settings}\n")
    done = command.run(
        *("run", "-q", "--proxy", open_proxy.url, "--", "sh", "-c", "echo ${PIP_PROXY-none}"),
        env={"HOME": str(tmp_path), "PIP_PROXY": "http://hostile:1"},
    ).ok()
    assert done.output.startswith(set_to)
