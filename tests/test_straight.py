"""The proxy's own address: a page for people, and never a miss."""

import socket
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from clients.run import need, run
from support.client import Connection, Reply, fetch
from support.client_h2 import H2Client
from support.command import Cachy
from support.dialled import Dialled
from support.factory import ProxyFactory
from support.home import NAME, bearer
from support.origin import Origin
from support.proxy import Proxy
from support.tree_cli import Cli

#: What browsers and robots ask of any address.
UNASKED = ("/favicon.ico", "/robots.txt", "/apple-touch-icon.png", "/.well-known/x", "/stats")
#: Settings that might lead elsewhere.
SETTINGS: dict[str, dict[str, str | int | bool]] = {
    "lane": {"cachy_lane": "auto"},
    "no lane": {"cachy_lane": "off"},
    "offline": {"cachy_mode": "offline"},
    "off, eager": {"cachy_mode": "off", "connection_strategy": "eager", "upstream_cert": True},
}


@pytest.fixture(scope="module")
def running(start_shared_proxy: ProxyFactory) -> Callable[[str], Proxy]:
    """Starts each proxy once."""
    found: dict[str, Proxy] = {}

    def proxy(name: str) -> Proxy:
        if name not in found:
            found[name] = start_shared_proxy(options=SETTINGS[name])
        return found[name]

    return proxy


@pytest.fixture(params=list(SETTINGS))
def straight(
    request: pytest.FixtureRequest, running: Callable[[str], Proxy], origin: Origin
) -> Iterator[Proxy]:
    """A proxy whose own address is asked: nothing reaches an origin, or the journal of misses."""
    proxy = running(request.param)
    yield proxy
    assert origin.accepted == 0
    assert misses(proxy) == []
    assert "server connect " not in proxy.log()


def misses(proxy: Proxy) -> list[str]:
    """What was asked for in vain."""
    cli = Cli(Path(str(proxy.settings.options["cachy_dir"])))
    return [miss["url"] for miss in cli("misses", "--json").json()]


def ask(proxy: Proxy, head: str) -> Reply:
    """What the port answers to a head as it is."""
    own = Dialled(proxy, proxy.port, proxy.host)
    return own.ask(f"http://{proxy.host}:{proxy.port}/", head)


def is_page(reply: Reply) -> bool:
    """Whether it is the page."""
    return reply.status == 200 and b"This address is a caching proxy" in reply.body


