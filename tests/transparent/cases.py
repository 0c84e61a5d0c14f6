"""What `test_transparent.py` runs in a network of its own; `conftest.py` says what is where."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from support import namespace
from support.client import fetch
from support.client_h2 import H2Client
from support.dialled import Dialled
from support.factory import ProxyFactory
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.tree import tree, wait_until
from transparent.conftest import ADDRESS, OTHER_ADDRESS

WHEEL = "/w/six-1.16.0-py2.py3-none-any.whl"
STORED = "cachy; fwd=uri-miss; stored"
MISMATCH = "cachy; fwd=bypass; detail=host-mismatch"


def stored(root: Path, host: str) -> list[str]:
    """What lies in the tree for a host and for the other site."""
    return sorted(n for n in tree(root) if host in n.split("/")[0] or ADDRESS in n)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_by_name(
    transparent: Proxy, root: Path, origin: Origin, stranger: Origin, host: str, scheme: str
) -> None:
    """Fetched from what the proxy resolves, not from the address; stored as ever; then a hit."""
    url = f"{scheme}://{host}/a"
    origin.route(url, b"good", headers={"Cache-Control": "max-age=600"})
    dialled = Dialled(transparent, 443 if scheme == "https" else 80, ADDRESS)
    assert stored(root, host) == []
    for status in (STORED, "cachy; hit"):
        reply = dialled.get(url)
        assert (reply.body, reply.cache_status) == (b"good", status)
    assert stored(root, host) == [f"{host}/a"]
    assert stranger.requests == []
    asked = origin.asked(url)
    # What mitmproxy sends as the TLS name is what it verifies the certificate for.
    assert [request.sni for request in asked] == [host if scheme == "https" else None]
    assert asked[0].header("host") == host
    assert f"server connect {host}:{dialled.port}" in transparent.log()


def test_the_proxy_itself(
    plain_http: Dialled, tls: Dialled, origin: Origin, stranger: Origin
) -> None:
    """Whatever address the name was led to: what names it is answered, and goes nowhere."""
    for dialled, scheme in ((plain_http, "http"), (tls, "https")):
        assert b'"name": "cachy"' in dialled.get(f"{scheme}://cachy.internal/status").body
    mixed = tls.get("https://cachy.internal/status", headers={"Host": "evil.example"})
    assert mixed.status == 403
    assert (origin.requests, stranger.requests) == ([], [])


def test_connect(transparent: Proxy) -> None:
    """A client that takes an address for its proxy gets an error, and the log no traceback."""
    with socket.create_connection((ADDRESS, 80), timeout=10) as client:
        client.sendall(b"CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 4")
    assert "Traceback" not in transparent.log()


def test_http2(tls: Dialled, root: Path, origin: Origin, stranger: Origin, host: str) -> None:
    """Streams of one connection that agree with its name, and one that doesn't."""
    origin.http2_hosts.add(host)
    urls = [f"https://{host}/{n}" for n in range(3)]
    with H2Client(tls, urls[0], tunnel=False) as client:
        for url in urls:
            origin.route(url, b"good")
            assert client.fetch(url).cache_status == STORED
        assert client.fetch(f"https://other.{host}/0").cache_status == MISMATCH
        assert client.fetch(urls[0]).cache_status == "cachy; hit"
    assert stored(root, host) == [f"{host}/{n}" for n in range(3)]
    assert len(stranger.requests) == 1


def test_untrusted(tls: Dialled, root: Path, origin: Origin, host: str) -> None:
    """Upstream's certificate has to verify."""
    origin.untrusted_hosts.add(host)
    origin.route(f"https://{host}/a", b"1")
    assert tls.get(f"https://{host}/a").status == 502
    assert (origin.requests, stored(root, host)) == ([], [])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_hit_needs_nobody(
    transparent: Proxy, origin: Origin, network: Network, host: str, scheme: str
) -> None:
    """No name service, no origin, no connection."""
    url = f"{scheme}://{host}{WHEEL}"
    origin.route(url, b"wheel")
    dialled = Dialled(transparent, 443 if scheme == "https" else 80, ADDRESS)
    dialled.get(url)
    network.down(trouble="nodns")
    origin.stop_listening()
    before = transparent.log().count("server connect")
    for address in (ADDRESS, "198.51.100.200"):
        dialled.host = address
        reply = dialled.get(url)
        assert (reply.body, reply.cache_status) == (b"wheel", "cachy; hit")
    assert transparent.log().count("server connect") == before


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_regular_and_transparent_share(
    start_shared_proxy: ProxyFactory, transparent: Proxy, origin: Origin, host: str, scheme: str
) -> None:
    """What the one mode stored is a hit in the other."""
    regular = start_shared_proxy()
    dialled = Dialled(transparent, 443 if scheme == "https" else 80, ADDRESS)
    urls = [f"{scheme}://{host}/{name}{WHEEL}" for name in "ab"]
    for url in urls:
        origin.route(url, b"wheel")
    assert fetch(regular, urls[0]).cache_status == STORED
    assert dialled.get(urls[0]).cache_status == "cachy; hit"
    assert dialled.get(urls[1]).cache_status == STORED
    assert fetch(regular, urls[1]).cache_status == "cachy; hit"


