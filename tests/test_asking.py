"""What a fetch that may be stored says upstream: one client decides nothing for the others."""

from pathlib import Path

import pytest

from support.client import Connection, Reply, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.message import Request
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply as Answering
from support.tree import tree

FRESH = {"Cache-Control": "max-age=600"}
REROUTING = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X_Forwarded_Host": "evil.example",
    "Forwarded": "host=evil.example",
    "X-Host": "evil.example",
    "X-Original-URL": "/evil",
    "X-Rewrite-URL": "/evil",
    "X-HTTP-Method-Override": "POST",
    "X-Method-Override": "POST",
    "X-HTTP-Method": "POST",
    "X-Real-IP": "127.0.0.1",
    "True-Client-IP": "127.0.0.1",
    "X-ProxyUser-Ip": "127.0.0.1",
    "X-Original-Host": "evil.example",
    "X-Middleware-Subrequest": "a",
    "Proxy": "http://evil.example/",
}


def echo(origin: Origin, host: str, headers: dict[str, str] = FRESH) -> None:
    """Has the origin's body say what decided: the request line, and all that is no part of the key."""
    known = {"host", "user-agent", "accept", "accept-encoding", "connection"}

    async def handler(request: Request, reply: Answering) -> None:
        said = [f"{request.method} {request.host}{request.target} HTTP/{request.version}"]
        said += [f"{k}: {v}" for k, v in request.headers if k.lower() not in known and k[0] != ":"]
        body = "\n".join(said).encode()
        await reply.head(headers=headers, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, "*", handler)


def said(host: str, target: str, version: str = "1.1", *fields: str) -> bytes:
    """What such an origin says."""
    return "\n".join([f"GET {host}{target} HTTP/{version}", *fields]).encode()


@pytest.mark.parametrize(("client", "upstream"), [("1.1", "1.1"), ("2", "1.1"), ("2", "2")])
def test_nothing_that_reroutes(
    shared_proxy: Proxy, origin: Origin, host: str, client: str, upstream: str
) -> None:
    """What some server takes for another URL, host, method or client isn't sent where the answer may be
    stored; what else a client says is.
    """
    if upstream == "2":
        origin.http2_hosts.add(host)
    echo(origin, host)
    url = f"https://{host}/a"
    fields = REROUTING | {"X-Api-Version": "1"}
    if client == "2":
        with H2Client(shared_proxy, url) as h2:
            first = h2.fetch(headers=fields)
    else:
        first = fetch(shared_proxy, url, headers=fields)
    name = "x-api-version" if client == "2" else "X-Api-Version"
    assert first.body == said(host, "/a", upstream, f"{name}: 1")
    again = fetch(shared_proxy, url)
    assert (again.body, again.cache_status) == (first.body, "cachy; hit")


