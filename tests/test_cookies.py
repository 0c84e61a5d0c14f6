"""A load balancer's cookies say nothing of who asks: a request that has no others is as one without."""

import subprocess
from pathlib import Path

import pytest

from clients.run import need
from support.client import Connection, fetch
from support.client_h2 import H2Client
from support.message import Request
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree

MISS, HIT = "cachy; fwd=uri-miss; stored", "cachy; hit"
BYPASS = "cachy; fwd=bypass; detail=cookie"
FRESH = {"Cache-Control": "max-age=600"}
BALANCERS = [
    "AWSALB=abc+/=; AWSALBCORS=abc",
    "GCLB=CJ-x",
    "ARRAffinity=0123; ARRAffinitySameSite=0123",
    "__cf_bm=a.b; _cfuvid=c; __cflb=d",
    "BIGipServerpool=1677787402.36895.0000; TS01a1b2c3=0",
    "visid_incap_1=a; incap_ses_2_1=b; nlbi_1=c",
    "SERVERID=s2|abc|def",
]


@pytest.mark.parametrize("cookies", BALANCERS)
@pytest.mark.parametrize("path", ["/a", "/six-1.16.0.tar.gz"])
def test_as_without(
    shared_proxy: Proxy, origin: Origin, host: str, cookies: str, path: str
) -> None:
    """Stored for everybody, and answered from what everybody stored; by the lane too."""
    url = f"https://{host}{path}"
    origin.route(url, b"1", headers=FRESH)
    with Connection(shared_proxy, url) as client:
        for status in (MISS, HIT, HIT, HIT):
            reply = client.fetch(url, headers={"Cookie": cookies})
            assert (reply.body, reply.cache_status) == (b"1", status)
        assert client.fetch(url).cache_status == HIT
    assert origin.count(url) == 1


def test_over_http2(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """There every cookie may be a field of its own (RFC 9113 section 8.2.3)."""
    url = f"https://{host}/a"
    origin.route(url, b"1", headers=FRESH)
    fields = [("cookie", "AWSALB=1"), ("cookie", "AWSALBCORS=2")]
    with H2Client(shared_proxy, url) as client:
        for status in (MISS, HIT):
            assert client.fetch(headers=fields).cache_status == status
        reply = client.fetch(headers=[*fields, ("cookie", "id=3")])
        assert reply.cache_status == BYPASS


@pytest.mark.parametrize(
    "cookies",
    [
        "AWSALB=1; JSESSIONID=2",
        "JSESSIONID=2; AWSALB=1",
        "AWSELBAuthSessionCookie-0=1",
        "NSC_TMAS=1",
        "cf_clearance=1",
        "AWSALB",
        "AWSALB=1, session=2",
    ],
)
def test_one_that_says_something(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, cookies: str
) -> None:
    """It is a credential, whatever is beside it: all go upstream, and nothing is stored."""
    url = f"https://{host}/a"
    origin.route(url, b"own", headers=FRESH)
    for _ in range(2):
        reply = fetch(shared_proxy, url, headers={"Cookie": cookies})
        assert (reply.body, reply.cache_status) == (b"own", BYPASS)
    assert [request.header("cookie") for request in origin.asked(url)] == [cookies] * 2
    assert not [path for path in tree(shared_dir) if path.startswith(host)]


def test_no_client_picks_the_server(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """What is stored for all comes from the server that all would get, also by `Vary: Cookie`."""
    url = f"https://{host}/a"

    async def handler(request: Request, reply: Reply) -> None:
        body = b"of " + (request.header("cookie") or "any").encode()
        await reply.head(200, FRESH | {"Vary": "Cookie"}, length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, "/a", handler, scheme="https")
    for cookies, status in (("SERVERID=old", MISS), ("SERVERID=new", HIT), ("", HIT)):
        headers = {"Cookie": cookies} if cookies else None
        reply = fetch(shared_proxy, url, headers=headers)
        assert (reply.body, reply.cache_status) == (b"of any", status)
    # What isn't stored goes as it came.
    origin.route(f"https://{host}/b", b"2")
    fetch(shared_proxy, f"https://{host}/b", "POST", {"Cookie": "SERVERID=old"}, b"x")
    assert origin.requests[-1].header("cookie") == "SERVERID=old"


def test_curl_with_its_jar(shared_proxy: Proxy, origin: Origin, host: str, tmp_path: Path) -> None:
    """A real client behind a balancer that gives every answer a cookie."""
    need("curl")
    for name in "ab":
        headers = FRESH | {"Set-Cookie": f"AWSALB={name}; Path=/"}
        origin.route(f"https://{host}/{name}", name.encode(), headers=headers)
    words = ["curl", "-fsSi", "-x", shared_proxy.url, "--cacert", str(shared_proxy.ca_pem)]
    words += ["-c", str(tmp_path / "jar"), "-b", str(tmp_path / "jar")]
    said = []
    for name in "abab":
        done = subprocess.run(
            [*words, f"https://{host}/{name}"], check=True, capture_output=True, text=True
        )
        said += [line for line in done.stdout.lower().splitlines() if "cache-status" in line]
    assert "AWSALB" in (tmp_path / "jar").read_text()
    assert said == [f"cache-status: {status}" for status in (MISS, MISS, HIT, HIT)]