def test_another_port(transparent: Proxy, root: Path, origin: Origin, host: str) -> None:
    """The port that was dialled is the URL's, and the Host field has to say it too."""
    dialled = Dialled(transparent, 8443, ADDRESS)
    url = f"https://{host}:8443/a"
    origin.route(url, b"1")
    # Nobody is at that port of the address itself.
    reply = dialled.get(f"https://{host}/a")
    assert (reply.status, reply.cache_status) == (502, "cachy; fwd=bypass; detail=upstream-failed")
    assert (stored(root, host), origin.requests) == ([], [])
    assert dialled.get(url).cache_status == STORED
    assert stored(root, host) == [f"{host}:8443/a"]


def test_http_host_is_what_is_asked(
    plain_http: Dialled, root: Path, origin: Origin, stranger: Origin, host: str
) -> None:
    """Over http the Host field alone names the site, so it is that site's own answer that is stored."""
    url = f"http://{host}/a"
    origin.route(url, b"good")
    plain_http.host = "198.51.100.66"
    assert plain_http.get(url).body == b"good"
    assert (stored(root, host), stranger.requests) == ([f"{host}/a"], [])


@pytest.mark.parametrize(
    ("sni", "head"),
    [
        ("{host}", "GET /a HTTP/1.1\nHost: other.{host}"),
        ("other.{host}", "GET /a HTTP/1.1\nHost: {host}"),
        ("{host}", "GET /a HTTP/1.1\nHost: {host}:8443"),
        ("{host}", "GET https://other.{host}/a HTTP/1.1\nHost: {host}"),
        ("{host}", "GET /a HTTP/1.1\nHost: {address}"),
        (None, "GET http://other.{host}/a HTTP/1.1\nHost: {host}"),
        (None, "GET /a HTTP/1.1\nHost: {address}"),
        (None, "GET /a HTTP/1.1\nHost: {host}:443"),
        (None, "GET /a HTTP/1.1\nHost: "),
        (None, "GET /a HTTP/1.0"),
    ],
)
def test_names_that_disagree(
    transparent: Proxy,
    root: Path,
    origin: Origin,
    stranger: Origin,
    host: str,
    sni: str | None,
    head: str,
) -> None:
    """Pass to the address that was dialled; nothing is stored for any site, nor served from one."""
    other = f"other.{host}"
    scheme, port = ("http", 80) if sni is None else ("https", 443)
    dialled = Dialled(transparent, port, ADDRESS)
    name = None if sni is None else sni.format(host=host)
    head = head.format(host=host, address=ADDRESS)
    for count in (1, 2):
        reply = dialled.ask(f"{scheme}://{host}/a", head, name)
        assert (reply.body, reply.cache_status) == (b"evil", MISMATCH)
        assert len(stranger.requests) == count
        if count == 1:
            assert stored(root, host) == []
            for site in (host, other):
                origin.route(f"{scheme}://{site}/a", b"good")
                assert dialled.get(f"{scheme}://{site}/a").body == b"good"
    assert stored(root, host) == [f"{host}/a", f"{other}/a"]
    assert {bytes(v) for k, v in tree(root).items() if host in k and isinstance(v, bytes)} == {
        b"good"
    }


def test_no_sni(tls: Dialled, root: Path, origin: Origin, stranger: Origin, host: str) -> None:
    """Nothing tells for whom TLS is meant."""
    # The address is what mitmproxy then verifies the certificate for, and the stranger has none.
    url = f"https://{host}/a"
    origin.route(url, b"good")
    tls.get(url)
    reply = tls.get(url, sni="")
    assert "hit" not in reply.cache_status
    assert reply.body != b"good"
    tls.get(f"https://{ADDRESS}/a", sni="")
    assert stored(root, host) == [f"{host}/a"]
    assert origin.count(url) == 1


def test_passes_by(tls: Dialled, root: Path, origin: Origin, stranger: Origin, host: str) -> None:
    """A POST goes to the address; a GET with a credential to the site, unstored."""
    url = f"https://{host}/a"
    origin.route(url, b"good")
    posted = fetch(tls, url, "POST", body=b"1", tunnel=False)
    assert (posted.body, posted.cache_status) == (b"evil", "cachy; fwd=method")
    reply = tls.get(url, headers={"Authorization": "Basic eDp5"})
    assert (reply.body, reply.cache_status) == (b"good", "cachy; fwd=bypass; detail=authorization")
    assert stored(root, host) == []


