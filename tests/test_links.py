"""Links and other oddities in the tree: nothing outside `cachy_dir` is read or written."""

import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.message import Request
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree, wait_until

HIT = "cachy; hit"
BARRED = "cachy; fwd=bypass; detail=barred-path"
FRESH = [("Cache-Control", "max-age=1000")]
OUTSIDE: dict[str, bytes | str] = {"secret": b"secret", "d/x": b"secret too", "d/index.html": b"s"}

Trap = Callable[[Path, Path], object]
"""Makes something at a path in the tree; the second path is the folder outside."""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that is nobody's business."""
    folder = tmp_path / "outside"
    for name, body in OUTSIDE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(body, bytes)
        path.write_bytes(body)
    return folder


def relative(at: Path, to: Path) -> None:
    """A link with `..`."""
    at.symlink_to(os.path.relpath(to, at.parent))


def through_another(at: Path, to: Path) -> None:
    """A link to a link beside it."""
    at.with_name("between").symlink_to(to)
    at.symlink_to("between")


def loop(at: Path, outside: Path) -> None:
    """Two links that lead to each other."""
    at.with_name("between").symlink_to(at.name)
    at.symlink_to("between")


def socket_file(at: Path, outside: Path) -> None:
    """A socket that nobody listens at."""
    with socket.socket(socket.AF_UNIX) as sock:
        folder = os.open(at.parent, os.O_PATH)
        try:
            # The whole path may be too long for an address.
            sock.bind(f"/proc/self/fd/{folder}/{at.name}")
        finally:
            os.close(folder)


def to_fifo(at: Path, outside: Path) -> None:
    """A link to a named pipe inside."""
    os.mkfifo(at.with_name("pipe"))
    at.symlink_to("pipe")


FILES: dict[str, Trap] = {
    "file outside": lambda at, outside: at.symlink_to(outside / "secret"),
    "relative": lambda at, outside: relative(at, outside / "secret"),
    "through another": lambda at, outside: through_another(at, outside / "secret"),
    "dangling": lambda at, outside: at.symlink_to(outside / "new"),
    "dangling, relative": lambda at, outside: relative(at, outside / "new"),
    "dangling, no folder": lambda at, outside: at.symlink_to(outside / "no/new"),
    "dangling inside": lambda at, outside: at.symlink_to("nothing-here"),
    "folder outside": lambda at, outside: at.symlink_to(outside / "d"),
    "root": lambda at, outside: at.symlink_to("/"),
    "device": lambda at, outside: at.symlink_to("/dev/zero"),
    "itself": lambda at, outside: at.symlink_to(at.name),
    "loop": loop,
    "pipe": lambda at, outside: os.mkfifo(at),
    "link to a pipe": to_fifo,
    "socket": socket_file,
}


@pytest.mark.parametrize("trap", FILES.values(), ids=FILES.keys())
def test_in_the_place_of_a_file(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    outside: Path,
    trap: Trap,
) -> None:
    """The origin answers each time, nothing changes inside or outside, and the log says why."""
    places = {"d/x": "d/x", "e/x/": "e/x/index.html"}
    for path, place in places.items():
        (shared_dir / host / place).parent.mkdir(parents=True)
        trap(shared_dir / host / place, outside)
        origin.route(f"http://{host}/{path}", b"origin's", headers=FRESH)
    before = lstat(shared_dir / host)
    with Connection(shared_proxy, f"http://{host}/") as connection:
        for path in [*places, *places]:
            reply = connection.fetch(f"http://{host}/{path}")
            assert (reply.status, reply.body) == (200, b"origin's")
            assert reply.cache_status == BARRED
    assert len(origin.requests) == 4
    assert tree(outside) == OUTSIDE
    assert lstat(shared_dir / host) == before
    for place in places.values():
        at = shared_dir / host / place
        wait_until(partial(named, shared_proxy, at), 3, f"a line in the log that names {at}")


def named(proxy: Proxy, path: Path) -> bool:
    """Whether the log says something about a path."""
    return str(path) in proxy.log()


def lstat(root: Path) -> dict[str, tuple[int, int]]:
    """What lies where, and what kind of thing it is; reads nothing."""
    found = {path.relative_to(root).as_posix(): path.lstat() for path in root.rglob("*")}
    return {name: (stat.st_mode, stat.st_ino) for name, stat in found.items()}


FOLDERS: dict[str, Trap] = {
    "folder outside": lambda at, outside: at.symlink_to(outside / "d"),
    "relative": lambda at, outside: relative(at, outside / "d"),
    "through another": lambda at, outside: through_another(at, outside / "d"),
    "file outside": lambda at, outside: at.symlink_to(outside / "secret"),
    "dangling": lambda at, outside: at.symlink_to(outside / "new"),
    "root": lambda at, outside: at.symlink_to("/"),
    "parents": lambda at, outside: at.symlink_to("../../.."),
    "loop": loop,
    "pipe": lambda at, outside: os.mkfifo(at),
}


@pytest.mark.parametrize("trap", FOLDERS.values(), ids=FOLDERS.keys())
def test_in_the_place_of_a_folder(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, outside: Path, trap: Trap
) -> None:
    """Whether the path exists behind the link or would have to be made: all is left alone."""
    urls = [f"http://{host}/l/{path}" for path in ("x", "", "new", "e/new")]
    at = shared_dir / host / "l"
    at.parent.mkdir(parents=True)
    trap(at, outside)
    before, siblings = lstat(shared_dir / host), sorted(os.listdir(shared_dir.parent))
    with Connection(shared_proxy, urls[0]) as connection:
        for url in urls:
            origin.route(url, b"origin's", headers=FRESH)
            for _ in range(2):
                reply = connection.fetch(url)
                assert (reply.status, reply.body) == (200, b"origin's")
                assert not reply.cache_status.startswith(HIT)
    assert [origin.count(url) for url in urls] == [2] * 4
    assert tree(outside) == OUTSIDE
    assert lstat(shared_dir / host) == before
    assert sorted(os.listdir(shared_dir.parent)) == siblings
    assert not Path("/e").exists() and not Path("/new").exists()
    wait_until(lambda: named(shared_proxy, at), 3, "a line in the log that names the path")


