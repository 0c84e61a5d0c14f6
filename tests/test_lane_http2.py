"""HTTP/2 in the fast lane: hits are no flows, and everything else is mitmproxy's, on one connection."""

import re
from pathlib import Path

import pytest

from cachy import addon_path
from support.client import Incomplete, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.filled import ASKED, LARGE, WHOLE
from support.flows import flows
from support.message import Request
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply
from support.tree import wait_until

MB = 1024 * 1024


def everything(proxy: Proxy, host: str) -> list[object]:
    """What comes for all that is `ASKED` but for what HTTP/2 can't ask, whatever the hour."""
    got: list[object] = []
    with H2Client(proxy, f"https://{host}/") as client:
        for method, path, fields in ASKED:
            if "Connection" in fields:
                continue
            reply = client.fetch(f"https://{host}{path}", method, fields)
            pairs = [
                (name, "x" if name in ("age", "date") else value) for name, value in reply.headers
            ]
            body = reply.body
            if boundary := re.search(r"boundary=(\S+)", reply.header("content-type") or ""):
                mark = boundary[1]
                pairs = [(name, value.replace(mark, "-")) for name, value in pairs]
                body = body.replace(mark.encode(), b"-")
            got.append((reply.status, pairs, body))
    return got


def test_the_same_answers(stored: Proxy, start_proxy: ProxyFactory, host: str) -> None:
    """Fields in the same order, bodies, statuses: only that they are no flows."""
    forever = {"cachy_freshness": "forever"}
    lane, slow = start_proxy(options=forever), start_proxy(options=forever | {"cachy_lane": "off"})
    assert everything(lane, host) == everything(slow, host)
    assert flows(lane, host) == []
    assert len(flows(slow, host)) == len(ASKED) - 1


