"""The harness proves itself: names, certificates, and what goes wrong."""

import pytest

from support.ca import CA
from support.client import Connection, fetch
from support.network import Network, Trouble
from support.origin import Origin
from support.proxy import Proxy


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_any_host(plain: Proxy, origin: Origin, host: str, scheme: str) -> None:
    url = f"{scheme}://{host}/a%2e/../b?x=%7E"
    origin.route(url, b"body", headers={"X-Mark": "1"})
    reply = fetch(plain, url, headers=[("X-Two", "a"), ("X-Two", "b")])
    assert (reply.status, reply.reason, reply.body) == (200, "OK", b"body")
    assert reply.header("x-mark") == "1"
    [request] = origin.requests
    assert request.url == url
    assert request.sni == (host if scheme == "https" else None)
    assert request.header("x-two") == "a, b"
    assert origin.count(url) == origin.count(url, "GET") == 1
    assert not origin.count(url, "HEAD")


def test_other_ports(plain: Proxy, origin: Origin, host: str) -> None:
    origin.route(f"https://{host}:8443/", b"tls")
    origin.route(f"http://{host}:8080/", b"plain")
    assert fetch(plain, f"https://{host}:8443/").body == b"tls"
    assert fetch(plain, f"http://{host}:8080/").body == b"plain"


def test_another_server(plain: Proxy, origin: Origin, network: Network, ca: CA, host: str) -> None:
    url = f"https://{host}/"
    with Origin(ca) as other:
        other.route(url, b"other")
        network.send(f"{host}:443", other.https_port)
        assert fetch(plain, url).body == b"other"
    assert origin.requests == []


def test_untrusted_certificate(plain: Proxy, origin: Origin, host: str) -> None:
    origin.untrusted_hosts.add(host)
    reply = fetch(plain, f"https://{host}/")
    assert (reply.status, origin.requests) == (502, [])


def test_other_names(plain: Proxy, origin: Origin, host: str) -> None:
    fetch(
        plain,
        f"https://{host}/",
        headers={"Host": "header.example"},
        connect="connect.example:443",
        sni="sni.example",
    )
    [request] = origin.requests
    assert (request.host, request.sni) == ("header.example", "sni.example")


def test_dead_origin(plain: Proxy, origin: Origin, host: str) -> None:
    url = f"https://{host}/"
    origin.route(url, b"1")
    port = origin.https_port
    with Connection(plain, url) as connection:
        assert connection.fetch().body == b"1"
        origin.stop_listening()
        assert origin.open_connections == 0
        assert connection.fetch().status == 502
    assert fetch(plain, url).status == 502
    origin.resume()
    assert fetch(plain, url).body == b"1"
    assert origin.https_port == port


@pytest.mark.parametrize("trouble", ["refused", "noname"])
def test_trouble_at_once(
    plain: Proxy, origin: Origin, network: Network, host: str, trouble: Trouble
) -> None:
    origin.route(f"https://{host}/", b"1")
    network.down(host, trouble)
    assert fetch(plain, f"https://{host}/").status == 502
    assert fetch(plain, "https://other.example/").status == 418
    network.down("*", trouble)
    assert fetch(plain, "https://other.example/").status == 502
    network.up()
    assert fetch(plain, f"https://{host}/").body == b"1"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("trouble", ["blackhole", "nodns"])
def test_trouble_that_hangs(
    plain: Proxy, origin: Origin, network: Network, scheme: str, trouble: Trouble
) -> None:
    network.down(trouble=trouble)
    with pytest.raises(TimeoutError):
        fetch(plain, f"{scheme}://h.example/", timeout=0.8)
    assert origin.accepted == 0


def test_address(plain: Proxy, origin: Origin) -> None:
    origin.route("http://192.0.2.7/x", b"1")
    assert fetch(plain, "http://192.0.2.7/x").body == b"1"
