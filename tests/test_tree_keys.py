"""Which requests share an entry: spellings, dot segments, http beside https."""

from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.message import header
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.tree import tree

STORED = "cachy; fwd=uri-miss; stored"
HIT = "cachy; hit"
FRESH = [("Cache-Control", "max-age=1000")]
RELOAD = [("Cache-Control", "no-cache")]


@pytest.mark.parametrize(
    ("spellings", "path"),
    [
        (["/%41%7e", "/A~", "/%41~", "/A%7E"], "A~"),
        (["/A", "/%41"], "A"),
        (["/a%2fb", "/a%2Fb", "/%61%2fb"], "a%2Fb"),
        (["/%2D%5f%2e", "/-_."], "-_."),
        (["/%c3%a9", "/%C3%A9", "/é"], "%C3%A9"),
        (["/é", "/%c3%a9"], "%C3%A9"),
        (["/100%", "/100%25"], "100%25"),
        (["/%~self", "/%25~self"], "%25~self"),
        (["/q?x=%41%2f", "/q?x=A%2F"], "q?x=A%2F"),
        (["/d/%69ndex.html", "/d/index.html"], "d/%~index.html"),
    ],
)
def test_spellings_of_one_url(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    spellings: list[str],
    path: str,
) -> None:
    """Equivalent spellings are one entry, and the origin sees but one of them."""
    asked = f"/{path.replace('%~', '')}" if path.startswith("d/") else f"/{path}"
    origin.route(f"https://{host}{asked}", b"1", headers=FRESH)
    with Connection(shared_proxy, f"https://{host}/") as connection:
        replies = [connection.fetch(f"https://{host}{target}") for target in spellings]
    assert [reply.cache_status for reply in replies] == [STORED] + [HIT] * (len(spellings) - 1)
    assert [request.target for request in origin.requests] == [asked]
    assert {reply.body for reply in replies} == {b"1"}
    assert tree(shared_dir / host) == {path: b"1"}


