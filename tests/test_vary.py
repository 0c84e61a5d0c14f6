"""Variants of one URL, and what the origin wants not to be stored."""

from pathlib import Path

import pytest

from support.client import fetch
from support.factory import ProxyFactory
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree

JSON = "application/vnd.pypi.simple.v1+json"
PIP = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
FRESH = {"Cache-Control": "max-age=600"}


def stored(root: Path, host: str) -> list[bytes | str]:
    """All bodies and links of one host."""
    return sorted((v for k, v in tree(root).items() if k.startswith(f"{host}/")), key=str)


def by_accept(origin: Origin, host: str, target: str, headers: dict[str, str]) -> None:
    """Lets the origin answer JSON or HTML by Accept."""

    async def handler(request: Request, reply: Reply) -> None:
        kind = JSON if JSON in (request.header("accept") or "") else "text/html"
        await reply.head(headers={"Content-Type": kind} | headers, length=len(kind))
        await reply.send(kind.encode())
        await reply.end()

    origin.handle(host, target, handler)


@pytest.mark.parametrize("first", [PIP, "text/html", "*/*", None])
@pytest.mark.parametrize("vary", [{}, {"Vary": "Accept"}, {"Vary": "Accept-Encoding, Accept"}])
def test_python_index(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    first: str | None,
    vary: dict[str, str],
) -> None:
    """pip and a browser get each its own, whoever comes first, whether Vary is told or not."""
    url = f"https://{host}/simple/six/"
    by_accept(origin, host, "/simple/six/", FRESH | vary)
    others = [PIP, "text/html"] if first == PIP else ["text/html", PIP]
    for accept in [first, *others, *others]:
        reply = fetch(shared_proxy, url, headers={} if accept is None else {"Accept": accept})
        kind = JSON if accept == PIP else "text/html"
        assert (reply.body, reply.header("content-type")) == (kind.encode(), kind), accept
    assert reply.cache_status == "cachy; hit"
    assert stored(shared_dir, host) == [JSON.encode(), b"text/html"]
    assert origin.count(url) == 2


def test_vary_accept(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """Each value of a field that is named by Vary has its variant beside the first."""
    url = f"https://{host}/doc"
    by_accept(origin, host, "/doc", FRESH | {"Vary": "Accept"})
    statuses = [
        fetch(shared_proxy, url, headers={"Accept": accept}).cache_status
        for accept in ("text/html", JSON, JSON, "text/html")
    ]
    assert statuses[:2] == ["cachy; fwd=uri-miss; stored", "cachy; fwd=vary-miss; stored"]
    assert statuses[2:] == ["cachy; hit", "cachy; hit"]
    names = [k for k in tree(shared_dir) if k.startswith(f"{host}/")]
    assert len(names) == 2 and all(n.startswith(f"{host}/doc") for n in names)
    assert sum("%~v-" in n for n in names) == 1
    # Gone with its NAME.
    (shared_dir / host / "doc").unlink()
    assert fetch(shared_proxy, url, headers={"Accept": JSON}).body == JSON.encode()
    assert origin.count(url) == 3


def test_other_fields_do_not_matter(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """What Vary doesn't name does not part requests."""
    url = f"https://{host}/doc"
    origin.route(url, b"1", headers=FRESH | {"Vary": "Accept"})
    fetch(shared_proxy, url, headers={"Accept": "a, b", "User-Agent": "x"})
    reply = fetch(shared_proxy, url, headers={"Accept": "a,b", "User-Agent": "y", "X": "z"})
    assert reply.cache_status == "cachy; hit"
    assert origin.count(url) == 1


@pytest.mark.parametrize(
    ("headers", "request_", "kept"),
    [
        ({"Cache-Control": "no-store"}, {}, False),
        ({"Cache-Control": "max-age=60, No-Store"}, {}, False),
        ({"Vary": "*"}, {}, False),
        ({"Vary": "Accept, *"}, {}, False),
        ({"Cache-Control": "private, max-age=60"}, {}, True),
        ({"Cache-Control": 'private="set-cookie"'}, {}, True),
        ({"Cache-Control": "must-revalidate, max-age=60"}, {}, True),
    ],
)
def test_not_to_be_stored(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    headers: dict[str, str],
    request_: dict[str, str],
    kept: bool,
) -> None:
    """`no-store` and `Vary: *` are not stored; `private` is, where the request was anonymous."""
    url = f"https://{host}/a"
    origin.route(url, b"1", headers=headers)
    first, again = (fetch(shared_proxy, url, headers=request_) for _ in range(2))
    assert (first.body, again.body) == (b"1", b"1")
    assert ("stored" in first.cache_status.split("; ")) == kept
    assert (origin.count(url), again.cache_status == "cachy; hit") == (
        (1, True) if kept else (2, False)
    )
    assert stored(shared_dir, host) == ([b"1"] if kept else [])


def test_better_than_nothing(
    shared_proxy: Proxy, origin: Origin, network: Network, host: str
) -> None:
    """When upstream fails, who takes anything gets the variant that is there; others do not."""
    url = f"https://{host}/simple/six/"
    by_accept(origin, host, "/simple/six/", FRESH)
    fetch(shared_proxy, url, headers={"Accept": PIP})
    network.down(host)
    reply = fetch(shared_proxy, url, headers={"Accept": "*/*"})
    assert (reply.body, reply.cache_status) == (JSON.encode(), "cachy; hit; detail=stale-if-error")
    reply = fetch(shared_proxy, url, headers={"Accept": "text/html"})
    assert reply.status == 502
    assert b"put the file" not in reply.body


def test_offline_leaves_the_other_variant(
    start_proxy: ProxyFactory, origin: Origin, cachy_dir: Path, host: str
) -> None:
    """The text for a miss does not tell to overwrite what others need."""
    url = f"https://{host}/simple/six/"
    by_accept(origin, host, "/simple/six/", FRESH)
    with_line = start_proxy()
    fetch(with_line, url, headers={"Accept": PIP})
    with_line.stop()
    offline = start_proxy(options={"cachy_mode": "offline"})
    assert fetch(offline, url, headers={"Accept": "*/*"}).body == JSON.encode()
    reply = fetch(offline, url, headers={"Accept": "text/html"})
    assert reply.status == 403
    assert b"Leave that file" in reply.body and b"curl" not in reply.body
    assert stored(cachy_dir, host) == [JSON.encode()]


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b' {"meta": {}}', JSON), (b"<!DOCTYPE html>", "text/html")],
)
def test_python_index_by_hand(
    shared_proxy: Proxy, shared_dir: Path, host: str, content: bytes, kind: str
) -> None:
    """Both kinds have one name, so the bytes tell; also in a tree that lost its metadata."""
    folder = shared_dir / host / "simple/six"
    folder.mkdir(parents=True)
    (folder / "index.html").write_bytes(content)
    reply = fetch(shared_proxy, f"https://{host}/simple/six/", headers={"Accept": PIP})
    assert (reply.body, reply.header("content-type")) == (content, kind)
