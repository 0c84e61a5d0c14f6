"""The tree changes under the proxy: files placed during a fetch, and deletions."""

import shutil
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply
from support.tree import tree

STORED = "cachy; fwd=uri-miss; stored"
HIT = "cachy; hit"


@pytest.mark.parametrize("before", ["nothing", "an entry"])
@pytest.mark.parametrize("late", ["200", "404", "302", "slash"])
@pytest.mark.parametrize("mine", ["file", "link"])
def test_a_persons_file_wins_over_a_fetch_that_ends_later(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    before: str,
    late: str,
    mine: str,
) -> None:
    """What is placed while the answer arrives stays, and is served next."""
    url = f"http://{host}/d/a"
    head, tail = origin.gate(), origin.gate()
    path = shared_dir / host / "d/a"
    if before == "an entry":
        origin.route(url, b"old entry", headers={"Cache-Control": "max-age=0"})
        fetch(shared_proxy, url)
    else:
        path.parent.mkdir(parents=True)

    async def handler(request: Request, reply: Reply) -> None:
        status = {"404": 404, "200": 200}.get(late, 302)
        location = [("Location", f"{url}/" if late == "slash" else f"http://{host}/else")]
        await reply.head(status, location if status == 302 else [], length=8)
        await reply.send(b"fetc")
        head.open()
        await tail.passed()
        await reply.send(b"hed\n")
        await reply.end()

    origin.handle(host, "/d/a", handler, scheme="http")
    with Connection(shared_proxy, url) as connection:
        connection.send_request()
        head.wait()
        if mine == "file":
            path.write_bytes(b"mine!")
        else:
            path.unlink(missing_ok=True)
            path.symlink_to("410")
        tail.open()
        connection.read_head()
        assert connection.read_to_end() == b"fetched\n"
        count = len(origin.requests)
        reply = connection.fetch()
    status = 200 if mine == "file" else 410
    assert (reply.status, reply.cache_status, len(origin.requests)) == (status, HIT, count)
    assert tree(shared_dir / host) == {"d/a": b"mine!" if mine == "file" else "-> 410"}


@pytest.mark.parametrize("what", ["file", "folder", "host"])
@pytest.mark.parametrize("status", [200, 404, 302])
def test_deleting_makes_the_next_request_fetch_again(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, what: str, status: int
) -> None:
    """Nothing in memory outlives the file."""
    url = f"http://{host}/d/a"
    headers = {"Location": f"http://{host}/else", "Cache-Control": "max-age=1000"}
    answer = origin.route(url, b"1", status, headers=headers, etag='"o"')
    assert fetch(shared_proxy, url).cache_status == STORED
    assert fetch(shared_proxy, url).cache_status == HIT
    if what == "file":
        (shared_dir / host / "d/a").unlink()
    else:
        shutil.rmtree(shared_dir / host / ("d" if what == "folder" else ""))
    answer.body, answer.etag = b"2", '"p"'
    reply = fetch(shared_proxy, url)
    assert (reply.status, reply.body, reply.header("etag")) == (status, b"2", '"p"')
    assert reply.cache_status == STORED
    assert origin.asked(url)[-1].header("if-none-match") is None
    assert fetch(shared_proxy, url).body == b"2"
    assert len(tree(shared_dir / host)) == 1


def test_nothing_answers_for_a_deleted_file_when_upstream_is_down(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, network: Network, host: str
) -> None:
    """Deleted is deleted, also where it would have been the fallback."""
    url = f"http://{host}/a"
    origin.route(url, b"1")
    fetch(shared_proxy, url)
    (shared_dir / host / "a").unlink()
    network.down(host)
    reply = fetch(shared_proxy, url)
    assert reply.status == 502
    assert str(shared_dir / host / "a") in reply.body.decode()


def test_deleting_the_cache(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """The proxy goes on, and makes the folder anew: all of it, its parts, or its contents."""
    urls = [f"http://{host}/{name}" for name in ("a", "b/c")]
    for what in ("nothing yet", "all", "parts", "contents"):
        for url in urls:
            origin.route(url, f"{what} {url}".encode(), headers={"Cache-Control": "max-age=0"})
        if what == "all":
            shutil.rmtree(shared_dir)
        elif what == "parts":
            shutil.rmtree(shared_dir / ".cachy/meta")
            shutil.rmtree(shared_dir / ".cachy/tmp")
            shutil.rmtree(shared_dir / host)
        elif what == "contents":
            for path in shared_dir.iterdir():
                shutil.rmtree(path)
        for url in urls:
            assert fetch(shared_proxy, url).cache_status == STORED, what
        assert tree(shared_dir / host) == {
            "a": f"{what} {urls[0]}".encode(),
            "b/c": f"{what} {urls[1]}".encode(),
        }
        assert (shared_dir / ".cachy/CACHEDIR.TAG").is_file()