def test_host_in_capitals(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """Hosts know no case, and the folder is in lower case."""
    origin.route(f"https://{host}/a", b"1", headers=FRESH)
    first = fetch(shared_proxy, f"https://{host.upper()}/a")
    second = fetch(shared_proxy, f"https://{host}/a")
    assert (first.cache_status, second.cache_status) == (STORED, HIT)
    assert tree(shared_dir / host) == {"a": second.body}
    assert not (shared_dir / host.upper()).exists()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_dot_segments_pass(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, scheme: str
) -> None:
    """The origin gets the client's own bytes each time, and nothing is stored."""
    targets = ["/a/../b", "/a/%2e%2e/b", "/a/.%2E/b", "/a/%2E./b", "/./../b", "/%2e/%2e%2e"]
    targets += ["/..", "/../../etc/passwd", "/a/..?q", "/a//..//b"]
    before = tree(shared_dir)
    with Connection(shared_proxy, f"{scheme}://{host}/") as connection:
        for target in targets:
            url = f"{scheme}://{host}{target}"
            origin.route(url, url.encode(), headers=FRESH)
            for _ in range(2):
                reply = connection.fetch(url)
                assert (reply.status, reply.body) == (200, url.encode())
                assert reply.cache_status == "cachy; fwd=bypass; detail=dot-segment"
    assert [request.target for request in origin.requests[::2]] == targets
    assert [request.target for request in origin.requests[1::2]] == targets
    assert tree(shared_dir) == before


def test_https_answers_http(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """What came by https answers http, without asking http."""
    origin.route(f"https://{host}/a", b"secure", etag='"s"', headers=FRESH)
    origin.route(f"http://{host}/a", b"plain", headers=FRESH)
    fetch(shared_proxy, f"https://{host}/a")
    reply = fetch(shared_proxy, f"http://{host}/a")
    assert (reply.body, reply.cache_status) == (b"secure", HIT)
    assert reply.header("etag") == '"s"'
    assert origin.count(f"http://{host}/a") == 0


@pytest.mark.parametrize("stale", [False, True])
@pytest.mark.parametrize("status", [200, 404, 301])
def test_http_never_replaces_https(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int, stale: bool
) -> None:
    """Whatever http says when it is asked, the https entry stays, also when it is stale."""
    url = f"https://{host}/a"
    age = [("Age", "2000")] if stale else []
    origin.route(url, b"secure", etag='"s"', headers=FRESH + age)
    location = [("Location", f"http://{host}/else")] if status == 301 else []
    origin.route(f"http://{host}/a", b"plain", status, headers=FRESH + location)
    fetch(shared_proxy, url)
    fetch(shared_proxy, f"http://{host}/a", headers=RELOAD)
    assert tree(shared_dir / host) == {"a": b"secure"}
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.body) == (200, b"secure")
    assert reply.cache_status == ("cachy; fwd=stale; fwd-status=304" if stale else HIT)
    assert header(origin.asked(url)[-1].headers, "if-none-match") == ('"s"' if stale else None)


@pytest.mark.parametrize("status", [200, 404, 301])
def test_http_never_answers_https(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, status: int
) -> None:
    """What came by http is nothing to https, which replaces it; then https answers both."""
    location = [("Location", f"https://{host}/else")] if status == 301 else []
    origin.route(f"http://{host}/a", b"plain", status, headers=FRESH + location)
    origin.route(f"https://{host}/a", b"secure", headers=FRESH)
    fetch(shared_proxy, f"http://{host}/a")
    assert fetch(shared_proxy, f"http://{host}/a").cache_status == HIT
    reply = fetch(shared_proxy, f"https://{host}/a")
    assert (reply.status, reply.body, reply.cache_status) == (200, b"secure", STORED)
    assert tree(shared_dir / host) == {"a": b"secure"}
    for scheme in ("http", "https"):
        reply = fetch(shared_proxy, f"{scheme}://{host}/a")
        assert (reply.body, reply.cache_status) == (b"secure", HIT)
    assert [request.scheme for request in origin.requests] == ["http", "https"]


@pytest.mark.parametrize("how", ["status", "down"])
def test_http_is_no_fallback_for_https(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    network: Network,
    host: str,
    how: str,
) -> None:
    """An http entry never answers https, also not where https fails."""
    origin.route(f"http://{host}/a", b"plain", headers=FRESH)
    origin.route(f"https://{host}/a", b"sorry", 503)
    fetch(shared_proxy, f"http://{host}/a")
    if how == "down":
        network.down(host)
    reply = fetch(shared_proxy, f"https://{host}/a")
    assert reply.status == (503 if how == "status" else 502)
    assert b"plain" not in reply.body
    assert tree(shared_dir / host) == {"a": b"plain"}
    assert fetch(shared_proxy, f"http://{host}/a").cache_status == HIT


def test_placed_file_answers_both(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A file with no metadata answers http and https."""
    (shared_dir / host).mkdir()
    (shared_dir / host / "a").write_bytes(b"mine")
    for scheme in ("http", "https"):
        reply = fetch(shared_proxy, f"{scheme}://{host}/a")
        assert (reply.body, reply.cache_status) == (b"mine", HIT)
    assert origin.requests == []


def test_an_edit_of_an_http_entry_answers_both(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """The edit makes it a person's file, wherever it came from."""
    origin.route(f"http://{host}/a", b"plain", headers=FRESH)
    fetch(shared_proxy, f"http://{host}/a")
    (shared_dir / host / "a").write_bytes(b"edited")
    for scheme in ("http", "https"):
        reply = fetch(shared_proxy, f"{scheme}://{host}/a")
        assert (reply.body, reply.cache_status) == (b"edited", HIT)
    assert len(origin.requests) == 1


def test_ports_are_sites(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """The same path on another port is another file; one port's http and https share theirs."""
    for port in ("", ":8080", ":8443"):
        origin.route(f"https://{host}{port}/a", f"port{port}".encode(), headers=FRESH)
        fetch(shared_proxy, f"https://{host}{port}/a")
        assert tree(shared_dir / f"{host}{port}") == {"a": f"port{port}".encode()}
    assert fetch(shared_proxy, f"http://{host}:8080/a").body == b"port:8080"
    assert len(origin.requests) == 3