def test_a_site_that_is_a_link(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, outside: Path
) -> None:
    """A whole site's folder may not lead outside either."""
    (shared_dir / host).symlink_to(outside)
    for path in ("secret", "d/", "new", "d/new"):
        url = f"http://{host}/{path}"
        origin.route(url, b"origin's")
        assert fetch(shared_proxy, url).body == b"origin's"
        assert fetch(shared_proxy, url).body == b"origin's"
    assert len(origin.requests) == 8
    assert tree(outside) == OUTSIDE
    assert os.readlink(shared_dir / host) == str(outside)
    wait_until(lambda: named(shared_proxy, shared_dir / host), 3, "a line in the log")


@pytest.mark.parametrize("how", ["relative", "absolute", "through another", "other site"])
def test_a_link_that_stays_inside_is_followed(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, how: str
) -> None:
    """It is a person's file: served at once, and neither it nor its target is replaced."""
    site = shared_dir / host
    file = (shared_dir / f"other.{host}" if how == "other site" else site) / "e/file.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"inside")
    (site / "d").mkdir(parents=True)
    at = site / "d/x.txt"
    if how == "absolute":
        at.symlink_to(file)
    elif how == "through another":
        through_another(at, Path("../e/file.txt"))
    else:
        relative(at, file)
    before = tree(site)
    for headers in ([], [("Cache-Control", "no-cache")]):
        reply = fetch(shared_proxy, f"http://{host}/d/x.txt", headers=headers)
        assert (reply.status, reply.body, reply.cache_status) == (200, b"inside", HIT)
        assert (reply.header("content-type") or "").startswith("text/plain")
    assert (origin.requests, tree(site)) == ([], before)


@pytest.mark.parametrize("names", ["x", "x/y", "x/%~self/y"])
@pytest.mark.parametrize("path", ["x", "x/"])
def test_a_folder_in_the_place_of_a_file(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, names: str, path: str
) -> None:
    """The client gets the origin's answer, and the person's folder stays."""
    url = f"http://{host}/{path}"
    folder = shared_dir / host / (names if path == "x" else names.replace("x", "x/index.html", 1))
    folder.mkdir(parents=True)
    (folder / "mine").write_bytes(b"mine")
    origin.route(url, b"origin's", headers=FRESH)
    for _ in range(2):
        reply = fetch(shared_proxy, url)
        assert (reply.status, reply.body) == (200, b"origin's")
    assert (folder / "mine").read_bytes() == b"mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_unreadable_file(shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """The origin answers, the file stays, and the log says why."""
    url, path = f"http://{host}/x", shared_dir / host / "x"
    path.parent.mkdir()
    path.write_bytes(b"mine")
    path.chmod(0)
    origin.route(url, b"origin's")
    assert fetch(shared_proxy, url).body == b"origin's"
    path.chmod(0o600)
    assert path.read_bytes() == b"mine"
    wait_until(lambda: named(shared_proxy, path), 3, "a line in the log")


@pytest.mark.parametrize("what", ["file", "folder", "site"])
def test_a_link_that_appears_while_the_body_arrives(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, outside: Path, what: str
) -> None:
    """The place that was free when the fetch began leads outside when it ends."""
    site = shared_dir / host
    arrived, go_on = origin.gate(), origin.gate()

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(length=8)
        await reply.send(b"orig")
        arrived.open()
        await go_on.passed()
        await reply.send(b"in's")
        await reply.end()

    origin.handle(host, "/d/x", handler)
    with Connection(shared_proxy, f"http://{host}/d/x") as connection:
        connection.send_request()
        arrived.wait()
        if what == "site":
            site.symlink_to(outside)
        else:
            (site if what == "folder" else site / "d").mkdir(parents=True)
            at = site / ("d/x" if what == "file" else "d")
            at.symlink_to(outside / ("secret" if what == "file" else "d"))
        go_on.open()
        assert connection.read_head().status == 200
        assert connection.read_to_end() == b"origin's"
    assert fetch(shared_proxy, f"http://{host}/d/x").body == b"origin's"
    assert tree(outside) == OUTSIDE


@pytest.mark.parametrize("site", [".cachy", "..", ".", ".%2e"])
def test_no_host_names_what_is_cachys_own(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, site: str
) -> None:
    """Names that begin with a dot are no sites: nothing is served or stored there."""
    before, siblings = sorted(os.listdir(shared_dir)), sorted(os.listdir(shared_dir.parent))
    own = {path: path.read_bytes() for path in (shared_dir / ".cachy").glob("*") if path.is_file()}
    assert own
    origin.handle(site, "*", origin.route("http://any.example/", b"origin's"))
    for path in ("format", "CACHEDIR.TAG", "new", "mitmdump1.log"):
        for url, headers in (
            (f"http://{site}/{path}", {}),
            (f"http://{host}/{path}", {"Host": site}),
        ):
            reply = fetch(shared_proxy, url, headers=headers)
            assert reply.status >= 400 or reply.body == b"origin's"
            assert not reply.cache_status.startswith(HIT)
            assert "stored" not in reply.cache_status
    assert sorted(os.listdir(shared_dir)) == before
    assert {path: path.read_bytes() for path in own} == own
    assert not (shared_dir / ".cachy/new").exists()
    assert sorted(os.listdir(shared_dir.parent)) == siblings
