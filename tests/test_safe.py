"""Nobody gets what isn't meant for him: credentials, cookies, names that disagree, cut bodies."""

import gzip
from pathlib import Path

import pytest

from support.client import Connection, Incomplete, fetch
from support.client_h2 import H2Client
from support.message import Request
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree

WHEEL = "/w/six-1.16.0-py2.py3-none-any.whl"
CREDENTIALS = [("authorization", "Basic eDp5"), ("cookie", "session=1")]
FRESH = {"Cache-Control": "max-age=600"}


def stored(root: Path, host: str) -> dict[str, bytes | str]:
    """What the tree holds of one host."""
    return {k: v for k, v in tree(root).items() if k.startswith(f"{host}/")}


@pytest.mark.parametrize(("field", "value"), CREDENTIALS)
@pytest.mark.parametrize("path", ["/a", WHEEL])
@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_credentials_fill_nothing(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    field: str,
    value: str,
    path: str,
    http2: bool,
) -> None:
    """What was fetched with a credential reaches nobody else, public or not."""
    url = f"https://{host}{path}"
    origin.route(url, b"secret", headers={"Cache-Control": "public, max-age=600"})
    if http2:
        with H2Client(shared_proxy, url) as client:
            reply = client.fetch(headers={field: value})
    else:
        reply = fetch(shared_proxy, url, headers={field: value})
    assert (reply.body, reply.cache_status) == (b"secret", f"cachy; fwd=bypass; detail={field}")
    assert origin.asked(url)[0].header(field) == value
    assert stored(shared_dir, host) == {}
    origin.route(url, b"public")
    assert fetch(shared_proxy, url).body == b"public"


@pytest.mark.parametrize(("field", "value"), CREDENTIALS)
def test_credentials_read_what_is_named_for_good(
    shared_proxy: Proxy, origin: Origin, host: str, field: str, value: str
) -> None:
    """And nothing else, fresh or not; nor does such a request change what is stored."""
    for path, hit in ((WHEEL, True), ("/a", False)):
        url = f"https://{host}{path}"
        answer = origin.route(url, b"anonymous", headers=FRESH)
        fetch(shared_proxy, url)
        answer.body = b"own"
        reply = fetch(shared_proxy, url, headers={field: value})
        expected = (b"anonymous", "cachy; hit")
        if not hit:
            expected = (b"own", f"cachy; fwd=bypass; detail={field}")
        assert (reply.body, reply.cache_status) == expected
        assert origin.count(url) == (1 if hit else 2)
        again = fetch(shared_proxy, url)
        assert (again.body, again.cache_status) == (b"anonymous", "cachy; hit")


