"""The fast lane: hits that are no flows, and nobody notices, but for the speed."""

import re
import time
from pathlib import Path

import pytest

from support.client import Connection, Incomplete, fetch
from support.factory import ProxyFactory
from support.filled import ASKED, LARGE, WHOLE
from support.flows import flows
from support.origin import Origin
from support.proxy import Proxy


def everything(proxy: Proxy, host: str) -> list[bytes]:
    """What comes over the wire for all that is `ASKED`, on one connection, whatever the hour."""
    got = []
    with Connection(proxy, f"https://{host}/") as client:
        for method, path, fields in ASKED:
            client.send_request(f"https://{host}{path}", method, fields)
            head = client.wire.read_until(b"\r\n\r\n")
            bodiless = method == "HEAD" or b" 304 " in head
            length = 0 if bodiless else int(re.findall(rb"(?i)content-length: (\d+)", head)[0])
            body = b""
            while len(body) < length:
                if not client.wire.buffer:
                    assert client.wire.fill(), path
                body += client.wire.take(length - len(body))
            head = re.sub(rb"(?i)\r\n(age|date): [^\r]*", rb"\r\n\1: x", head)
            # The boundary is another one each time.
            boundary = re.findall(rb"boundary=(\S+)", head)
            for mark in boundary:
                head, body = head.replace(mark, b"-"), body.replace(mark, b"-")
            got.append(head + body)
        assert not client.wire.fill(), "the last one asked to close"
    return got


def test_the_same_bytes(stored: Proxy, start_proxy: ProxyFactory, host: str) -> None:
    """Heads in the same order and case, bodies, statuses: only that they are no flows."""
    # So that no condition of a client's is a reason to ask.
    forever = {"cachy_freshness": "forever"}
    lane, slow = start_proxy(options=forever), start_proxy(options=forever | {"cachy_lane": "off"})
    fast = everything(lane, host)
    assert fast == everything(slow, host)
    assert all(b"Cache-Status: cachy; hit" in answer for answer in fast)
    assert flows(lane, host) == []
    assert flows(slow, host) == [f"{method} {path}" for method, path, _ in ASKED]


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_there_and_back(shared_proxy: Proxy, origin: Origin, host: str, scheme: str) -> None:
    """What isn't for the lane goes mitmproxy's way, in the middle of a connection, and the next hit is
    in the lane again.
    """
    site = f"{scheme}://{host}"
    for name in "abc":
        origin.route(f"{site}/{name}", name.encode() * 10)
    origin.route(f"{site}/posted", b"posted")
    fetch(shared_proxy, f"{site}/a")
    before = len(flows(shared_proxy, host))
    with Connection(shared_proxy, f"{site}/a") as client:
        for _ in range(2):
            assert client.fetch().cache_status == "cachy; hit"
        assert "uri-miss" in client.fetch(f"{site}/b").cache_status
        assert client.fetch(f"{site}/b").cache_status == "cachy; hit"
        assert client.fetch(f"{site}/posted", "POST", body=b"x" * 100_000).body == b"posted"
        assert client.fetch(f"{site}/a").body == b"a" * 10
        fields = {"Authorization": "Basic eDp5"}
        assert "authorization" in client.fetch(f"{site}/c", headers=fields).cache_status
        assert client.fetch(f"{site}/b").cache_status == "cachy; hit"
    found = [line for line in flows(shared_proxy, host) if not line.startswith("CONNECT")]
    assert found[before:] == ["GET /b", "POST /posted", "GET /c"]
    assert [request.target for request in origin.requests].count("/a") == 1


def test_pipelined(stored: Proxy, origin: Origin, host: str) -> None:
    """Small and large hits, misses, and a last one whose head comes in two parts."""
    site = f"https://{host}"
    origin.route(f"{site}/new", b"new")
    paths = ["/whole.txt", "/large.bin", "/new", "/large.bin", "/gone", "/whole.txt", "/moved"]
    with Connection(stored, site + "/") as client:
        for path in paths:
            client.send_request(site + path)
        client.wire.sock.sendall(b"GET /whole.txt HTTP/1.1\r\nHo")
        for path in paths:
            reply = client.read_head()
            body = client.read_to_end()
            if path == "/large.bin":
                assert body == LARGE.slice(0, LARGE.size)
            assert reply.cache_status == (
                "cachy; fwd=uri-miss; stored" if path == "/new" else "cachy; hit"
            )
        client.send_raw(f"st: {host}\r\n\r\n".encode())
        assert client.read_head().status == 200
        assert client.read_to_end() == WHOLE


def test_byte_by_byte(stored: Proxy, host: str) -> None:
    """Each byte of two requests is a record of its own."""
    head = f"GET /whole.txt HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n".encode()
    with Connection(stored, f"https://{host}/") as client:
        for _ in range(2):
            for number in range(len(head)):
                client.wire.sock.sendall(head[number : number + 1])
            assert client.read_head().cache_status == "cachy; hit"
            assert client.read_to_end() == WHOLE


