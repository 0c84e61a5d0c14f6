"""What the proxy answers for itself under cachy_host, and that none of it reaches another host."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.home import LOOKUPS, NAME, ask, ask_json, bearer, token, token_file
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.tree import wait_until

HTTP = f"http://{NAME}"
HTTPS = f"https://{NAME}"


@pytest.fixture(scope="module")
def home(start_shared_proxy: ProxyFactory, tmp_path_factory: pytest.TempPathFactory) -> Proxy:
    """A proxy that tells of every name that is looked up."""
    script = tmp_path_factory.mktemp("script") / "lookups.py"
    script.write_text(LOOKUPS)
    return start_shared_proxy(args=["-s", str(script)])


@pytest.fixture(scope="module")
def stubborn(start_shared_proxy: ProxyFactory, home: Proxy) -> dict[str, Proxy]:
    """Proxies whose settings might lead astray."""
    eager: dict[str, str | bool] = {"connection_strategy": "eager", "upstream_cert": True}
    return {
        "normal": home,
        "off": start_shared_proxy(options={**eager, "cachy_mode": "off"}, args=home.settings.args),
        "offline": start_shared_proxy(options={"cachy_mode": "offline"}, args=home.settings.args),
    }


@pytest.fixture(autouse=True)
def nowhere(home: Proxy, origin: Origin) -> Iterator[None]:
    """Nothing in a test but what it says itself reaches anybody."""
    before = home.log().count("LOOKUP")
    yield
    names = home.log().split("LOOKUP")[before + 1 :]
    assert [name for name in names if NAME in name.lower()] == []
    assert [request for request in origin.requests if NAME in (request.header("host") or "")] == []


@pytest.mark.parametrize("mode", ["normal", "off", "offline"])
def test_nothing_reaches_another_host(
    stubborn: dict[str, Proxy], origin: Origin, network: Network, mode: str
) -> None:
    """Whatever the method, the path, the protocol and the mode."""
    proxy = stubborn[mode]
    log = len(proxy.log())
    for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "TRACE", "FOO"):
        for path in ("/", "/nothing", "/cache/https://h.example/a", "/%2e%2e/x?y"):
            reply = fetch(proxy, HTTP + path, method, body=b"x" if method == "POST" else None)
            assert reply.status in (200, 401, 404, 405), (method, path, reply)
    with Connection(proxy, HTTPS) as client:
        assert [client.fetch(f"{HTTPS}{path}").status for path in ("/", "/x")] == [200, 404]
    with H2Client(proxy, HTTPS) as h2:
        assert h2.fetch(f"{HTTPS}/stats").status == 200
        assert h2.fetch(f"{HTTPS}/x", "POST", body=b"x" * 100).status == 404
    for spelt in ("http://CACHY.internal./", "http://cachy.internal:80/"):
        assert fetch(proxy, spelt).status == 200
    for spelt in ("http://cachy.internal:8080/", "https://cachy.internal:8443/"):
        assert fetch(proxy, spelt).status == 421
    assert (origin.accepted, "LOOKUP" in proxy.log()[log:]) == (0, False)
    assert "server connect " not in proxy.log()[log:]


@pytest.mark.parametrize("mode", ["normal", "off"])
def test_a_tunnel_for_anything_else_leads_nowhere(
    stubborn: dict[str, Proxy], origin: Origin, mode: str
) -> None:
    """Neither for bytes that aren't HTTP, nor for a client that waits for the server to speak."""
    proxy = stubborn[mode]
    log = len(proxy.log())
    for first in (b"SSH-2.0-x\r\n", b""):
        with socket.create_connection((proxy.host, proxy.port), 10) as client:
            client.sendall(b"CONNECT cachy.internal:22 HTTP/1.1\r\nHost: cachy.internal:22\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            if first:
                client.sendall(first)
                assert client.recv(1000) == b""
            else:
                client.settimeout(0.6)
                with pytest.raises(TimeoutError):
                    client.recv(1)
    assert (origin.accepted, "LOOKUP" in proxy.log()[log:]) == (0, False)


def test_straight_to_the_port(home: Proxy) -> None:
    """In origin-form, as a health check asks."""
    command = ["curl", "-sS", "-H", f"Host: {NAME}", f"{home.url}/status"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert b'"name": "cachy"' in done.stdout


def test_what_there_is(home: Proxy) -> None:
    """The welcome names all of it; the status tells whether it is cachy and can write."""
    welcome = ask(home, "/")
    assert (welcome.status, welcome.cache_status) == (200, "cachy")
    assert welcome.header("cache-control") == "no-store"
    for word in ("cachy_mode=normal", "/ca.pem", "/setup.sh", "/status", "/stats", "/cache/URL"):
        assert word in welcome.body.decode()
    status = ask_json(home, "/status")
    directory = str(home.settings.options["cachy_dir"])
    assert status["directory"] == directory
    assert (status["name"], status["mode"], status["host"]) == ("cachy", "normal", NAME)
    assert (status["exists"], status["writable"]) == (True, True)
    nothing = ask(home, "/nothing")
    assert nothing.status == 404
    assert b"/ca.pem" in nothing.body
    head = ask(home, "/", "HEAD")
    assert (head.body, head.header("content-length")) == (b"", str(len(welcome.body)))


def test_wrong_methods(home: Proxy) -> None:
    """405, with what is allowed."""
    for path, allow in (("/", "GET, HEAD"), ("/cache/https://h/a", "GET, HEAD, PUT, DELETE")):
        reply = ask(home, path, "POST")
        assert (reply.status, reply.header("allow")) == (405, allow)


def test_the_ca(home: Proxy) -> None:
    """The certificate, never the key beside it, and a script with it."""
    reply = ask(home, "/ca.pem")
    assert reply.body == home.ca_pem.read_bytes()
    assert b"CERTIFICATE" in reply.body and b"KEY" not in reply.body
    script = ask(home, "/setup.sh")
    assert script.body.startswith(b"#!/bin/sh\n")
    assert reply.body in script.body
    assert b"@CA@" not in script.body and b"@HOST@" not in script.body
    assert b"PRIVATE" not in script.body
    subprocess.run(["sh", "-n"], input=script.body, check=True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://{NAME}:8080"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Referer": "https://evil.example/cachy.internal"},
    ],
    ids=str,
)
def test_pages_of_other_sites(home: Proxy, headers: dict[str, str]) -> None:
    """Refused, also with the token."""
    for path, method in (("/", "GET"), ("/cache/https://h.example/page", "PUT")):
        assert ask(home, path, method, headers | bearer(home)).status == 403
    assert not (token_file(home).parents[1] / "h.example/page").exists()
    own = {"Origin": HTTP, "Sec-Fetch-Site": "same-origin", "Referer": f"{HTTP}/x"}
    assert ask(home, "/", headers=own).status == 200


def test_rebound_names(home: Proxy, origin: Origin, host: str) -> None:
    """A request that also names another host is nobody's."""
    for url, fields in (
        (f"{HTTP}/status", [("Host", host)]),
        (f"{HTTP}/status", [("Host", NAME), ("Host", host)]),
        (f"http://{host}/status", [("Host", NAME)]),
    ):
        assert fetch(home, url, headers=fields).status == 403, (url, fields)
    with Connection(home, f"https://{host}/status") as client:
        assert client.fetch(headers={"Host": NAME}).status == 403
    assert origin.requests == []


def test_the_token(start_proxy: ProxyFactory, cachy_dir: Path) -> None:
    """Made once, for its owner's eyes, in no log; read anew when it changes."""
    proxy = start_proxy(options={"flow_detail": 4})
    found = cachy_dir / ".cachy/token"
    first = token(proxy)
    assert (len(bytes.fromhex(first)), found.stat().st_mode & 0o777) == (32, 0o600)
    url = "/cache/https://h.example/a"
    missing = ask(proxy, url)
    assert (missing.status, str(found) in missing.body.decode()) == (401, True)
    assert missing.header("www-authenticate") == 'Bearer realm="cachy", Basic realm="cachy"'
    assert ask(proxy, url, headers=bearer(proxy)).status == 404
    for wrong in ("", "x" * 64, first[:-1], first + "0", first.upper() + "\n"):
        assert ask(proxy, url, headers={"Authorization": f"Bearer {wrong.strip()}"}).status == 401
    old = bearer(proxy)
    found.write_text("f" * 64)
    assert ask(proxy, url, headers=old).status == 401
    assert ask(proxy, url, headers=bearer(proxy)).status == 404
    proxy.stop()
    proxy.start()
    assert token(proxy) == "f" * 64
    found.unlink()
    assert ask(proxy, url, headers={"Authorization": "Bearer "}).status == 401
    assert token(proxy) not in (first, "f" * 64)
    assert ask(proxy, url, headers=bearer(proxy)).status == 404
    assert first not in proxy.log() and "f" * 64 not in proxy.log()


def test_a_token_that_is_none(start_proxy: ProxyFactory, cachy_dir: Path) -> None:
    """Too short, or open to others: mended at the start and when somebody asks, and said."""
    found = cachy_dir / ".cachy/token"
    found.parent.mkdir(parents=True)
    found.write_text("sh0rt")
    proxy = start_proxy()
    first = token(proxy)
    assert (len(bytes.fromhex(first)), found.stat().st_mode & 0o777) == (32, 0o600)
    found.write_text("\n")
    found.chmod(0o644)
    assert ask(proxy, "/cache/https://h.example/a").status == 401
    second = token(proxy)
    assert (len(bytes.fromhex(second)), found.stat().st_mode & 0o777) == (32, 0o600)
    found.chmod(0o640)
    proxy.stop()
    proxy.start()
    assert (token(proxy), found.stat().st_mode & 0o777) == (second, 0o600)
    log = proxy.log()
    assert (log.count("shorter than 16 bytes"), log.count("was open to others (mode 640)")) == (
        2,
        1,
    )
    assert not any(text in log for text in ("sh0rt", first, second))


def test_the_tree_is_gone(start_proxy: ProxyFactory, tmp_path: Path) -> None:
    """Who asks for the token finds one; the command in the answer works whatever the folder is."""
    folder = tmp_path / "it's $HOME (1)"
    proxy = start_proxy(cachy_dir=folder)
    first = token(proxy)
    shutil.rmtree(folder)
    assert ask_json(proxy, "/stats")["requests"] == 0
    assert not folder.exists()
    said = ask(proxy, "/cache/https://h.example/a", headers={"Authorization": f"Bearer {first}"})
    assert said.status == 401
    assert token(proxy) != first
    assert (folder / ".cachy/format").exists()
    command = said.body.decode().partition('":$(')[2].partition(')" ...')[0]
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == token(proxy)
    assert ask(proxy, "/cache/https://h.example/a", headers=bearer(proxy)).status == 404


def test_the_folder_is_told_whole(start_proxy: ProxyFactory, cachy_dir: Path) -> None:
    """Also where it was set by a relative name."""
    proxy = start_proxy(start=False)
    assert isinstance(proxy.settings.options, dict)
    relative = os.path.relpath(cachy_dir, proxy.settings.log_file.parent)
    proxy.settings.options["cachy_dir"] = relative
    proxy.start()
    told = Path(ask_json(proxy, "/status")["directory"])
    assert told.is_absolute() and told.samefile(cachy_dir)
    assert f"  {told}/.cachy/token\n" in ask(proxy, "/cache/https://h.example/a").body.decode()


def test_another_name(start_proxy: ProxyFactory, origin: Origin) -> None:
    """The option names the host; then the default is a host like others."""
    proxy = start_proxy(options={"cachy_host": "Build.Example"})
    assert fetch(proxy, "http://build.example/status").status == 200
    assert fetch(proxy, "https://build.example/status").status == 200
    assert origin.accepted == 0


def test_statistics_are_written_down(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """At the end, and added up over processes."""
    origin.route(f"https://{host}/a.zip", b"12345")
    proxy = start_proxy()
    fetch(proxy, f"https://{host}/a.zip")
    proxy.stop()
    proxy.start()
    assert [fetch(proxy, f"https://{host}/a.zip").cache_status for _ in "12"] == ["cachy; hit"] * 2
    stats = ask_json(proxy, "/stats")
    assert (stats["requests"], stats["hits"], stats["bytes"]["tree"]) == (2, 2, 10)
    proxy.stop()
    file = cachy_dir / ".cachy/stats.json"
    text = wait_until(file.read_text)
    assert '"requests":3,"hits":2,"bytes":{"tree":10,"upstream":5}' in text
    proxy.start()
    fetch(proxy, f"https://{host}/a.zip")
    shutil.rmtree(cachy_dir)
    proxy.stop()
    assert not cachy_dir.exists(), "a folder that was removed isn't made again for this"
