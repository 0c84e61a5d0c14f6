"""Under which name an answer is stored: where a request has several, they must be one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from support.client import Connection, Incomplete, Reply, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply as OriginReply
from support.tree import tree

MISMATCH = "cachy; fwd=bypass; detail=host-mismatch"


@pytest.fixture
def other(host: str, origin: Origin) -> str:
    """Another site's name; the origin says which of the two it was asked for."""

    async def say(request: Request, reply: OriginReply) -> None:
        body = request.host.encode()
        await reply.head(length=len(body))
        await reply.send(body)
        await reply.end()

    other = f"other.{host}"
    for name in (host, other, f"{other}:8443"):
        origin.handle(name, "/a", say)
    return other


def ask(proxy: Proxy, url: str, head: str) -> Reply:
    """What the proxy answers to a head that is sent as it is, in a tunnel for https."""
    with Connection(proxy, url) as client:
        client.send_raw(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n")
        reply = client.read_head()
        reply.body = client.read_to_end()
        return reply


def is_untouched(root: Path, *hosts: str) -> bool:
    """Whether nothing lies in the tree for any of these."""
    return not [name for name in tree(root) if name.split("/")[0].split(":")[0] in hosts]


@pytest.mark.parametrize(
    ("scheme", "head"),
    [
        ("http", "GET http://{host}/a HTTP/1.1\nHost: {other}"),
        ("http", "GET http://{other}/a HTTP/1.1\nHost: {host}"),
        ("http", "GET http://{host}/a HTTP/1.1\nHost: {host}:8080"),
        ("http", "GET http://{host}/a HTTP/1.1\nHost:"),
        ("https", "GET /a HTTP/1.1\nHost: {other}"),
        ("https", "GET /a HTTP/1.1\nHost: \xff.{host}"),
        # The target wins over the field (RFC 9112 section 3.2.2), and goes upstream as it is.
        ("https", "GET https://{other}/a HTTP/1.1\nHost: {host}"),
        ("https", "GET http://{other}/a HTTP/1.1\nHost: {host}"),
        ("https", "GET https://{other}/a HTTP/1.1"),
        ("https", "GET https://{host}/a HTTP/1.1\nHost: {other}"),
    ],
)
def test_http1(
    shared_proxy: Proxy, shared_dir: Path, host: str, other: str, scheme: str, head: str
) -> None:
    """The target, each Host field and the end of the tunnel."""
    reply = ask(shared_proxy, f"{scheme}://{host}/a", head.format(host=host, other=other))
    assert reply.cache_status == MISMATCH
    assert is_untouched(shared_dir, host, other)
    for name in (host, other):
        url = f"{scheme}://{name}/a"
        assert fetch(shared_proxy, url).cache_status == "cachy; fwd=uri-miss; stored"
    # And now that both are stored, it gets neither from the tree.
    reply = ask(shared_proxy, f"{scheme}://{host}/a", head.format(host=host, other=other))
    assert reply.cache_status == MISMATCH


def test_two_host_fields(shared_proxy: Proxy, shared_dir: Path, host: str, other: str) -> None:
    """An origin may take the one or the other."""
    for first, second in ((host, other), (other, host)):
        head = f"GET /a HTTP/1.1\nHost: {first}\nHost: {second}"
        reply = ask(shared_proxy, f"https://{host}/a", head)
        assert reply.status == 400 or reply.cache_status == MISMATCH
    assert is_untouched(shared_dir, host, other)


@pytest.mark.parametrize("http2", [False, True], ids=["to-h1", "to-h2"])
def test_http2(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, other: str, http2: bool
) -> None:
    """`:authority` and the SNI; a Host field beside it that agrees does no harm."""
    if http2:
        origin.http2_hosts.add(host)
    with H2Client(shared_proxy, f"https://{host}/a") as client:
        for headers in ([], [("host", other)]):
            reply = client.fetch(f"https://{other}/a", headers=headers)
            assert reply.cache_status == MISMATCH
        assert is_untouched(shared_dir, host, other)
        reply = client.fetch(headers={"host": host})
        assert (reply.body, reply.cache_status) == (host.encode(), "cachy; fwd=uri-miss; stored")


@pytest.mark.parametrize("validate", [True, False], ids=["validated", "not-validated"])
def test_http2_with_another_host_field(
    start_proxy: ProxyFactory, cachy_dir: Path, host: str, other: str, validate: bool
) -> None:
    """To an HTTP/1.1 origin that field alone goes; mitmproxy refuses it unless told not to."""
    proxy = start_proxy(options={"validate_inbound_headers": validate})
    for authority, field in ((host, other), (other, host)):
        with H2Client(proxy, f"https://{host}/a") as client:
            client.h2.config.validate_outbound_headers = False
            number = client.send_request(f"https://{authority}/a", headers={"host": field})
            if validate:
                with pytest.raises((Incomplete, ConnectionError)):
                    client.read_head(number)
            else:
                assert client.read_head(number).cache_status == MISMATCH
    assert tree(cachy_dir) == {}


@pytest.mark.parametrize(
    ("connect", "sni", "field"),
    [
        ("host", "host", "other"),
        ("host", "other", "host"),
        ("other", "host", "host"),
        ("host", "other", "other"),
    ],
)
def test_tunnel(
    shared_proxy: Proxy,
    shared_dir: Path,
    host: str,
    other: str,
    connect: str,
    sni: str,
    field: str,
) -> None:
    """CONNECT, the SNI and the Host field: two that agree are not enough."""
    names = {"host": host, "other": other}
    reply = fetch(
        shared_proxy,
        f"https://{names[field]}/a",
        connect=f"{names[connect]}:443",
        sni=names[sni],
    )
    assert reply.cache_status == MISMATCH
    assert is_untouched(shared_dir, host, other)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_leads_back_to_the_proxy(
    shared_proxy: Proxy, shared_dir: Path, network: Network, host: str, method: str
) -> None:
    """A name that resolves to the proxy itself is an error at once, and not a circle."""
    network.send(f"{host}:80", shared_proxy.port)
    body = b"1" if method == "POST" else None
    reply = fetch(shared_proxy, f"http://{host}/a", method, body=body)
    assert (reply.status, reply.cache_status.split(", ")[0]) == (508, "cachy; detail=loop")
    assert shared_proxy.log().count(f"server connect {host}:80") <= 1 + (method != "GET") * 3
    assert is_untouched(shared_dir, host)


class TestReverse:
    """Behind `reverse:https://SITE` there is one site; nothing that a client says names another."""

    @pytest.mark.parametrize("keep", [False, True], ids=["own-host", "keep_host_header"])
    def test_names(
        self,
        start_proxy: ProxyFactory,
        cachy_dir: Path,
        host: str,
        other: str,
        keep: bool,
    ) -> None:
        """With `keep_host_header` mitmproxy sends the client's names on, so they must agree."""
        proxy = start_proxy(
            args=["--mode", f"reverse:https://{host}"], options={"keep_host_header": keep}
        )
        for sni, field in ((other, host), (host, other), (other, other)):
            url = f"https://{field}/a"
            reply = fetch(proxy, url, sni=sni, tunnel=False)
            if keep:
                assert reply.cache_status == MISMATCH
                assert tree(cachy_dir) == {}
            else:
                assert reply.body == host.encode()
                assert list(tree(cachy_dir)) == [f"{host}/a"]
        reply = fetch(proxy, f"https://{host}/a", tunnel=False)
        assert (reply.body, list(tree(cachy_dir))) == (host.encode(), [f"{host}/a"])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_upstream(
    start_proxy: ProxyFactory, cachy_dir: Path, host: str, other: str, scheme: str
) -> None:
    """Through another proxy, names are as in regular mode."""
    tunnel = start_proxy(scripts=[], options={"ignore_hosts": ":443$"})
    proxy = start_proxy(args=["--mode", f"upstream:{tunnel.url}"])
    url = f"{scheme}://{host}/a"
    assert fetch(proxy, url, headers={"Host": other}).cache_status == MISMATCH
    assert tree(cachy_dir) == {}
    for status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
        reply = fetch(proxy, url)
        assert (reply.body, reply.cache_status) == (host.encode(), status)
    assert list(tree(cachy_dir)) == [f"{host}/a"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_socks(
    start_proxy: ProxyFactory, cachy_dir: Path, host: str, other: str, scheme: str
) -> None:
    """Who names the host to SOCKS gets it cached; who resolved it himself names an address."""
    proxy = start_proxy(args=["--mode", "socks5"])

    def curl(*options: str) -> str:
        command = ["curl", "-sSi", "--cacert", str(proxy.ca_pem), *options, f"{scheme}://{host}/a"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.lower().replace("\r", "")

    socks = f"{proxy.host}:{proxy.port}"
    port = 443 if scheme == "https" else 80
    resolved = ("--socks5", socks, "--resolve", f"{host}:{port}:198.51.100.7")
    assert f"cache-status: {MISMATCH}\n" in curl(*resolved)
    assert f"cache-status: {MISMATCH}\n" in curl("--socks5-hostname", socks, "-HHost: " + other)
    assert tree(cachy_dir) == {}
    for status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
        assert f"cache-status: {status}\n" in curl("--socks5-hostname", socks)
    assert list(tree(cachy_dir)) == [f"{host}/a"]
