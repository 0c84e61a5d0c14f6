"""Who takes the fast lane, who doesn't, and clients of all kinds in it."""

import socket
import ssl
from pathlib import Path

import pytest

from cachy import addon_path
from support.client import Connection, fetch
from support.factory import ProxyFactory
from support.filled import WHOLE
from support.flows import flows
from support.message import split_url
from support.origin import Origin
from support.proxy import Proxy
from support.tree import wait_until
from support.wire import Wire


def test_another_addon_sees_everything(
    start_proxy: ProxyFactory, tmp_path: Path, cachy_dir: Path, host: str
) -> None:
    """Where a script has a hook for requests, nothing goes past it."""
    (cachy_dir / host).mkdir(parents=True)
    (cachy_dir / host / "a").write_bytes(b"mine")
    script = tmp_path / "seeing.py"
    script.write_text("def response(flow): flow.response.headers['X-Seen'] = 'yes'\n")
    proxy = start_proxy(scripts=[Path(addon_path()), script], options={"cachy_dir": str(cachy_dir)})
    with Connection(proxy, f"https://{host}/a") as client:
        for _ in range(3):
            reply = client.fetch()
            assert (reply.header("x-seen"), reply.cache_status) == ("yes", "cachy; hit")


@pytest.mark.parametrize(
    "options",
    [
        {"cachy_lane": "off"},
        {"modify_headers": "/~q/X-A/b"},
        {"block_list": "/nothing/404"},
        {"anticache": True},
        {"flow_detail": 2},
    ],
)
def test_options_that_want_flows(
    start_proxy: ProxyFactory, cachy_dir: Path, host: str, options: dict[str, str | int | bool]
) -> None:
    """What mitmproxy is set up to do with requests, it does with all of them."""
    (cachy_dir / host).mkdir(parents=True)
    (cachy_dir / host / "a").write_bytes(b"mine")
    proxy = start_proxy(options=options)
    with Connection(proxy, f"https://{host}/a") as client:
        for _ in range(2):
            assert client.fetch().body == b"mine"
    wait_until(lambda: flows(proxy, host).count("GET /a") == 2)


@pytest.mark.parametrize(
    ("agent", "offered", "chosen"),
    [
        ("x/1", ("h2",), "h2"),
        ("x/1", ("h2", "http/1.1"), "h2"),
        ("x/1", ("http/1.1",), "http/1.1"),
        ("x/1", (), None),
        ("curl/8.5.0", ("h2", "http/1.1"), "http/1.1"),
        ("curl/8.5.0", ("h2",), "h2"),
    ],
)
def test_protocol(
    stored: Proxy, host: str, agent: str, offered: tuple[str, ...], chosen: str | None
) -> None:
    """Who offers HTTP/2 gets it, but for who asks once and leaves."""
    fields = {"User-Agent": agent}
    with Connection(stored, f"https://{host}/", alpn=offered, connect_headers=fields) as client:
        assert isinstance(client.wire.sock, ssl.SSLSocket)
        assert client.wire.sock.selected_alpn_protocol() == chosen
        if chosen != "h2":
            before = flows(stored, host)
            assert client.fetch(f"https://{host}/whole.txt").cache_status == "cachy; hit"
            assert flows(stored, host) == before


def test_client_without_elliptic_certificates(stored: Proxy, host: str) -> None:
    """It gets what mitmproxy itself makes."""
    context = ssl.create_default_context(cafile=stored.ca_pem)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with Connection(stored, f"https://{host}/whole.txt", context=context) as client:
        for _ in range(2):
            assert client.fetch().body == WHOLE


def test_client_that_trusts_us_not(start_proxy: ProxyFactory, host: str) -> None:
    """The log says what it says without the lane."""
    proxy = start_proxy()
    with pytest.raises(ssl.SSLCertVerificationError):
        Connection(
            proxy, f"https://{host}/", context=ssl.create_default_context(cafile=None)
        ).close()
    wait_until(lambda: "does not trust the proxy's certificate" in proxy.log())
    assert host in proxy.log()