def test_without_a_client(
    tls: Dialled, root: Path, origin: Origin, stranger: Origin, host: str
) -> None:
    """What is fetched apart from the client goes by name too: behind a range, behind a redirect."""
    body = bytes(range(256)) * 4000
    origin.route(f"https://{host}{WHEEL}", body, ranges=True)
    reply = tls.get(f"https://{host}{WHEEL}", headers={"Range": "bytes=10-19"})
    assert (reply.status, reply.body) == (206, body[10:20])
    signed = (
        f"https://cdn.{host}/x?X-Amz-Signature=1&X-Amz-Expires=60&X-Amz-Date=2&X-Amz-Credential=3"
    )
    signed += "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host"
    origin.route(f"https://{host}/x.tar.gz", b"", 302, {"Location": signed})
    origin.route(signed, b"archive", headers={"Content-Type": "application/gzip"})
    assert tls.get(f"https://{host}/x.tar.gz").body == b"archive"
    wait_until(lambda: stored(root, host) == sorted([f"{host}{WHEEL}", f"{host}/x.tar.gz"]))
    assert stranger.requests == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_leads_back(
    transparent: Proxy, root: Path, network: Network, host: str, method: str
) -> None:
    """A name whose address the kernel leads to the proxy again is an error at once."""
    namespace.redirect("127.0.0.1", "80", transparent.port)
    network.send(f"{host}:80", 80)
    reply = fetch(Dialled(transparent, 80, ADDRESS), f"http://{host}/a", method, tunnel=False)
    assert (reply.status, reply.cache_status.split(", ")[0]) == (508, "cachy; detail=loop")
    assert transparent.log().count(f"server connect {host}:80") == 1
    assert stored(root, host) == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl(transparent: Proxy, root: Path, origin: Origin, host: str, scheme: str) -> None:
    """A client that nobody told of a proxy."""
    url = f"{scheme}://{host}/a.bin"
    origin.route(url, b"curl's")
    port = 443 if scheme == "https" else 80
    for status in (STORED, "cachy; hit"):
        command = ["curl", "-sS", "-i", "--noproxy", "*", "--cacert", str(transparent.ca_pem)]
        command += ["--resolve", f"{host}:{port}:{ADDRESS}", url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.endswith("curl's")
        assert f"cache-status: {status}\n" in done.stdout.lower().replace("\r", "")
    assert stored(root, host) == [f"{host}/a.bin"]


def test_offline(
    start_shared_proxy: ProxyFactory, transparent: Proxy, tls: Dialled, origin: Origin, host: str
) -> None:
    """Another proxy over the same tree, which may ask nobody."""
    offline = start_shared_proxy(args=["--mode", "transparent"], options={"cachy_mode": "offline"})
    namespace.redirect("203.0.113.0/24", "443", offline.port)
    url = f"https://{host}{WHEEL}"
    origin.route(url, b"wheel")
    tls.get(url)
    there = Dialled(offline, 443, "203.0.113.9")
    assert there.get(url).cache_status == "cachy; hit"
    miss = there.get(f"https://{host}/b")
    assert (miss.status, miss.cache_status) == (403, "cachy; detail=offline-miss")
    assert f"/{host}/b".encode() in miss.body
    assert "server connect" not in offline.log()


def test_eager(eager: Dialled, root: Path, origin: Origin, stranger: Origin, host: str) -> None:
    """That the address is connected to already makes it no origin."""
    url = f"https://{host}:8443/a"
    origin.route(url, b"good")
    reply = eager.get(url)
    assert (reply.body, reply.cache_status) == (b"good", STORED)
    assert (stranger.accepted, stranger.requests) == (1, [])
    assert stored(root, host) == [f"{host}:8443/a"]
    # What names another site passes on that connection.
    reply = eager.get(f"https://other.{host}:8443/a", sni=host)
    assert (reply.cache_status, len(stranger.requests)) == (MISMATCH, 1)
    assert stored(root, host) == [f"{host}:8443/a"]


def test_eager_no_sni(
    eager: Dialled, root: Path, origin: Origin, stranger: Origin, host: str
) -> None:
    """Nor does it name one."""
    for name in (host, OTHER_ADDRESS):
        reply = eager.get(f"https://{name}:8443/a", sni="")
        assert (reply.body, reply.cache_status) == (b"evil", MISMATCH)
    assert stored(root, host) == []
    assert [name for name in tree(root) if OTHER_ADDRESS in name] == []