def test_who_takes_nothing_gets_nothing(stored: Proxy, host: str) -> None:
    """A client that asks and asks, and doesn't read, fills no memory; others are served meanwhile."""
    site, before = f"https://{host}", stored.rss_kb()
    asked = 400
    with Connection(stored, site + "/", rcvbuf=4096) as client:
        client.wire.sock.settimeout(0.5)
        sent = 0
        try:
            while sent < asked:
                client.send_request(f"{site}/large.bin")
                sent += 1
        except TimeoutError:
            pass  # It isn't even listened to.
        assert fetch(stored, f"{site}/whole.txt").cache_status == "cachy; hit"
        assert stored.rss_kb() - before < 20_000
        client.wire.sock.settimeout(10)
        for _ in range(5):
            assert client.read_head().status == 200
            assert client.read_to_end() == LARGE.slice(0, LARGE.size)


def test_change_is_seen_at_once(stored: Proxy, cachy_dir: Path, origin: Origin, host: str) -> None:
    """What people do to the tree holds for the next request, on the connection that is open."""
    site, file = f"https://{host}", cachy_dir / host / "whole.txt"
    origin.route(f"{site}/whole.txt", b"again")
    with Connection(stored, f"{site}/whole.txt") as client:
        assert client.fetch().body == WHOLE
        for number in range(20):
            file.write_bytes(b"%d" % number)
            assert client.fetch().body == b"%d" % number
        # As long as before, in the same moment.
        for number in range(10, 30):
            with file.open("r+b") as there:
                there.write(b"%d" % number)
            assert client.fetch().body == b"%d" % number
        other = file.with_name("other")
        other.write_bytes(b"moved here")
        other.rename(file)
        assert client.fetch().body == b"moved here"
        file.unlink()
        file.symlink_to("404")
        assert client.fetch().status == 404
        file.unlink()
        file.symlink_to("placed.html")
        assert client.fetch().body == b"<p>mine</p>"
        file.unlink()
        assert client.fetch().body == b"again"
        assert client.fetch().cache_status == "cachy; hit"
        folder = cachy_dir / host
        folder.rename(folder.with_name("elsewhere"))
        assert "uri-miss" in client.fetch().cache_status


def test_nothing_outside(
    stored: Proxy, cachy_dir: Path, tmp_path: Path, origin: Origin, host: str
) -> None:
    """A folder that becomes a link out of the tree: what lay there was a hit before, and is none now."""
    site, folder = f"https://{host}", cachy_dir / host
    with Connection(stored, f"{site}/whole.txt") as client:
        for _ in range(2):
            assert client.fetch().cache_status == "cachy; hit"
        folder.rename(tmp_path / "outside")
        folder.symlink_to(tmp_path / "outside")
        assert "hit" not in client.fetch().cache_status


def test_body_cut_under_the_reader(stored: Proxy, cachy_dir: Path, host: str) -> None:
    """Somebody truncates a large file while it is sent: the connection breaks off, nothing is made up."""
    huge = cachy_dir / host / "huge.bin"
    with huge.open("wb") as file:
        file.truncate(100_000_000)
    with Connection(stored, f"https://{host}/huge.bin", rcvbuf=4096) as client:
        client.send_request()
        assert client.read_head().status == 200
        client.read_exactly(1000)
        with huge.open("r+b") as file:
            file.truncate(1000)
        with pytest.raises((Incomplete, ConnectionError)):
            client.digest_to_end()


def test_while_another_one_takes_much(stored: Proxy, cachy_dir: Path, host: str) -> None:
    """A client in the middle of a large body keeps nobody waiting."""
    with (cachy_dir / host / "huge.bin").open("wb") as file:
        file.truncate(200_000_000)
    with Connection(stored, f"https://{host}/huge.bin") as large:
        large.send_request()
        large.read_head()
        large.read_exactly(1000)
        with Connection(stored, f"https://{host}/whole.txt") as small:
            for _ in range(50):
                assert small.fetch().body == WHOLE
        length, _ = large.digest_to_end()
        assert length + 1000 == 200_000_000


def test_origin_is_asked_when_it_is_time(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """The lane has no freshness of its own: what is over is checked."""
    url = f"https://{host}/page"
    origin.route(url, b"page", etag='"e"', headers={"Cache-Control": "max-age=1"})
    with Connection(shared_proxy, url) as client:
        client.fetch()
        begun = time.monotonic()
        while client.fetch().cache_status == "cachy; hit":
            assert time.monotonic() - begun < 10
    assert [request.header("if-none-match") for request in origin.requests] == [None, '"e"']