def test_set_cookie(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """The first client gets its cookies; nobody else does, nor the disk."""
    url = f"https://{host}/a"
    cookies = [("Set-Cookie", "id=s3cret; Path=/"), ("Set-Cookie", "b=s3cret2")]
    origin.route(url, b"1", headers=[*cookies, *FRESH.items()])
    first, again = fetch(shared_proxy, url), fetch(shared_proxy, url)
    assert [v for k, v in first.headers if k.lower() == "set-cookie"] == [v for _, v in cookies]
    assert (again.cache_status, again.header("set-cookie")) == ("cachy; hit", None)
    files = [p for p in shared_dir.rglob("*") if p.is_file()]
    assert files and not [p for p in files if b"s3cret" in p.read_bytes()]


def test_set_cookie_of_a_check(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Nor are those of a 304 stored."""
    url = f"https://{host}/a"
    answer = origin.route(url, b"1", 200, {"Cache-Control": "max-age=0"}, etag='"1"')
    fetch(shared_proxy, url)
    answer.headers = [("Set-Cookie", "id=1"), *FRESH.items()]
    assert fetch(shared_proxy, url).cache_status == "cachy; fwd=stale; fwd-status=304"
    again = fetch(shared_proxy, url)
    assert (again.cache_status, again.header("set-cookie")) == ("cachy; hit", None)


@pytest.mark.parametrize(
    "how", ["length", "length-fin", "chunked", "chunked-fin", "gzip", "gzip-length", "h2"]
)
def test_cut_body(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, how: str
) -> None:
    """Is never stored, leaves no temporary file, and the client notices."""
    url = f"https://{host}/a"
    text = b"".join(b"%d\n" % n for n in range(50_000))
    body = gzip.compress(text) if "gzip" in how else text
    half = body[: len(body) // 2]
    if how == "h2":
        origin.http2_hosts.add(host)

    async def handler(request: Request, reply: Reply) -> None:
        coding = {"Content-Encoding": "gzip"} if "gzip" in how else {}
        headers = {"Content-Type": "text/plain"} | coding
        if how in ("gzip", "gzip-length"):
            # The framing is whole, what it carries is not.
            length = len(half) if how == "gzip-length" else None
            await reply.head(headers=headers, length=length, chunked=length is None)
        else:
            chunked = "chunked" in how
            await reply.head(
                headers=headers, length=None if chunked else len(body), chunked=chunked
            )
        await reply.send(half)
        if how in ("gzip", "gzip-length", "length-fin"):
            await reply.end()
        elif how != "chunked-fin":
            reply.abort()

    origin.handle(host, "/a", handler)
    for _ in range(2):
        with Connection(shared_proxy, url) as client:
            client.send_request(headers={"Accept-Encoding": "gzip"})
            with pytest.raises((Incomplete, ConnectionError)):
                client.read_head()
                client.read_to_end()
        with H2Client(shared_proxy, url) as client_h2, pytest.raises(Incomplete):
            number = client_h2.send_request(headers={"Accept-Encoding": "gzip"})
            client_h2.read_head(number)
            client_h2.read_to_end(number)
    assert stored(shared_dir, host) == {}
    assert not list((shared_dir / ".cachy/tmp").iterdir())
    origin.route(url, b"whole")
    assert fetch(shared_proxy, url).body == b"whole"


@pytest.mark.parametrize(
    ("header", "sni"),
    [("victim", None), (None, "victim"), ("victim", "victim"), ("victim:8443", None)],
)
def test_names_that_disagree(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    header: str | None,
    sni: str | None,
) -> None:
    """What an attacker's host answers for another's name is stored for neither."""
    attacker, victim = host, f"victim.{host}"
    origin.route(f"https://{victim}/a", b"good")

    async def evil(_: Request, reply: Reply) -> None:
        await reply.head(length=4)
        await reply.send(b"evil")
        await reply.end()

    for name in (attacker, victim, f"{victim}:8443"):
        origin.handle(name, "/a", evil, scheme="https")
    reply = fetch(
        shared_proxy,
        f"https://{attacker}/a",
        headers={"Host": header.replace("victim", victim)} if header else None,
        connect=f"{attacker}:443",
        sni=victim if sni else attacker,
    )
    assert "stored" not in reply.cache_status
    assert reply.cache_status == "cachy; fwd=bypass; detail=host-mismatch"
    assert stored(shared_dir, victim) == stored(shared_dir, attacker) == {}
    origin.route(f"https://{victim}/a", b"good")
    assert fetch(shared_proxy, f"https://{victim}/a").body == b"good"
    # Nor is what is stored of the victim given out under the attacker's connection.
    reply = fetch(shared_proxy, f"https://{attacker}/a", headers={"Host": victim}, sni=attacker)
    assert "hit" not in reply.cache_status


@pytest.mark.parametrize("target", ["/a/../b", "/a/%2e%2E/b", "/./../b", "/a/.."])
def test_dot_segments(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, target: str
) -> None:
    """Pass through byte by byte, and nothing is stored."""
    url = f"https://{host}{target}"
    origin.route(url, b"1")
    for count in (1, 2):
        reply = fetch(shared_proxy, url)
        assert (reply.body, reply.cache_status) == (b"1", "cachy; fwd=bypass; detail=dot-segment")
        assert origin.count(url) == count
    assert stored(shared_dir, host) == {}


def test_untrusted_upstream(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """An origin whose certificate doesn't verify is not asked, and its answer is not stored."""
    origin.untrusted_hosts.add(host)
    origin.route(f"https://{host}/a", b"evil")
    assert fetch(shared_proxy, f"https://{host}/a").status == 502
    assert (origin.requests, stored(shared_dir, host)) == ([], {})


@pytest.mark.parametrize("stored_", [True, False])
@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_cut_body_without_length(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, http2: bool, stored_: bool
) -> None:
    """A reset is no end of a body that only the closing of the connection ends: the client is told."""
    url = f"https://{host}/a"

    async def handler(_: Request, reply: Reply) -> None:
        await reply.head(headers={} if stored_ else {"Cache-Control": "no-store"}, close=True)
        await reply.send(b"half")
        reply.abort()

    origin.handle(host, "/a", handler)
    if http2:
        with H2Client(shared_proxy, url) as h2, pytest.raises(Incomplete):
            number = h2.send_request()
            h2.read_head(number)
            h2.read_to_end(number)
    else:
        with Connection(shared_proxy, url) as client:
            client.send_request()
            with pytest.raises((Incomplete, ConnectionError)):
                client.read_head()
                client.read_to_end()
    assert stored(shared_dir, host) == {}


def test_http2_tells_the_end_without_a_length(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A body that came by HTTP/2 without a length is whole when its stream has ended, and named for good."""
    origin.http2_hosts.add(host)
    origin.route(f"https://{host}{WHEEL}", b"wheel", framing="chunked")
    with H2Client(shared_proxy, f"https://{host}{WHEEL}") as client:
        assert client.fetch().body == b"wheel"
    assert [r.version for r in origin.requests] == ["2"]
    assert stored(shared_dir, host) == {host + WHEEL: b"wheel"}
    a_while_ago(shared_dir, 30 * 86_400, of=host)
    assert fetch(shared_proxy, f"https://{host}{WHEEL}").cache_status == "cachy; hit"