def test_other_names_in_tls(stored: Proxy, host: str) -> None:
    """Whoever asks for another name, or for none, gets a certificate for it, and no hit of the site's."""
    with Connection(
        stored, f"https://{host}/whole.txt", sni="other.example", verify=False
    ) as client:
        assert "hit" not in client.fetch().cache_status
    with Connection(stored, f"https://{host}/whole.txt", sni="", verify=False) as client:
        assert client.fetch().cache_status == "cachy; hit"


@pytest.mark.parametrize(
    ("odd", "answered"),
    [
        (b"M-SEARCH {path} HTTP/1.1\r\nHost: {host}\r\n\r\n", "fwd=method"),
        (b"G\x00ET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n", ""),
        (b" GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n", "hit"),
        (b"GET\t{path}\tHTTP/1.1\r\nHost: {host}\r\n\r\n", "hit"),
    ],
)
def test_odd_requests_after_a_hit(
    stored: Proxy, start_proxy: ProxyFactory, host: str, odd: bytes, answered: str
) -> None:
    """They are HTTP to mitmproxy, whatever they look like, as they are without the lane."""
    slow = start_proxy(options={"cachy_lane": "off"})
    odd = odd.replace(b"{path}", b"/whole.txt").replace(b"{host}", host.encode())
    for proxy in (stored, slow):
        with Connection(proxy, f"https://{host}/whole.txt") as client:
            assert client.fetch().cache_status == "cachy; hit"
            client.send_raw(odd)
            assert answered in client.read_head().cache_status


def test_a_post_that_begins_with_two_bytes(stored: Proxy, origin: Origin, host: str) -> None:
    """The first bytes after a hit come alone, and could be anything."""
    origin.route(f"https://{host}/posted", b"posted")
    with Connection(stored, f"https://{host}/whole.txt") as client:
        assert client.fetch().cache_status == "cachy; hit"
        client.wire.sock.sendall(b"PO")
        # Whether it is one record is up to the network; the lane decides by the first bytes.
        client.send_raw(f"ST /posted HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), "POST")
        reply = client.read_head()
        assert "fwd=method" in reply.cache_status
        client.read_to_end()
        assert client.fetch(f"https://{host}/whole.txt").cache_status == "cachy; hit"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_asks_and_sends_no_more(stored: Proxy, origin: Origin, host: str, scheme: str) -> None:
    """A request and the end of what the client sends, at once."""
    url = f"{scheme}://{host}/whole.txt"
    origin.route(url, WHOLE)
    fetch(stored, url)
    for _ in range(5):
        with Connection(stored, url) as client:
            client.send_request()
            if scheme == "http":
                client.wire.sock.shutdown(socket.SHUT_WR)
            assert client.read_head().cache_status == "cachy; hit"
            assert client.read_to_end() == WHOLE


def test_unfinished(stored: Proxy, origin: Origin, host: str) -> None:
    """Clients that leave in the middle of CONNECT, of a handshake, of a head, of a body: none is missed."""
    url = split_url(f"https://{host}/whole.txt")
    for sent in (
        b"CON",
        f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode(),
        f"CONNECT {host}:443 HTTP/1.1\r\n\r\n\x16\x03\x01\x00".encode(),
        f"GET http://{host}/whole".encode(),
        b"\x00\xff",
    ):
        wire = Wire(stored, url, tunnel=False, tls=False)
        wire.sock.sendall(sent)
        wire.close()
    for sent in (b"GET /whole", f"GET /large.bin HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()):
        with Connection(stored, f"https://{host}/", rcvbuf=4096) as client:
            client.wire.sock.sendall(sent)
    assert fetch(stored, f"https://{host}/whole.txt").cache_status == "cachy; hit"
    fds = stored.open_fds()
    wait_until(lambda: stored.open_fds() <= fds)
