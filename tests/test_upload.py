"""People help a team by upload: curl -T into the tree, whole or not at all, and it is theirs."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from support.client import Connection, Incomplete, Reply, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.gated import in_two
from support.home import NAME, bearer, cached, token
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.tree import temporary, tree, wait_until

MB = 1 << 20


def curl(proxy: Proxy, *args: str, stdin: bytes = b"") -> tuple[int, bytes]:
    """The status, and what came."""
    command = ["curl", "-sS", "--max-time", "30", "-x", proxy.url, "-w", "%{stderr}%{http_code}"]
    done = subprocess.run([*command, *args], input=stdin, capture_output=True, check=False)
    assert done.stderr[-3:].isdigit(), done.stderr
    return int(done.stderr[-3:]), done.stdout


def put(proxy: Proxy, url: str, body: bytes, **headers: str) -> Reply:
    """Uploads something."""
    return fetch(proxy, cached(url), "PUT", bearer(proxy) | headers, body)


def test_with_curl(
    shared_proxy: Proxy, shared_dir: Path, tmp_path: Path, origin: Origin, host: str
) -> None:
    """Placed, replaced, read, removed; the URL is answered from it at once, by http and https."""
    file, url = tmp_path / "file", f"https://{host}/dir/six-1.0.whl"
    auth = ["-u", f":{token(shared_proxy)}"]
    file.write_bytes(b"one")
    status, text = curl(shared_proxy, *auth, "-T", str(file), cached(url))
    assert (status, str(shared_dir / host / "dir/six-1.0.whl") in text.decode()) == (201, True)
    file.write_bytes(b"two!")
    assert curl(shared_proxy, *auth, "-T", str(file), cached(url)) == (204, b"")
    for scheme in ("http", "https"):
        reply = fetch(shared_proxy, f"{scheme}://{host}/dir/six-1.0.whl")
        assert (reply.body, reply.cache_status) == (b"two!", "cachy; hit")
    # What comes from a pipe is sent in chunks.
    assert curl(shared_proxy, *auth, "-T", "-", cached(url), stdin=b"two!!") == (204, b"")
    assert curl(shared_proxy, *auth, "-T", str(file), cached(url))[0] == 204
    assert curl(shared_proxy, *auth, cached(url)) == (200, b"two!")
    assert curl(shared_proxy, *auth, "-r", "1-2", cached(url)) == (206, b"wo")
    assert curl(shared_proxy, *auth, "-I", cached(url))[0] == 200
    assert curl(shared_proxy, *auth, "-X", "DELETE", cached(url)) == (204, b"")
    assert curl(shared_proxy, *auth, "-X", "DELETE", cached(url))[0] == 404
    assert curl(shared_proxy, *auth, cached(url))[0] == 404
    assert tree(shared_dir / host) == {}
    assert origin.requests == []


@pytest.mark.parametrize(
    ("spelt", "path"),
    [
        ("https://{host}/a//b", "a/%~/b"),
        ("https:/{host}/a/c", "a/c"),
        ("HTTPS://{host}/%7Eme/d%2fe", "~me/d%2Fe"),
        ("http://{host}/f/", "f/index.html"),
        ("https://{host}/g?u=h/i&x=1", "g?u=h%~2Fi&x=1"),
        ("https://{host}/index.html", "%~index.html"),
        ("https://{host}", "index.html"),
    ],
)
def test_every_url(
    shared_proxy: Proxy, shared_dir: Path, tmp_path: Path, host: str, spelt: str, path: str
) -> None:
    """The client's own bytes tell the path."""
    (tmp_path / "file").write_bytes(b"x")
    # To a URL that ends in a slash curl would add the file's name.
    how = ["-T", "{file}"] if not spelt.endswith("/") else ["-X", "PUT", "--data-binary", "@{file}"]
    how = [arg.format(file=tmp_path / "file") for arg in how]
    args = ["--path-as-is", "-u", f":{token(shared_proxy)}", *how]
    assert curl(shared_proxy, *args, cached(spelt.format(host=host)))[0] == 201
    assert (shared_dir / host / path).read_bytes() == b"x"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://{host}/../a", 400),
        ("https://{host}/%2e%2E/a", 400),
        ("ftp://{host}/a", 400),
        ("{host}/a", 400),
        ("https://me@{host}/a", 400),
        ("https://.cachy/token", 400),
        ("https://", 400),
        ("https://cachy.internal/", 400),
        ("https://{host}/out/a", 409),
    ],
)
def test_what_has_no_place(
    shared_proxy: Proxy, shared_dir: Path, host: str, url: str, status: int
) -> None:
    """Refused, with a reason, before anything is sent; nothing changes."""
    folder = shared_dir / host
    folder.mkdir()
    (folder / "real").write_bytes(b"mine")
    (folder / "link").symlink_to("real")
    (folder / "out").symlink_to("/tmp")
    reply = put(shared_proxy, url.format(host=host), b"x")
    assert (reply.status, len(reply.body) > 20) == (status, True)
    assert tree(folder) == {"real": b"mine", "link": "-> real", "out": "-> /tmp"}
    assert temporary(shared_dir) == []