class Page(HTMLParser):
    """What stands in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: dict[str, list[dict[str, str | None]]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.setdefault(tag, []).append(dict(attrs))
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("named", ["{own}", "localhost:{port}", "evil.example", "a b", None])
def test_a_browser_gets_a_page(straight: Proxy, named: str | None) -> None:
    """In origin-form, whatever name led there; anything else is not there."""
    own = f"{straight.host}:{straight.port}"
    field = "" if named is None else f"\nHost: {named.format(own=own, port=straight.port)}"
    assert is_page(ask(straight, f"GET / HTTP/1.1{field}"))
    for path in UNASKED:
        reply = ask(straight, f"GET {path} HTTP/1.1{field}")
        assert (reply.status, b"caching proxy" in reply.body) == (404, True), path
    assert ask(straight, f"DELETE / HTTP/1.1{field}").status == 405
    put = ask(straight, f"PUT /cache/https://h.example/a HTTP/1.1{field}\nContent-Length: 0")
    assert put.status == 404


def test_by_way_of_the_proxy(straight: Proxy) -> None:
    """A browser that uses the proxy gets the page, too: by http, by https, and by HTTP/2."""
    for host in (straight.host, "localhost"):
        for scheme in ("http", "https"):
            url = f"{scheme}://{host}:{straight.port}"
            assert is_page(fetch(straight, f"{url}/")), url
            assert fetch(straight, f"{url}/favicon.ico").status == 404
            assert fetch(straight, f"{url}/", "POST", body=b"x" * 100_000).status == 405
        with H2Client(straight, f"https://{host}:{straight.port}/") as client:
            assert is_page(client.fetch(f"https://{host}:{straight.port}/"))


def test_straight_by_https(straight: Proxy) -> None:
    """Who speaks TLS to the port gets it as well."""
    url = f"https://{straight.host}:{straight.port}/"
    assert is_page(Dialled(straight, straight.port, straight.host).get(url))
    with H2Client(straight, url, tunnel=False) as client:
        assert is_page(client.fetch(url))
        assert client.fetch(f"{url}favicon.ico").status == 404


def test_head(straight: Proxy) -> None:
    """The same fields, and nothing behind them; the connection can be used again."""
    url = f"http://{straight.host}:{straight.port}/"
    with Connection(straight, url, tunnel=False) as client:
        page, head = client.fetch(), client.fetch(method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.header("content-length") == str(len(page.body))
        assert head.headers == page.headers
        assert client.fetch(f"{url}favicon.ico", "HEAD").status == 404


def test_the_page(straight: Proxy) -> None:
    """It needs no script and nothing from elsewhere, names how to go on, and reveals nothing."""
    reply = ask(straight, "GET / HTTP/1.1\nHost: a.example\nCookie: a=b\nX-Secret: s3cret")
    text = reply.body.decode()
    page = Page(text)
    assert page.open == []
    assert (page.tags["html"], "script" in page.tags) == ([{"lang": "en"}], False)
    assert {"header", "main", "h1", "section"} <= page.tags.keys()
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.tags[
        "meta"
    ]
    assert "prefers-color-scheme: dark" in text
    links = {each["href"] for each in page.tags["a"]}
    assert links == {f"http://{NAME}/", f"http://{NAME}/ca.pem"}
    for word in ("cachy env", f"http://{NAME}/setup.sh", "cachy run", "cachy doctor"):
        assert word in text
    assert reply.header("cache-control") == "no-store"
    assert (reply.header("content-security-policy") or "").startswith("default-src 'none'")
    directory = str(straight.settings.options["cachy_dir"])
    for secret in (directory, "s3cret", "a.example", bearer(straight)["Authorization"][7:]):
        assert secret not in text


def test_guards_stay(running: Callable[[str], Proxy]) -> None:
    """What is privileged is reached by cachy_host alone, and by nothing that also names another host."""
    proxy = running("lane")
    own = f"{proxy.host}:{proxy.port}"
    assert b'"name": "cachy"' in ask(proxy, f"GET /status HTTP/1.1\nHost: {NAME}").body
    for head in (
        f"GET http://{own}/status HTTP/1.1\nHost: {NAME}",
        f"GET /status HTTP/1.1\nHost: {NAME}\nHost: {own}",
    ):
        assert ask(proxy, head).status == 403, head
    page = ask(proxy, f"GET /status HTTP/1.1\nHost: {NAME}\nSec-Fetch-Site: cross-site")
    assert page.status == 403
    for path in ("/status", "/ca.pem", "/setup.sh", "/cache/https://h.example/a"):
        token = bearer(proxy)["Authorization"]
        assert ask(proxy, f"GET {path} HTTP/1.1\nHost: {own}\nAuthorization: {token}").status == 404


def test_a_tunnel_to_itself_leads_nowhere(running: Callable[[str], Proxy]) -> None:
    """Where it isn't HTTP that is spoken there."""
    proxy = running("off, eager")
    authority = f"{proxy.host}:{proxy.port}"
    with socket.create_connection((proxy.host, proxy.port), 10) as client:
        client.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        client.sendall(b"SSH-2.0-x\r\n")
        assert client.recv(1000) == b""


def test_another_port_of_this_machine(
    running: Callable[[str], Proxy], start_shared_proxy: ProxyFactory
) -> None:
    """Is another service, which answers as ever."""
    proxy, other = running("lane"), start_shared_proxy(options={"cachy_mode": "off"})
    assert is_page(fetch(proxy, f"{other.url}/"))
    assert f"server connect {other.host}:{other.port}" in proxy.log()


@pytest.mark.parametrize("mode", ["upstream", "everywhere"])
def test_other_ways_to_listen(
    start_proxy: ProxyFactory, plain: Proxy, origin: Origin, mode: str
) -> None:
    """Also in front of another proxy, and on all addresses of the machine, by its name too."""
    args = ["--mode", f"upstream:{plain.url}"] if mode == "upstream" else ["--listen-host", ""]
    proxy = start_proxy(args=args)
    own = f"{proxy.host}:{proxy.port}"
    assert is_page(ask(proxy, f"GET / HTTP/1.1\nHost: {own}"))
    assert ask(proxy, f"GET /favicon.ico HTTP/1.1\nHost: {own}").status == 404
    hosts = [proxy.host]
    if mode == "everywhere":
        hosts += ["127.0.0.2", socket.gethostname().upper()]
    for host in hosts:
        assert is_page(fetch(proxy, f"http://{host}:{proxy.port}/")), host
    assert (misses(proxy), origin.accepted) == ([], 0)


def test_workers(command: Cachy, tmp_path: Path) -> None:
    """The address that `cachy serve` prints, with several workers."""
    need("curl")
    own = ["serve", "--port", "0", "--workers", "2", "--dir", str(tmp_path / "tree")]
    with command.start(*own, "--", *command.arguments) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().split()[-1]
            for _ in range(4):
                for how in ([], ["-x", url]):
                    done = run(["curl", "-sS", *how, f"{url}/"], command.env, tmp_path)
                    assert "This address is a caching proxy" in done.ok().output
        finally:
            process.terminate()
            process.communicate(timeout=20)
    assert Cli(tmp_path / "tree")("misses").out == ""