def test_hits_and_others(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """On one connection, and none waits for another."""
    site = f"https://{host}"
    gate = origin.gate()

    async def slow(_: Request, reply: Reply) -> None:
        await gate.passed()
        await reply.head(length=4)
        await reply.send(b"late")
        await reply.end()

    origin.route(f"{site}/hit", b"hit" * 1000)
    origin.route(f"{site}/posted", b"posted")
    origin.handle(host, "/slow", slow)
    fetch(shared_proxy, f"{site}/hit")
    before = len(flows(shared_proxy, host))
    with H2Client(shared_proxy, site) as client:
        first = client.send_request(f"{site}/slow")
        for _ in range(3):
            reply = client.fetch(f"{site}/hit")
            assert (reply.cache_status, reply.body) == ("cachy; hit", b"hit" * 1000)
        assert client.fetch(f"{site}/posted", "POST", body=b"x" * 10_000).body == b"posted"
        gate.open()
        assert client.read_head(first).cache_status == "cachy; fwd=uri-miss; stored"
        assert client.read_to_end(first) == b"late"
        assert client.fetch(f"{site}/slow").cache_status == "cachy; hit"
        fields = {"Authorization": "Basic eDp5"}
        assert "authorization" in client.fetch(f"{site}/hit", headers=fields).cache_status
    found = [line for line in flows(shared_proxy, host) if not line.startswith("CONNECT")]
    assert sorted(found[before:]) == ["GET /hit", "GET /slow", "POST /posted"]
    (posted,) = [request for request in origin.requests if request.target == "/posted"]
    assert posted.body == b"x" * 10_000


def test_windows_of_others(stored: Proxy, cachy_dir: Path, host: str) -> None:
    """Large bodies nobody takes hold up no other stream, and fill no memory."""
    with (cachy_dir / host / "huge.bin").open("wb") as file:
        file.truncate(100 * MB)
    before = stored.rss_kb()
    with H2Client(stored, f"https://{host}/", window=70_000, automatic=False) as client:
        stalled = [client.send_request(f"https://{host}/huge.bin") for _ in range(20)]
        for number in stalled:
            assert client.read_head(number).cache_status == "cachy; hit"
            client.pump(lambda number=number: client.streams[number].received == 70_000)  # type: ignore[misc]
        assert client.fetch(f"https://{host}/whole.txt").body == WHOLE
        assert stored.rss_kb() - before < 30_000
        client.open_window(stalled[7], 30_000)
        client.pump(lambda: client.streams[stalled[7]].received == 100_000)
        client.reset(stalled[7])
        assert client.fetch(f"https://{host}/whole.txt").body == WHOLE


def test_who_takes_nothing(stored: Proxy, cachy_dir: Path, host: str) -> None:
    """Wide windows, and a socket that nobody reads: what waits is bounded."""
    with (cachy_dir / host / "huge.bin").open("wb") as file:
        file.truncate(200 * MB)
    before = stored.rss_kb()
    with H2Client(stored, f"https://{host}/", window=2**30, rcvbuf=65536) as client:
        numbers = [client.send_request(f"https://{host}/huge.bin") for _ in range(8)]
        client.read_head(numbers[0])
        assert fetch(stored, f"https://{host}/whole.txt").body == WHOLE
        assert stored.rss_kb() - before < 30_000
        client.pump(lambda: all(client.streams[n].received > MB for n in numbers))


def test_change_is_seen_at_once(stored: Proxy, cachy_dir: Path, origin: Origin, host: str) -> None:
    """What people do to the tree holds for the next request, on the connection that is open."""
    site, file = f"https://{host}", cachy_dir / host / "whole.txt"
    origin.route(f"{site}/whole.txt", b"again")
    with H2Client(stored, f"{site}/whole.txt") as client:
        assert client.fetch().body == WHOLE
        for number in range(10):
            file.write_bytes(b"%d" % number)
            assert client.fetch().body == b"%d" % number
        file.unlink()
        file.symlink_to("404")
        assert client.fetch().status == 404
        file.unlink()
        assert client.fetch().body == b"again"
        assert client.fetch().cache_status == "cachy; hit"


def test_body_cut_under_the_reader(stored: Proxy, cachy_dir: Path, host: str) -> None:
    """The stream is reset, and nothing is made up; the others go on."""
    huge = cachy_dir / host / "huge.bin"
    with huge.open("wb") as file:
        file.truncate(100 * MB)
    with H2Client(stored, f"https://{host}/huge.bin") as client:
        number = client.send_request()
        client.read(number, 1000)
        with huge.open("r+b") as file:
            file.truncate(1000)
        with pytest.raises(Incomplete):
            client.read_to_end(number)
        assert client.fetch(f"https://{host}/whole.txt").body == WHOLE


def test_upstream_that_breaks_off(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """What mitmproxy resets is reset for the client."""

    async def cut(_: Request, reply: Reply) -> None:
        await reply.head(length=1000)
        await reply.send(b"some")
        reply.abort()

    origin.handle(host, "/cut", cut)
    origin.route(f"https://{host}/a", b"a")
    with H2Client(shared_proxy, f"https://{host}/") as client:
        number = client.send_request(f"https://{host}/cut")
        with pytest.raises(Incomplete):
            client.read_to_end(number)
        assert client.fetch(f"https://{host}/a").body == b"a"
        assert client.fetch(f"https://{host}/a").cache_status == "cachy; hit"


@pytest.mark.parametrize("asked", [False, True])
def test_bytes_that_are_no_http2(stored: Proxy, host: str, asked: bool) -> None:
    """The connection ends, whether or not mitmproxy has had anything of it; the proxy goes on."""
    with H2Client(stored, f"https://{host}/") as client:
        if asked:
            client.fetch(f"https://{host}/none")
        client.wire.sock.settimeout(10)
        client.wire.sock.sendall(b"\xff" * 1000)
        with pytest.raises((Incomplete, ConnectionError)):
            client.pump(lambda: False, timeout=10)
    assert fetch(stored, f"https://{host}/whole.txt").body == WHOLE


def test_options_change(
    start_proxy: ProxyFactory, tmp_path: Path, cachy_dir: Path, host: str
) -> None:
    """What is asked from then on goes by the new ones, on the connection that is open."""
    (cachy_dir / host).mkdir(parents=True)
    (cachy_dir / host / "a").write_bytes(b"mine")
    script = tmp_path / "changing.py"
    script.write_text(
        "from mitmproxy import ctx\n"
        "def client_disconnected(client): ctx.options.update(cachy_mode='off')\n"
    )
    proxy = start_proxy(scripts=[Path(addon_path()), script], options={"cachy_dir": str(cachy_dir)})
    with H2Client(proxy, f"https://{host}/a") as client:
        assert client.fetch().cache_status == "cachy; hit"
        assert flows(proxy, host) == []
        fetch(proxy, f"https://{host}/a")
        wait_until(lambda: "off" in client.fetch().cache_status)


def test_the_proxy_itself(stored: Proxy, host: str) -> None:
    """Its own pages, and targets that nobody can mean, are mitmproxy's to answer."""
    with H2Client(stored, f"https://{host}/whole.txt") as client:
        assert "bypass" in client.fetch(f"https://{host}/a/../whole.txt").cache_status
        other = client.fetch("https://other.example/whole.txt")
        assert "hit" not in other.cache_status
        assert client.fetch().cache_status == "cachy; hit"


def test_large_and_small(stored: Proxy, cachy_dir: Path, host: str) -> None:
    """Whole bodies of all sizes, at once."""
    with H2Client(stored, f"https://{host}/") as client:
        numbers = [
            client.send_request(f"https://{host}{path}")
            for path in ("/large.bin", "/whole.txt", "/empty", "/gone") * 20
        ]
        bodies = [client.read_to_end(number) for number in numbers]
    assert bodies == [LARGE.slice(0, LARGE.size), WHOLE, b"", b"no more"] * 20
    wait_until(lambda: "client disconnect" in stored.log())
