"""What is fetched without a client: the whole behind a range, checks in the background."""

from pathlib import Path

import pytest

from support.client import Connection, Incomplete, fetch
from support.factory import ProxyFactory
from support.gated import before_head, in_parts, in_two
from support.message import Request
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree, wait_until

MB = 1 << 20


def test_whole_behind_a_range(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A range on a miss is answered with that range as soon as it is there; the whole is stored."""
    url = f"https://{host}/a.bin"
    pattern = Pattern(3 * MB, seed=1)
    handler, go_on = in_two(origin, pattern, MB)
    origin.handle(host, "/a.bin", handler)
    reply = fetch(shared_proxy, url, headers={"Range": "bytes=1000-1999"})
    assert (reply.status, reply.body) == (206, pattern.slice(1000, 2000))
    assert reply.header("content-range") == f"bytes 1000-1999/{pattern.size}"
    assert reply.cache_status == "cachy; fwd=uri-miss; stored"
    assert f"{host}/a.bin" not in tree(shared_dir)
    # Nobody is there any more, and still all of it comes.
    go_on()
    wait_until(lambda: f"{host}/a.bin" in tree(shared_dir))
    assert tree(shared_dir)[f"{host}/a.bin"] == pattern.slice(0, pattern.size)
    assert [r.header("range") for r in origin.asked(url)] == [None]
    assert fetch(shared_proxy, url, headers={"Range": "bytes=-5"}).cache_status == "cachy; hit"


@pytest.mark.parametrize("upstream_h2", [False, True])
def test_range_far_ahead(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, upstream_h2: bool
) -> None:
    """A range far behind what has arrived goes upstream as asked, while the fetch runs."""
    url = f"https://{host}/a.bin"
    pattern = Pattern(20 * MB, seed=2)
    if upstream_h2:
        origin.http2_hosts.add(host)
    gate = origin.gate()

    async def handler(request: Request, reply: Reply) -> None:
        if request.header("range"):
            assert request.header("range") == "bytes=-1000"
            of = f"bytes {pattern.size - 1000}-{pattern.size - 1}/{pattern.size}"
            await reply.head(206, {"Content-Range": of}, length=1000)
            await reply.send(pattern.slice(pattern.size - 1000, pattern.size))
        else:
            await in_parts(reply, pattern, MB, gate)
            return
        await reply.end()

    origin.handle(host, "/a.bin", handler)
    reply = fetch(shared_proxy, url, headers={"Range": "bytes=-1000"})
    assert (reply.status, reply.body) == (206, pattern.slice(pattern.size - 1000, pattern.size))
    assert reply.cache_status == "cachy; fwd=uri-miss; detail=range"
    with Connection(shared_proxy, url) as near:
        # Ahead, but not far.
        near.send_request(headers={"Range": f"bytes={2 * MB}-{2 * MB + 9}"})
        assert near.read_head().status == 206
        gate.open()
        assert near.read_to_end() == pattern.slice(2 * MB, 2 * MB + 10)
    wait_until(lambda: f"{host}/a.bin" in tree(shared_dir))
    assert sorted(r.header("range") or "" for r in origin.asked(url)) == ["", "bytes=-1000"]
    assert tree(shared_dir)[f"{host}/a.bin"] == pattern.slice(0, pattern.size)


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_range_of_unknown_length(
    shared_proxy: Proxy, origin: Origin, host: str, framing: str
) -> None:
    """Where the origin doesn't tell the length, the range is answered when all of it is there."""
    url = f"https://{host}/a.bin"
    origin.route(url, b"0123456789", framing="chunked" if framing == "chunked" else "close")
    reply = fetch(shared_proxy, url, headers={"Range": "bytes=2-4"})
    assert (reply.status, reply.body) == (206, b"234")
    assert reply.header("content-range") == "bytes 2-4/10"


@pytest.mark.parametrize("status", [404, 503, 401])
def test_range_of_nothing(shared_proxy: Proxy, origin: Origin, host: str, status: int) -> None:
    """An error is an error, also to a range."""
    url = f"https://{host}/a.bin"
    origin.route(url, b"no", status)
    reply = fetch(shared_proxy, url, headers={"Range": "bytes=2-4"})
    assert (reply.status, reply.body) == (status, b"no")


def test_check_in_the_background(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """`stale-while-revalidate`: served at once, checked meanwhile, once however many ask."""
    proxy = start_proxy()
    url = f"https://{host}/a.bin"
    headers = {"Cache-Control": "max-age=0, stale-while-revalidate=1000"}
    answer = origin.route(url, b"1", 200, headers, etag='"1"')
    fetch(proxy, url)
    slowly, go_on = before_head(origin, answer)
    origin.handle(host, "/a.bin", slowly, scheme="https")
    answer.body, answer.etag = b"2", '"2"'
    for _ in range(3):
        reply = fetch(proxy, url, timeout=2)
        assert (reply.body, reply.cache_status) == (b"1", "cachy; hit")
    wait_until(lambda: origin.count(url) == 2)
    assert origin.asked(url)[-1].header("if-none-match") == '"1"'
    go_on()
    wait_until(lambda: tree(cachy_dir).get(f"{host}/a.bin") == b"2")
    assert fetch(proxy, url).body == b"2"


def test_check_in_the_background_that_fails(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """It harms nobody, and is not repeated at once."""
    url = f"https://{host}/a.bin"
    headers = {"Cache-Control": "max-age=0, stale-while-revalidate=1000"}
    answer = origin.route(url, b"1", 200, headers)
    fetch(shared_proxy, url)
    answer.status = 503
    for _ in range(3):
        assert fetch(shared_proxy, url).body == b"1"
    wait_until(lambda: origin.count(url) == 2)
    assert fetch(shared_proxy, url).body == b"1"


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_range_whose_whole_breaks_off(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, framing: str
) -> None:
    """The client is not kept while the whole is fetched over and over: it is asked for the range."""
    url = f"https://{host}/a.bin"

    async def cut(request: Request, reply: Reply) -> None:
        if request.header("range"):
            await reply.head(206, {"Content-Range": "bytes 600-699/1000"}, length=100)
            await reply.send(b"x" * 100)
            await reply.end()
            return
        length = 1000 if framing == "length" else None
        await reply.head(length=length, chunked=framing == "chunked", close=framing == "close")
        await reply.send(b"x" * 500)
        reply.abort()

    origin.handle(host, "/a.bin", cut)
    with Connection(shared_proxy, url, timeout=5) as client:
        client.send_request(headers={"Range": "bytes=600-699"})
        try:
            reply = client.read_head()
            assert (reply.status, len(client.read_to_end())) == (206, 100)
        except (Incomplete, ConnectionError):
            assert framing == "length", "it had been told that all of it would come"
    assert origin.count(url) <= 2
    assert f"{host}/a.bin" not in tree(shared_dir)


def test_range_with_a_full_disk(
    start_proxy: ProxyFactory, small_disk: Path, origin: Origin, host: str
) -> None:
    """What doesn't fit is fetched once for nothing, and then as the client asked."""
    proxy = start_proxy(cachy_dir=small_disk)
    url = f"https://{host}/a.bin"
    pattern = Pattern(12 * MB, seed=4)

    async def handler(request: Request, reply: Reply) -> None:
        if request.header("range"):
            of = f"bytes 10-19/{pattern.size}"
            await reply.head(206, {"Content-Range": of}, length=10)
            await reply.send(pattern.slice(10, 20))
        else:
            await reply.head(chunked=True)
            for chunk in pattern.chunks():
                await reply.send(chunk)
        await reply.end()

    origin.handle(host, "/a.bin", handler)
    reply = fetch(proxy, url, headers={"Range": "bytes=10-19"})
    assert (reply.status, reply.body) == (206, pattern.slice(10, 20))
    assert origin.count(url) == 2
