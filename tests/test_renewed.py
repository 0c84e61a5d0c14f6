"""Other bytes under a name for good: the log says it, with both digests."""

import hashlib

import pytest

from support.client import fetch
from support.factory import ProxyFactory
from support.origin import Origin
from support.proxy import Proxy

WHEEL = "/w/six-1.16.0-py2.py3-none-any.whl"
WAS, NOW = b"PK\x03\x04 was", b"PK\x03\x04 is now another"
RELOAD = {"Cache-Control": "no-cache"}


def digest(body: bytes) -> str:
    """As the log has it."""
    return hashlib.sha256(body).hexdigest()


@pytest.fixture(params=["auto", "off"])
def refreshing(start_proxy: ProxyFactory, request: pytest.FixtureRequest) -> Proxy:
    """Asks upstream about everything."""
    return start_proxy(options={"cachy_mode": "refresh", "cachy_lane": request.param})


def lines(proxy: Proxy) -> list[str]:
    """What the log says of it so far."""
    return [line for line in proxy.log().splitlines() if "names a version" in line]


def test_replaced(refreshing: Proxy, origin: Origin, host: str) -> None:
    """Once, with what was there and what is."""
    url = f"https://{host}{WHEEL}"
    answer = origin.route(url, WAS, etag='"1"')
    fetch(refreshing, url)
    answer.body, answer.etag = NOW, '"2"'
    assert fetch(refreshing, url).body == NOW
    assert fetch(refreshing, url).body == NOW
    found = lines(refreshing)
    assert len(found) == 1
    assert url in found[0]
    assert f"sha256 {digest(NOW)} is served from now on, {digest(WAS)} was" in found[0]


def test_the_same_bytes(refreshing: Proxy, origin: Origin, host: str) -> None:
    """Another tag, or the same bytes again, is nothing to tell; nor is a name that moves."""
    wheel, moves = f"https://{host}{WHEEL}", f"https://{host}/simple/six/"
    answers = [origin.route(url, WAS, etag='"1"') for url in (wheel, moves)]
    for url in (wheel, moves):
        fetch(refreshing, url)
    for answer in answers:
        answer.etag = '"2"'
    answers[1].body = NOW
    assert (fetch(refreshing, wheel).body, fetch(refreshing, moves).body) == (WAS, NOW)
    assert lines(refreshing) == []


@pytest.mark.parametrize(
    ("method", "fields"),
    [("HEAD", {}), ("GET", {"Cache-Control": "no-store"})],
)
def test_kept(
    refreshing: Proxy, origin: Origin, host: str, method: str, fields: dict[str, str]
) -> None:
    """What comes isn't stored: what is served on, and by what the other one was known."""
    url = f"https://{host}{WHEEL}"
    answer = origin.route(url, WAS, etag='"1"')
    fetch(refreshing, url)
    answer.body, answer.etag, answer.headers = NOW, '"2"', list(fields.items())
    assert fetch(refreshing, url, method).status == 200
    found = lines(refreshing)
    assert len(found) == 1
    assert f'(ETag "2", length {len(NOW)})' in found[0]
    assert f"sha256 {digest(WAS)}, {len(WAS)} bytes, is served on" in found[0]


@pytest.mark.parametrize("lane", ["auto", "off"])
def test_a_person_reloads(start_proxy: ProxyFactory, origin: Origin, host: str, lane: str) -> None:
    """Nobody else asks about a name for good; what a reload brings is told as well."""
    proxy = start_proxy(options={"cachy_lane": lane})
    url = f"https://{host}{WHEEL}"
    answer = origin.route(url, WAS, etag='"1"')
    fetch(proxy, url)
    answer.body, answer.etag = NOW, '"2"'
    assert fetch(proxy, url).body == WAS
    assert lines(proxy) == []
    assert fetch(proxy, url, headers=RELOAD).body == NOW
    assert [digest(NOW) in line and digest(WAS) in line for line in lines(proxy)] == [True]