def test_vary_by_what_is_never_sent(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """A field that stays behind parts nobody, also where the origin names it."""
    url = f"https://{host}/a"
    origin.route(url, b"1", headers=FRESH | {"Vary": "X-Forwarded-Proto, Accept-Encoding"})
    fetch(shared_proxy, url, headers={"X-Forwarded-Proto": "http"})
    for value in ("http", "https"):
        reply = fetch(shared_proxy, url, headers={"X-Forwarded-Proto": value})
        assert reply.cache_status == "cachy; hit"
    assert origin.count(url) == 1


def test_what_passes_by_is_untouched(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """What isn't stored goes upstream as it came."""
    echo(origin, host)
    fields = {"Authorization": "Basic eDp5", "X-Forwarded-Host": "b", "X-Http-Method": "c"}
    reply = fetch(shared_proxy, f"https://{host}/%72", headers=fields)
    assert reply.body == said(host, "/%72", "1.1", *(f"{k}: {v}" for k, v in fields.items()))


def test_nothing_that_connection_names(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Such a field is for the proxy (RFC 9110 section 7.6.1); the rest of the request is heard, and what
    was sent is what the answer was selected by.
    """
    echo(origin, host, FRESH | {"Vary": "Accept-Language"})
    url = f"https://{host}/a"
    fields = {
        "Connection": "X-Hop, accept-language, Keep-Alive, close",
        "Keep-Alive": "timeout=5",
        "TE": "trailers",
        "X-Hop": "1",
        "X-End": "2",
        "Accept-Language": "de",
    }
    with Connection(shared_proxy, url) as client:
        assert client.fetch(headers=fields).body == said(host, "/a", "1.1", "X-End: 2")
        assert not client.wire.fill()
    reply = fetch(shared_proxy, url)
    assert (reply.body, reply.cache_status) == (said(host, "/a", "1.1", "X-End: 2"), "cachy; hit")
    german = fetch(shared_proxy, url, headers={"Accept-Language": "de"})
    assert german.body == said(host, "/a", "1.1", "Accept-Language: de")


def test_nothing_that_can_be_taken_for_something_else(
    shared_proxy: Proxy, origin: Origin, host: str
) -> None:
    """A folded line and a bare CR have been taken for another field."""
    echo(origin, host)
    url = f"https://{host}/a"
    for odd in ("X-A: 1\r\n X-Forwarded-Host: evil", "X-A: 1\rX-Forwarded-Host: evil"):
        with Connection(shared_proxy, url) as client:
            client.send_raw(f"GET /a HTTP/1.1\r\nHost: {host}\r\n{odd}\r\n\r\n".encode())
            client.read_head()
            assert client.read_to_end() == said(host, "/a")


def test_no_length_of_no_body(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Nothing is sent that frames a body where there is none."""
    echo(origin, host)
    for number, fields in enumerate(({"Content-Length": "0"}, {"Transfer-Encoding": "chunked"})):
        with Connection(shared_proxy, f"https://{host}/{number}") as client:
            client.send_request(headers=fields)
            if "Transfer-Encoding" in fields:
                client.wire.sock.sendall(b"0\r\n\r\n")
            client.read_head()
            assert client.read_to_end() == said(host, f"/{number}")


@pytest.mark.parametrize("field", [{}, {"Range": "bytes=2-3"}])
def test_also_without_a_client(
    shared_proxy: Proxy, origin: Origin, host: str, field: dict[str, str]
) -> None:
    """The whole behind a range, and what a redirect leads to, are asked for in the same way."""
    origin.route(f"https://{host}/f.zip", status=302, headers={"Location": "/store/%72?x=%7e"})
    echo(origin, host)
    fields = REROUTING | field | {"Connection": "X-Hop", "X-Hop": "1"}
    for name, target in (("%66.zip", "/store/%72?x=%7e"), ("%67.zip", "/g.zip")):
        fetch(shared_proxy, f"https://{host}/{name}", headers=fields)
        reply = fetch(shared_proxy, f"https://{host}/{name}")
        assert (reply.body, reply.cache_status) == (said(host, target), "cachy; hit")


def test_also_a_check(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """What is stored is checked in the same way."""
    url = f"https://{host}/a"
    origin.route(url, b"1", headers={"Cache-Control": "no-cache"}, etag='"1"')
    fetch(shared_proxy, url)
    fields = REROUTING | {"Cache-Control": "no-cache", "Connection": "X-Hop", "X-Hop": "1"}
    fetch(shared_proxy, f"https://{host.upper()}/%61", headers=fields)
    check = origin.asked(url)[-1]
    assert check.header("if-none-match") == '"1"'
    assert not {k.lower() for k, _ in check.headers} & {k.lower() for k in (*REROUTING, "X-Hop")}


def test_what_one_client_provoked(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """An error to what passes by, with all its fields, says nothing about the URL."""

    async def handler(request: Request, reply: Answering) -> None:
        failing = request.header("x-forwarded-host") is not None
        fields = {"Cache-Control": "no-cache"}
        await reply.head(500 if failing else 200, headers=fields, length=0)
        await reply.end()

    origin.handle(host, "*", handler)
    url = f"https://{host}/a"
    fetch(shared_proxy, url)
    reply = fetch(shared_proxy, url, "HEAD", headers={"X-Forwarded-Host": "a b"})
    assert (reply.status, reply.cache_status) == (200, "cachy; hit; detail=stale-if-error")
    assert "fwd=" in fetch(shared_proxy, url).cache_status
    assert origin.count(url, "GET") == 2


SPELLINGS = [
    ("/%72equests/", "/requests/"),
    ("/a%7eb%2fc", "/a~b%2Fc"),
    ("/a?b=%7e%2f%41", "/a?b=~%2FA"),
    ("/a%zz", "/a%25zz"),
    ("/{a}|b", "/%7Ba%7D%7Cb"),
    ("/é", "/%C3%A9"),
    ("/a;b=1,c", "/a;b=1,c"),
    ("/a//b/", "/a//b/"),
]


@pytest.mark.parametrize(("spelt", "canonical"), SPELLINGS)
def test_one_spelling(
    shared_proxy: Proxy, origin: Origin, host: str, spelt: str, canonical: str
) -> None:
    """Upstream is asked in the spelling of the key, so that no other one decides what it means."""
    echo(origin, host)
    reply = fetch(shared_proxy, f"https://{host}{spelt}")
    assert reply.body == said(host, canonical)
    again = fetch(shared_proxy, f"https://{host}{canonical}")
    assert (again.body, again.cache_status) == (reply.body, "cachy; hit")


@pytest.mark.parametrize("upstream", ["1.1", "2"])
def test_one_spelling_by_http2(
    shared_proxy: Proxy, origin: Origin, host: str, upstream: str
) -> None:
    """The same for a client of HTTP/2, whose authority is spelt in one way as well."""
    if upstream == "2":
        origin.http2_hosts.add(host)
    echo(origin, host)
    with H2Client(shared_proxy, f"https://{host}/") as client:
        client.send_request(f"https://{host.upper()}:443/%72")
        client.pump(lambda: client.streams[1].ended)
    (request,) = origin.requests
    assert (request.target, request.authority) == ("/r", host)


def test_one_form(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """An absolute-form in a tunnel is for nobody."""
    echo(origin, host)
    with Connection(shared_proxy, f"https://{host}/") as client:
        client.send_raw(f"GET http://{host}/%61 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        client.read_head()
        assert client.read_to_end() == said(host, "/a")
    (request,) = origin.requests
    assert request.line == "GET /a HTTP/1.1"


def test_one_spelling_behind_another_proxy(
    start_proxy: ProxyFactory, origin: Origin, host: str
) -> None:
    """The other proxy is asked in the same spelling."""
    echo(origin, host)
    proxy = start_proxy(args=["--mode", f"upstream:http://127.0.0.1:{origin.http_port}"])
    fetch(proxy, f"http://{host.upper()}:80/%61")
    (request,) = origin.requests
    assert request.line == f"GET http://{host}/a HTTP/1.1"


def test_one_spelling_of_the_host(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """A server may say back the name by which it was asked."""
    for scheme, port in (("http", 80), ("https", 443)):
        url = f"{scheme}://{host}/{scheme}"
        origin.route(url, b"1", headers=FRESH)
        fetch(shared_proxy, url, headers={"Host": f"{host.upper()}:{port}"})
        (request,) = origin.asked(url)
        assert request.authority == host


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_host(shared_proxy: Proxy, origin: Origin, host: str, scheme: str, version: str) -> None:
    """A request that names no host in a field asks for the one that it goes to, in our own version."""
    echo(origin, host)
    url = f"{scheme}://{host}/a"
    with Connection(shared_proxy, url) as client:
        target = url if scheme == "http" else "/a"
        client.send_raw(f"GET {target} HTTP/{version}\r\n\r\n".encode())
        client.read_head()
        assert client.read_to_end() == said(host, "/a")
    assert fetch(shared_proxy, url).cache_status == "cachy; hit"


@pytest.mark.parametrize("method", ["get", "Get", "gET"])
def test_another_method(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, method: str
) -> None:
    """`get` is not GET (RFC 9110 section 9.1): it passes, and neither is stored nor answered."""
    echo(origin, host)
    url = f"https://{host}/a"

    def ask() -> Reply:
        return fetch(shared_proxy, url, method)

    first = ask()
    assert first.body == said(host, "/a").replace(b"GET", method.encode())
    assert first.cache_status == "cachy; fwd=method"
    assert not [name for name in tree(shared_dir) if name.startswith(f"{host}/")]
    assert fetch(shared_proxy, url).body == said(host, "/a")
    assert ask().body == first.body
    with H2Client(shared_proxy, url) as client:
        assert client.fetch(method=method).body == first.body


def test_a_body_that_is_streamed(start_proxy: ProxyFactory, origin: Origin, host: str) -> None:
    """A GET with a body passes by, also where mitmproxy streams it."""
    proxy = start_proxy(options={"stream_large_bodies": "10"})
    echo(origin, host)
    for size in (5, 50):
        reply = fetch(proxy, f"https://{host}/{size}", body=b"x" * size)
        assert reply.cache_status == "cachy; fwd=bypass; detail=request-body-or-upgrade"
