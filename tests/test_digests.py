"""What a URL names by its digest is stored only where the body has that digest."""

import hashlib
from pathlib import Path

import pytest

from support.answer import Answer
from support.client import Connection, fetch
from support.factory import ProxyFactory
from support.message import Request
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Reply
from support.tree import temporary, tree, wait_until

MISS = "cachy; fwd=uri-miss; stored"
BODY = b"\x1f\x8b\x08\0 what the URL means" * 20
SHA256 = hashlib.sha256(BODY).hexdigest()
SHA512 = hashlib.sha512(BODY).hexdigest()
SHA1 = hashlib.sha1(BODY).hexdigest()
MD5 = hashlib.md5(BODY).hexdigest()
BLAKE2 = hashlib.blake2b(BODY, digest_size=32).hexdigest()

NAMED = {
    "apt-sha256": (f"/debian/dists/x/main/by-hash/SHA256/{SHA256}", SHA256),
    "apt-sha512": (f"/debian/dists/x/main/by-hash/SHA512/{SHA512}", SHA512),
    "apt-sha1": (f"/debian/dists/x/main/by-hash/SHA1/{SHA1}", SHA1),
    "apt-md5": (f"/debian/dists/x/main/by-hash/MD5Sum/{MD5}", MD5),
    "oci-blob": (f"/v2/library/x/blobs/sha256:{SHA256}", SHA256),
    "oci-blob-sha512": (f"/v2/library/x/blobs/sha512:{SHA512}", SHA512),
    "oci-manifest": (f"/v2/library/x/manifests/sha256:{SHA256}", SHA256),
    "python": (f"/packages/{BLAKE2[:2]}/{BLAKE2[2:4]}/{BLAKE2[4:]}/x-1.0.tar.gz", BLAKE2),
    "yum": (f"/fedora/repodata/{SHA256}-primary.xml.gz", SHA256),
    "lfs": (f"/group/x.git/info/lfs/objects/{SHA256}", SHA256),
}


def said(proxy: Proxy, url: str) -> list[str]:
    """What the log tells of a URL that is not stored."""
    return [line for line in proxy.log().splitlines() if f"{url} is not stored" in line]


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_other_bytes(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, name: str, framing: str
) -> None:
    """Passed on, never stored, and the log names both digests; the right bytes are stored then."""
    path, digest = NAMED[name]
    url, other = f"https://{host}{path}", BODY[:-1] + b"?"
    answer = origin.route(url, other, framing=framing)  # type: ignore[arg-type]
    for count in (1, 2):
        assert fetch(shared_proxy, url).body == other
        assert origin.count(url) == count
    assert not (shared_dir / host).exists() or tree(shared_dir / host) == {}
    (line,) = said(shared_proxy, url)
    assert digest in line.split("is not stored")[1]
    kind = {128: "sha512", 40: "sha1", 32: "md5"}.get(len(digest), "sha256")
    found = hashlib.new(kind, other).hexdigest()
    if name == "python":
        found = hashlib.blake2b(other, digest_size=32).hexdigest()
    assert found in line
    answer.body = BODY
    assert fetch(shared_proxy, url).cache_status == MISS
    again = fetch(shared_proxy, url)
    assert (again.body, again.cache_status) == (BODY, "cachy; hit")
    assert tree(shared_dir / host) == {path.lstrip("/"): BODY}


def test_a_page_in_its_place(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """The digest alone decides: it is no page's, nor is it nothing's."""
    empty = hashlib.sha256(b"").hexdigest()
    for path, body in [
        (f"/dists/x/by-hash/SHA256/{SHA256}", b"<!DOCTYPE html>"),
        (f"/v2/x/blobs/sha256:{SHA256}", b""),
    ]:
        url = f"https://{host}{path}"
        origin.route(url, body, headers={"Content-Type": "text/html"})
        assert fetch(shared_proxy, url).body == body
        assert not (shared_dir / host).exists() or tree(shared_dir / host) == {}
    url = f"https://{host}/dists/x/by-hash/SHA256/{empty}"
    origin.route(url, b"")
    assert fetch(shared_proxy, url).cache_status == MISS
    assert fetch(shared_proxy, url).cache_status == "cachy; hit"


def test_behind_a_redirect(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """What a registry's storage sends is compared with the URL that was asked."""
    path = f"/v2/library/x/blobs/sha256:{SHA256}"
    url = f"https://{host}{path}"
    signed = (
        f"https://store.{host}/b?X-Amz-Algorithm=A&X-Amz-Credential=A&X-Amz-Date=D"
        "&X-Amz-Expires=300&X-Amz-SignedHeaders=host&X-Amz-Signature=s"
    )

    async def moved(_: Request, reply: Reply) -> None:
        await reply.head(307, {"Location": signed})
        await reply.end()

    gate = origin.gate()
    other = b"x" * 100_000

    async def blob(_: Request, reply: Reply) -> None:
        await reply.head(length=len(other))
        await reply.send(other[:50_000])
        await gate.passed()
        await reply.send(other[50_000:])
        await reply.end()

    origin.handle(host, path, moved)
    origin.handle(f"store.{host}", signed.removeprefix(f"https://store.{host}"), blob)
    with Connection(shared_proxy, url) as client:
        client.send_request()
        client.read_head()
        gate.open()
        assert client.read_to_end() == other
    wait_until(lambda: said(shared_proxy, url))
    assert not (shared_dir / host).exists() or tree(shared_dir / host) == {}
    origin.handle(f"store.{host}", signed.removeprefix(f"https://store.{host}"), Answer(BODY))
    reply = fetch(shared_proxy, url)
    assert (reply.body, reply.cache_status) == (BODY, MISS)
    assert tree(shared_dir / host) == {path.lstrip("/"): BODY}


def test_who_reads_along(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """They get what upstream sends, whole; the next one asks again."""
    path = NAMED["apt-sha256"][0]
    url = f"https://{host}{path}"
    gate = origin.gate()
    other = b"x" * 100_000

    async def handler(_: Request, reply: Reply) -> None:
        await reply.head(length=len(other))
        await reply.send(other[:50_000])
        await gate.passed()
        await reply.send(other[50_000:])
        await reply.end()

    origin.handle(host, path, handler)
    with Connection(shared_proxy, url) as first, Connection(shared_proxy, url) as second:
        for client in (first, second):
            client.send_request()
            client.read_head()
        assert origin.count(url) == 1
        gate.open()
        assert first.read_to_end() == second.read_to_end() == other
    origin.route(url, BODY)
    assert fetch(shared_proxy, url).body == BODY
    assert origin.count(url) == 2
    assert tree(shared_dir / host) == {path.lstrip("/"): BODY}


def test_large_and_flat(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """300 MB with another digest: no more memory, and nothing is left behind."""
    proxy = start_proxy()
    path = NAMED["apt-sha512"][0]
    url = f"https://{host}{path}"
    size = 300 << 20
    origin.route(url, Pattern(size))
    origin.route(f"https://{host}/a", b"a")
    fetch(proxy, f"https://{host}/a")
    before = proxy.peak_rss_kb()
    with Connection(proxy, url) as client:
        client.send_request()
        client.read_head()
        left = size
        while left:
            left -= len(client.read_exactly(min(left, 1 << 20)))
    wait_until(lambda: said(proxy, url))
    assert proxy.peak_rss_kb() - before < 60_000
    assert tree(cachy_dir / host) == {"a": b"a"}
    wait_until(lambda: not [f for f in temporary(cachy_dir) if f.stat().st_size])
