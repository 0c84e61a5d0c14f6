"""The fast lane's core: byte for byte what mitmproxy sends for the core's own answer."""

import os
import re
from pathlib import Path

import pytest
from mitmproxy.net.http import http1
from mitmproxy.test import tflow

from cachy._core import Answer, Cache, Lane, Request, Turn
from cachy.transaction import Transaction, read_all

HOST = "files.example"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A tree with what people place."""
    folder = tmp_path / HOST / "d"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"small")
    (folder / "large.bin").write_bytes(b"l" * 100_000)
    (folder / "empty").touch()
    os.symlink("404", folder / "missing")
    os.symlink("451", folder / "barred")
    os.symlink("499", folder / "nameless")
    os.symlink("308 https://files.example/d/a.txt", folder / "moved")
    (folder / "index.html").write_bytes(b"<html>")
    return Cache(tmp_path, mode="normal", freshness="auto", private=False)


def tunnel(cache: Cache) -> Lane:
    """The lane of a client that has opened a tunnel."""
    lane = cache.lane()
    asked = f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode()
    assert lane.take(asked) == (Turn.Connect, b"", None, asked)
    assert (lane.host, lane.port) == (HOST, 443)
    lane.tunnel(HOST)
    return lane


def sent(cache: Cache, method: str, path: str, fields: list[tuple[bytes, bytes]]) -> bytes:
    """What mitmproxy sends for the answer of an exchange."""
    request = Request(
        method=method,
        scheme="https",
        host=HOST,
        port=443,
        path=path.encode(),
        headers=fields,
        sni=HOST,
    )
    transaction = Transaction(cache.exchange(request))
    step = transaction.exchange.decide()
    assert isinstance(step, Answer)
    flow = tflow.tflow()
    transaction.answer(flow, step)
    assert flow.response
    body = flow.response.raw_content
    if transaction.body is not None:
        body = read_all(transaction.body)
    head: bytes = http1.assemble_response_head(flow.response)
    return head + (body or b"")


def dated(answer: bytes) -> bytes:
    """An answer without its time, and without what is made up for it."""
    answer = re.sub(rb"\r\nDate: [^\r]*", b"", answer)
    return re.sub(rb"[0-9a-f]{32}", b"BOUNDARY", answer)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "field",
    [
        None,
        ("If-None-Match", "*"),
        ("If-Match", '"x"'),
        ("Range", "bytes=1-2"),
        ("Range", "bytes=0-0,2-3"),
        ("Range", "bytes=900000-"),
    ],
)
@pytest.mark.parametrize(
    "path", ["a.txt", "large.bin", "empty", "missing", "barred", "nameless", "moved", ""]
)
def test_the_same_bytes(
    cache: Cache, path: str, field: tuple[str, str] | None, method: str
) -> None:
    fields = [("Host", HOST), ("Accept", "*/*"), *([field] if field else [])]
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    asked = f"{method} /d/{path} HTTP/1.1\r\n{lines}\r\n".encode()
    turn, out, body, rest = tunnel(cache).take(asked)
    assert (turn, rest) == (Turn.More if body is None else Turn.Body, b"")
    if body is not None:
        out += read_all(body)
    raw = [(name.encode(), value.encode()) for name, value in fields]
    assert dated(out) == dated(sent(cache, method, f"/d/{path}", raw))


def test_what_is_left_is_given_back(cache: Cache) -> None:
    lane = tunnel(cache)
    hit = f"GET /d/a.txt HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    miss = hit.replace(b"a.txt", b"none")
    turn, out, body, rest = lane.take(hit + hit + miss + hit)
    assert (turn, body, rest) == (Turn.Slow, None, miss + hit)
    assert out.count(b"small") == 2
    assert lane.take(hit[:20]) == (Turn.More, b"", None, b"")
    assert lane.pending == lane.drain() == hit[:20]
    assert lane.pending == b""
    turn, out, _, _ = lane.take(hit.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert (turn, out[-5:]) == (Turn.Close, b"small")


def test_where_nothing_is_for_the_lane(cache: Cache) -> None:
    asked = f"GET http://{HOST}/d/a.txt HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    assert cache.lane().take(asked)[0] == Turn.More
    for lane in (cache.lane(own=True), cache.lane(mode="reverse")):
        assert lane.take(asked) == (Turn.Slow, b"", None, asked)
    with pytest.raises(ValueError, match="ftp"):
        cache.lane(scheme="ftp")
