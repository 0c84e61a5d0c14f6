"""This machine's own names and addresses are asked each time, and never stored: what listens there
comes and goes with every test.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from cachy._core import this_machine
from support.client import Connection, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.message import Request, split_url
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree, wait_until

NAMES, ADDRESSES = this_machine()
#: Stands for one of them.
ADDRESS = "ADDRESS"
HERE = "cachy; fwd=bypass; detail=this-machine"
FOR_GOOD = "six-1.16.0-py2.py3-none-any.whl"


def own_address() -> str:
    """An address of an interface, not of loopback."""
    found = [each for each in ADDRESSES if ":" not in each and not each.startswith("127.")]
    if not found:
        pytest.skip("this machine has no address but loopback's")
    return found[0]


def counting(origin: Origin, url: str) -> None:
    """Answers each request otherwise, and says that all may be stored for good."""
    count = iter(range(1000))

    async def handler(_: Request, reply: Reply) -> None:
        body = str(next(count)).encode()
        await reply.head(200, {"Cache-Control": "max-age=86400, immutable"}, length=len(body))
        await reply.send(body)
        await reply.end()

    scheme, authority, target = split_url(url)
    origin.handle(authority.lower(), target, handler, scheme=scheme)


def stored(root: Path, host: str) -> list[str]:
    """What the tree holds of this test."""
    return [path for path in tree(root) if host in path]


@pytest.mark.parametrize("name", ["a", FOR_GOOD])
@pytest.mark.parametrize(
    ("scheme", "own"),
    [
        ("http", "localhost"),
        ("https", "localhost"),
        ("http", "LocalHost."),
        ("https", "a.b.localhost"),
        ("http", "127.0.0.1"),
        ("http", "127.0.0.2"),
        ("http", "127.1"),
        ("http", "2130706433"),
        ("http", "0x7f.0.0.1"),
        ("http", "0.0.0.0"),
        ("http", "0"),
        ("http", "[::1]"),
        ("http", "[::]"),
        ("http", "[::ffff:127.0.0.1]"),
        ("http", "[::ffff:7f00:2]"),
        ("http", NAMES[0]),
        ("https", NAMES[0]),
        ("http", NAMES[0].upper()),
        ("http", f"{NAMES[0]}."),
        ("http", ADDRESS),
    ],
)
def test_asked_each_time(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    scheme: str,
    own: str,
    name: str,
) -> None:
    """By whatever name and spelling, named for good or not."""
    own = own_address() if own == ADDRESS else own
    url = f"{scheme}://{own}/{host}/{name}"
    counting(origin, url)
    with Connection(shared_proxy, url) as client:
        for number in range(3):
            reply = client.fetch(url)
            assert (reply.body, reply.cache_status) == (str(number).encode(), HERE)
    assert stored(shared_dir, host) == []


def test_over_http2(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """The same for a client that speaks HTTP/2."""
    url = f"https://localhost/{host}/{FOR_GOOD}"
    counting(origin, url)
    with H2Client(shared_proxy, url) as client:
        for number in range(2):
            reply = client.fetch()
            assert (reply.body, reply.cache_status) == (str(number).encode(), HERE)
    assert stored(shared_dir, host) == []


@pytest.mark.parametrize(
    ("there", "why"),
    [
        ("169.254.169.254", "link-local"),
        ("[fe80::1]", "link-local"),
        ("metadata.google.internal", "metadata-service"),
        ("100.100.100.200", "metadata-service"),
    ],
)
def test_what_is_another_machine_for_everybody(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, there: str, why: str
) -> None:
    """Link-local addresses, and where clouds tell a machine its secrets."""
    url = f"http://{there}/{host}/{FOR_GOOD}"
    counting(origin, url)
    for number in range(2):
        reply = fetch(shared_proxy, url)
        assert reply.body == str(number).encode()
        assert reply.cache_status == f"cachy; fwd=bypass; detail={why}"
    assert stored(shared_dir, host) == []


def test_other_names_are_cached(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """What matters is the URL, not where it leads: this origin is on this machine, too."""
    for name in (host, f"localhost.{host}", f"{NAMES[0]}.{host}", "10.11.12.13"):
        url = f"http://{name}/{FOR_GOOD}"
        origin.route(url, b"1")
        fetch(shared_proxy, url)
        assert fetch(shared_proxy, url).cache_status == "cachy; hit"


@pytest.mark.parametrize("mode", ["normal", "offline", "refresh"])
def test_placed_by_hand(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, mode: str
) -> None:
    """A person's file is served as any other; offline, all else is a miss."""
    for name, text in (("a.txt", "mine"), ("b/index.html", "index")):
        (cachy_dir / "localhost" / name).parent.mkdir(parents=True, exist_ok=True)
        (cachy_dir / "localhost" / name).write_text(text)
    (cachy_dir / "localhost/gone").symlink_to("404")
    counting(origin, "http://localhost/c")
    proxy = start_proxy(options={"cachy_mode": mode})
    for _ in range(2):
        assert fetch(proxy, "http://localhost/a.txt").body == b"mine"
        assert fetch(proxy, "http://localhost/b/").body == b"index"
        assert fetch(proxy, "http://localhost/b").status == 301
        assert fetch(proxy, "http://localhost/gone").status == 404
    reply = fetch(proxy, "http://localhost/c")
    if mode == "offline":
        assert (reply.status, reply.cache_status) == (403, "cachy; detail=offline-miss")
        assert f"{cachy_dir}/localhost/c\n".encode() in reply.body
    else:
        assert (reply.body, reply.cache_status) == (b"0", HERE)