def test_file_and_folder(shared_proxy: Proxy, shared_dir: Path, host: str) -> None:
    """Both, in whichever order they come; and in the place of a status."""
    for path in ("a/b", "a", "a/b/c", "gone"):
        if path == "gone":
            (shared_dir / host / "gone").symlink_to("404")
        assert put(shared_proxy, f"https://{host}/{path}", path.encode()).status in (201, 204)
        assert fetch(shared_proxy, f"https://{host}/{path}").body == path.encode()
    assert sorted(tree(shared_dir / host)) == ["a/%~self", "a/b/%~self", "a/b/c", "gone"]


def test_it_is_a_persons_file(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Although the same bytes were fetched, and are stale: nobody asks upstream."""
    url = f"https://{host}/simple/six/"
    origin.route(url, b"same", headers={"Cache-Control": "max-age=0"})
    fetch(shared_proxy, url)
    assert put(shared_proxy, url, b"same").status == 204
    reply = fetch(shared_proxy, url, headers={"Cache-Control": "no-cache"})
    assert (reply.body, reply.cache_status) == (b"same", "cachy; hit")
    assert origin.count(url) == 1


def test_while_it_is_fetched(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """The person's file wins; who was reading gets what upstream sends."""
    url, body = f"https://{host}/a.zip", Pattern(MB)
    handler, go_on = in_two(origin, body, 1000)
    origin.handle(host, "/a.zip", handler)
    with Connection(shared_proxy, url) as client:
        client.send_request()
        client.read_head()
        assert client.read_exactly(1000) == body.slice(0, 1000)
        assert put(shared_proxy, url, b"mine").status == 201
        go_on()
        assert client.read_to_end() == body.slice(1000, MB)
    wait_until(lambda: temporary(shared_dir) == [])
    assert fetch(shared_proxy, url).body == b"mine"


@pytest.mark.parametrize(("protocol", "size"), [("--http1.1", 300), ("--http2", 100)])
def test_memory_is_flat(
    shared_proxy: Proxy, shared_dir: Path, tmp_path: Path, host: str, protocol: str, size: int
) -> None:
    """So many MB, with Expect: 100-continue as curl sends it; with a wrong token too."""
    file = tmp_path / "big"
    with file.open("wb") as big:
        for _ in range(size):
            big.write(os.urandom(1024) * 1024)
    url = cached(f"https://{host}/big")
    if protocol == "--http2":
        url = url.replace("http:", "https:", 1)
    args = [protocol, "--cacert", str(shared_proxy.ca_pem), "-T", str(file), url]
    shared_proxy.reset_peak_rss()
    before = shared_proxy.rss_kb()
    assert curl(shared_proxy, "-u", ":wrong", *args)[0] == 401
    assert not (shared_dir / host).exists()
    assert curl(shared_proxy, "-H", "Expect:", "-u", ":wrong", *args)[0] == 401
    assert curl(shared_proxy, "-u", f":{token(shared_proxy)}", *args)[0] == 201
    subprocess.run(["cmp", str(file), str(shared_dir / host / "big")], check=True)
    assert shared_proxy.peak_rss_kb() - before < 40_000
    (shared_dir / host / "big").unlink()


@pytest.mark.parametrize(("right", "begins"), [(True, b"100 "), (False, b"401 ")])
def test_who_waits_before_sending(
    shared_proxy: Proxy, host: str, right: bool, begins: bytes
) -> None:
    """Nobody is asked to go on with what is refused anyway."""
    field = bearer(shared_proxy)["Authorization"] if right else "Bearer wrong"
    head = f"PUT {cached(f'https://{host}/a')} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 1\r\n"
    head += f"Expect: 100-continue\r\nAuthorization: {field}\r\n\r\n"
    with socket.create_connection((shared_proxy.host, shared_proxy.port), 10) as client:
        client.sendall(head.encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 " + begins)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("how", ["leaves", "resets"])
def test_cut(shared_proxy: Proxy, shared_dir: Path, host: str, framing: str, how: str) -> None:
    """An upload that ends early stores nothing and leaves nothing, and what lay there stays."""
    url = f"https://{host}/a"
    assert put(shared_proxy, url, b"old").status == 201
    field = "Transfer-Encoding: chunked" if framing == "chunked" else "Content-Length: 100000"
    head = f"PUT {cached(url)} HTTP/1.1\r\nHost: {NAME}\r\n{field}\r\n"
    head += f"Authorization: {bearer(shared_proxy)['Authorization']}\r\n\r\n"
    client = socket.create_connection((shared_proxy.host, shared_proxy.port), 10)
    client.sendall(head.encode() + (b"c350\r\n" if framing == "chunked" else b"") + b"x" * 50000)
    wait_until(lambda: any(f.stat().st_size == 50000 for f in temporary(shared_dir)))
    if how == "resets":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    wait_until(lambda: temporary(shared_dir) == [])
    assert tree(shared_dir / host) == {"a": b"old"}


@pytest.mark.parametrize("length", ["3", "5"])
def test_http2_announces_another_length(
    shared_proxy: Proxy, shared_dir: Path, host: str, length: str
) -> None:
    """That is a broken message, of which nothing is stored."""
    url = cached(f"https://{host}/a").replace("http:", "https:", 1)
    fields = bearer(shared_proxy) | {"Content-Length": length}
    with H2Client(shared_proxy, url) as client, pytest.raises((Incomplete, ConnectionError)):
        client.fetch(url, "PUT", fields, b"1234")
    assert not (shared_dir / host).exists()
    assert temporary(shared_dir) == []


def test_a_part_and_a_coding(shared_proxy: Proxy, shared_dir: Path, host: str) -> None:
    """Neither is a file as it is to lie there."""
    url = f"https://{host}/a"
    assert put(shared_proxy, url, b"x", **{"Content-Range": "bytes 0-0/2"}).status == 400
    assert put(shared_proxy, url, b"x", **{"Content-Encoding": "gzip"}).status == 415
    assert put(shared_proxy, url, b"").status == 201
    assert tree(shared_dir / host) == {"a": b""}


def test_only_where_nothing_is(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """If-None-Match: * (RFC 9110 section 13.1.2): not over a person's file, nor over cachy's."""
    origin.route(f"https://{host}/stored", b"stored")
    fetch(shared_proxy, f"https://{host}/stored")
    new = {"If-None-Match": "*", "If-Modified-Since": "Tue, 14 Nov 2023 22:13:20 GMT"}
    url = f"https://{host}/a"
    assert put(shared_proxy, url, b"first", **new).status == 201
    for there in ("a", "stored"):
        reply = put(shared_proxy, f"https://{host}/{there}", b"second", **new)
        assert (reply.status, b"If-None-Match" in reply.body) == (412, True)
    assert tree(shared_dir / host) == {"a": b"first", "stored": b"stored"}
    assert put(shared_proxy, url, b"third").status == 204
    assert temporary(shared_dir) == []


def test_only_over_what_one_knows(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """If-Match: an ETag as GET answers it, or * (RFC 9110 section 13.1.1)."""
    url = f"https://{host}/a"
    for wanted in ("*", '"x"'):
        reply = put(shared_proxy, url, b"x", **{"If-Match": wanted})
        assert (reply.status, b"If-Match" in reply.body) == (412, True)
    assert not (shared_dir / host).exists()
    origin.route(url, b"1", etag='"one"')
    fetch(shared_proxy, url)
    assert put(shared_proxy, url, b"2", **{"If-Match": '"two"'}).status == 412
    assert put(shared_proxy, url, b"2", **{"If-Match": '"zero", "one"'}).status == 204
    assert put(shared_proxy, url, b"3", **{"If-Match": '"one"'}).status == 412
    tag = fetch(shared_proxy, cached(url), headers=bearer(shared_proxy)).header("etag") or ""
    assert put(shared_proxy, url, b"3", **{"If-None-Match": tag}).status == 412
    assert put(shared_proxy, url, b"3", **{"If-Match": tag, "Range": "bytes=0-0"}).status == 204
    assert put(shared_proxy, url, b"4", **{"If-Match": "*"}).status == 204
    assert tree(shared_dir / host) == {"a": b"4"}


def test_full_disk(start_proxy: ProxyFactory, small_disk: Path, host: str) -> None:
    """507 that says so; what lay there stays, and what still fits is taken."""
    proxy = start_proxy(cachy_dir=small_disk)
    url = f"https://{host}/a"
    assert put(proxy, url, b"old").status == 201
    reply = put(proxy, url, bytes(3 * MB))
    assert reply.status == 507
    assert b"No space left" in reply.body or b"storage" in reply.body
    assert temporary(small_disk) == []
    assert fetch(proxy, url).body == b"old"
    assert put(proxy, url, b"new").status == 204