def test_only_if_cached(shared_proxy: Proxy, origin: Origin) -> None:
    """Nobody is asked for who wants nothing but what is stored."""
    url = "http://localhost/only"
    counting(origin, url)
    reply = fetch(shared_proxy, url, headers={"Cache-Control": "only-if-cached"})
    assert (reply.status, origin.count(url)) == (504, 0)


@pytest.mark.parametrize("to", ["127.0.0.1", "localhost", "169.254.169.254", ADDRESS])
def test_no_redirect_is_followed_there(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, to: str
) -> None:
    """What this machine alone can reach is stored for nobody, under no other name either."""
    to = own_address() if to == ADDRESS else to
    url = f"http://{host}/a-1.0.zip"
    origin.route(url, b"", 302, headers={"Location": f"http://{to}/secret.zip"})
    origin.route(f"http://{to}/secret.zip", b"secret")
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.header("location")) == (302, f"http://{to}/secret.zip")
    assert origin.count(f"http://{to}/secret.zip") == 0
    assert tree(shared_dir).get(f"{host}/a-1.0.zip") == f"-> 302 http://{to}/secret.zip"


def rename(proxy: Proxy, name: str) -> None:
    """Gives the proxy's machine another host name."""
    subprocess.run(["nsenter", "--uts", "-t", str(proxy.pid), "hostname", name], check=True)


def until(proxy: Proxy, host: str, url: str, status: str) -> bytes:
    """Asks until the answer says so, and gives its body."""

    def ask() -> bytes | None:
        # What isn't in the tree makes the proxy look around.
        fetch(proxy, f"http://{host}/other", headers={"Cache-Control": "only-if-cached"})
        reply = fetch(proxy, url)
        return reply.body if reply.cache_status == status else None

    return wait_until(ask) or b""


def test_names_change(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """The host becomes this machine while the proxy runs, and again another one."""
    probe = ["unshare", "--uts", "true"]
    if shutil.which("nsenter") is None or subprocess.run(probe, check=False).returncode:
        pytest.skip("there is no host name to change here")
    proxy = start_proxy(prefix=["unshare", "--uts"])
    url = f"http://{host}/{FOR_GOOD}"
    counting(origin, url)
    with Connection(proxy, url) as client:
        for status in ("cachy; fwd=uri-miss; stored", "cachy; hit", "cachy; hit"):
            reply = client.fetch(url)
            assert (reply.body, reply.cache_status) == (b"0", status)
    rename(proxy, host)
    assert until(proxy, host, url, HERE) != b"0"
    assert (cachy_dir / host / FOR_GOOD).read_bytes() == b"0"
    rename(proxy, "another")
    assert until(proxy, host, url, "cachy; hit") == b"0"
