"""`cachy serve --workers 2`: two processes on one port and one tree, which a client can't tell from one."""

import json
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.client import Connection, Incomplete, fetch
from support.command import Cachy
from support.gated import before_head, hang_up, in_parts, in_two
from support.home import ask_json
from support.message import Request
from support.origin import Origin
from support.pattern import Pattern
from support.reply import Reply
from support.served import Served
from support.tree import temporary, tree, wait_until

MB = 1 << 20
STORED = "cachy; fwd=uri-miss; stored"
COLLAPSED = "cachy; fwd=uri-miss; collapsed"


@pytest.fixture(scope="module")
def served(command: Cachy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two workers, for all tests here."""
    with Served(command, tmp_path_factory.mktemp("tree"), ["--workers", "2"]) as served:
        yield served


def clients(
    stack: ExitStack,
    served: Served,
    url: str,
    count: int,
    fields: dict[str, str] | None = None,
) -> list[Connection]:
    """Connections that are open at the same time, so that both workers have as many; all have asked."""
    made = [stack.enter_context(Connection(served, url)) for _ in range(count)]
    for each in made:
        each.send_request(headers=fields)
    for _ in range(2):
        fetch(served, f"https://{secrets.token_hex(4)}.example/")
    return made


def test_one_upstream_request(served: Served, origin: Origin, host: str) -> None:
    """Whichever worker they come to."""
    url = f"https://{host}/a.bin"
    handler, go_on = before_head(origin, origin.route(url, b"body"))
    origin.handle(host, "/a.bin", handler, scheme="https")
    with ExitStack() as stack:
        asked = clients(stack, served, url, 8)
        go_on()
        replies = [each.read_head() for each in asked]
        assert [each.read_to_end() for each in asked] == [b"body"] * 8
    assert origin.count(url) == 1
    assert sorted(reply.cache_status for reply in replies) == [COLLAPSED] * 7 + [STORED]
    assert {fetch(served, url).cache_status for _ in range(2)} == {"cachy; hit"}


@pytest.mark.parametrize("chunked", [False, True])
def test_read_along_while_it_grows(
    served: Served, origin: Origin, host: str, chunked: bool
) -> None:
    """The other worker's clients have what there is, while the rest is still to come."""
    url, pattern = f"https://{host}/a.bin", Pattern(3 * MB, seed=1)
    handler, go_on = in_two(origin, pattern, MB, chunked=chunked)
    origin.handle(host, "/a.bin", handler)
    with ExitStack() as stack:
        asked = clients(stack, served, url, 4)
        for each in asked:
            each.read_head()
            assert each.read_exactly(MB - 1) == pattern.slice(0, MB - 1)
        # Who fetches it leaves, or somebody else.
        asked.pop(0).close()
        fetch(served, f"https://{host}/other")
        go_on()
        for each in asked:
            assert each.read_to_end() == pattern.slice(MB - 1, pattern.size)
    assert origin.count(url) == 1
    assert tree(served.tree)[f"{host}/a.bin"] == pattern.slice(0, pattern.size)
    assert not temporary(served.tree)


def test_ranges_of_what_grows(served: Served, origin: Origin, host: str) -> None:
    """A range that is there, or near, is read along; one behind all that goes upstream as asked."""
    url, pattern = f"https://{host}/a.bin", Pattern(20 * MB, seed=2)
    gate = origin.gate()

    async def answer(request: Request, reply: Reply) -> None:
        if request.header("range") is None:
            await in_parts(reply, pattern, MB, gate)
            return
        begin = 19 * MB
        of = f"bytes {begin}-{begin + 9}/{pattern.size}"
        await reply.head(206, {"Content-Range": of}, length=10)
        await reply.send(pattern.slice(begin, begin + 10))
        await reply.end()

    origin.handle(host, "/a.bin", answer)
    with Connection(served, url) as first, Connection(served, url) as second:
        first.send_request()
        first.read_head()
        for begin, status in ((1000, COLLAPSED), (19 * MB, "cachy; fwd=uri-miss; detail=range")):
            fields = {"Range": f"bytes={begin}-{begin + 9}"}
            reply = second.fetch(headers=fields)
            assert (reply.status, reply.cache_status) == (206, status)
            assert reply.body == pattern.slice(begin, begin + 10)
        gate.open()
        assert first.read_to_end() == pattern.slice(0, pattern.size)
    assert origin.count(url) == 2


def test_not_for_everybody(served: Served, origin: Origin, host: str) -> None:
    """What turns out to be for one client is asked for by each."""
    url = f"https://{host}/a"
    answer = origin.route(url, b"mine", headers={"Cache-Control": "no-store"})
    handler, go_on = before_head(origin, answer)
    origin.handle(host, "/a", handler, scheme="https")
    with ExitStack() as stack:
        asked = clients(stack, served, url, 4)
        assert origin.count(url) == 1
        go_on()
        for each in asked:
            assert "no-store" in each.read_head().cache_status
            assert each.read_to_end() == b"mine"
    assert origin.count(url) == 4


def test_upstream_that_fails(served: Served, origin: Origin, host: str) -> None:
    """Fails for who asked, and then for each that waited for it, in its turn."""
    url = f"https://{host}/a"
    handler, go_on = before_head(origin, hang_up)
    origin.handle(host, "/a", handler)
    with ExitStack() as stack:
        asked = clients(stack, served, url, 4)
        go_on()
        assert [each.read_head().status for each in asked] == [502] * 4
    # A connection that breaks off before the head is tried again, once.
    assert origin.count(url) == 8


def test_one_check(served: Served, origin: Origin, host: str) -> None:
    """Of what both workers have, for all who want to be sure; and none again within five seconds."""
    url, fields = f"https://{host}/simple/thing/", {"Cache-Control": "no-cache"}
    answer = origin.route(url, b"<a>", etag='"1"', headers={"Content-Type": "text/html"})
    fetch(served, url)
    handler, go_on = before_head(origin, answer)
    origin.handle(host, "/simple/thing/", handler, scheme="https")
    # It has just been fetched, by whichever.
    assert {fetch(served, url, headers=fields).cache_status for _ in range(2)} == {"cachy; hit"}
    age(served.tree, 6)
    with ExitStack() as stack:
        asked = clients(stack, served, url, 4, fields)
        assert origin.count(url) == 2
        go_on()
        statuses = [each.read_head().cache_status for each in asked]
        assert [each.read_to_end() for each in asked] == [b"<a>"] * 4
    collapsed = "cachy; fwd=request; collapsed"
    assert sorted(statuses) == [collapsed] * 3 + ["cachy; fwd=request; fwd-status=304"]
    assert {fetch(served, url, headers=fields).cache_status for _ in range(2)} == {"cachy; hit"}
    assert origin.count(url) == 2


def age(folder: Path, seconds: int) -> None:
    """Makes all that is stored so much older."""
    for path in (folder / ".cachy/meta").rglob("*.json"):
        meta = json.loads(path.read_bytes())
        for record in meta["records"]:
            record["stored_at"] -= seconds * 1000
        path.write_text(json.dumps(meta))


def test_a_url_that_failed(served: Served, origin: Origin, host: str) -> None:
    """Is left alone by the other worker, too."""
    url, fields = f"https://{host}/a", {"Cache-Control": "no-cache"}
    origin.route(url, b"1")
    fetch(served, url)
    age(served.tree, 6)
    origin.route(url, b"", status=503)
    for _ in range(4):
        reply = fetch(served, url, headers=fields)
        assert (reply.body, reply.cache_status) == (b"1", "cachy; hit; detail=stale-if-error")
    assert origin.count(url) == 2


def test_whichever_worker_is_asked(served: Served, origin: Origin, host: str) -> None:
    """Of a run, and of all, it tells what both have counted."""
    run = secrets.token_hex(16)
    urls = [f"https://{host}/{name}" for name in "ab"]
    for url in urls:
        origin.route(url, b"12345")
    before = ask_json(served, "/stats")
    with ExitStack() as stack:
        fields = {"Cachy-Run": run}
        one, two = (
            stack.enter_context(Connection(served, urls[0], connect_headers=fields))
            for _ in range(2)
        )
        for client, url in ((one, urls[0]), (two, urls[0]), (two, urls[1]), (one, urls[1])):
            assert client.fetch(url).body == b"12345"
    reports = [ask_json(served, f"/runs/{run}") for _ in range(2)]
    assert reports[0] == reports[1]
    assert (reports[0]["requests"], reports[0]["hits"]) == (4, 2)
    assert reports[0]["bytes"] == {"tree": 10, "upstream": 10}
    assert {miss["url"]: miss["count"] for miss in reports[0]["misses"]} == dict.fromkeys(urls, 1)
    stats = [ask_json(served, "/stats") for _ in range(2)]
    assert stats[0] == stats[1]
    assert stats[0]["requests"] == before["requests"] + 4


def test_the_leader_is_killed(served: Served, origin: Origin, host: str) -> None:
    """Who read along learns that it broke off, who waited gets it from upstream; another worker comes."""
    url, pattern = f"https://{host}/a.bin", Pattern(3 * MB, seed=3)
    half, _ = in_two(origin, pattern, MB)
    whole = origin.route(url, pattern)

    async def answer(request: Request, reply: Reply) -> None:
        await (half if origin.count(url) == 1 else whole)(request, reply)

    origin.handle(host, "/a.bin", answer, scheme="https")
    with Connection(served, url) as first, Connection(served, url) as second:
        for each in (first, second):
            each.send_request()
            each.read_head()
            each.read_exactly(1000)
        assert origin.count(url) == 1
        os.kill(served.leader(), signal.SIGKILL)
        for each in (first, second):
            with pytest.raises((Incomplete, ConnectionError)):
                each.read_to_end()
    assert fetch(served, url).body == pattern.slice(0, pattern.size)
    assert origin.count(url) == 2
    served.wait_for_another()
    assert fetch(served, url).cache_status == "cachy; hit"


def test_a_head_that_a_killed_leader_waited_for(served: Served, origin: Origin, host: str) -> None:
    """Another one asks for it."""
    url = f"https://{host}/a"
    gate = origin.gate()

    async def answer(_: Request, reply: Reply) -> None:
        if origin.count(url) == 1:
            await gate.passed()
        await reply.head(length=1)
        await reply.send(b"1")
        await reply.end()

    origin.handle(host, "/a", answer)
    with ExitStack() as stack:
        asked = clients(stack, served, url, 4)
        assert origin.count(url) == 1
        (leader,) = holders(served.tree / ".cachy/flights")
        os.kill(leader, signal.SIGKILL)
        bodies = []
        for each in asked:
            try:
                each.read_head()
                bodies.append(each.read_to_end())
            except (Incomplete, ConnectionError):
                continue
    assert bodies == [b"1"] * 2
    assert origin.count(url) == 2
    gate.open()
    served.wait_for_another()


def holders(folder: Path) -> set[int]:
    """The processes that hold a lock alone on a file of a folder."""
    inodes = {str(path.stat().st_ino) for path in folder.iterdir()}
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return {
        int(words[-4])
        for words in lines
        if "FLOCK" in words and "WRITE" in words and words[-3].split(":")[-1] in inodes
    }


def test_the_end(command: Cachy, origin: Origin, host: str, tmp_path: Path) -> None:
    """All end with the one that was started, and what they have counted is written down."""
    url = f"https://{host}/a"
    origin.route(url, b"1")
    with Served(command, tmp_path, ["--workers", "2"]) as served:
        workers = served.workers
        for _ in range(4):
            fetch(served, url)
        assert len(workers) == 2
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(10) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    stats = json.loads((tmp_path / ".cachy/stats.json").read_bytes())
    assert (stats["requests"], stats["hits"]) == (4, 3)


def test_an_end_by_force(command: Cachy, tmp_path: Path) -> None:
    """The workers end, and nothing of theirs is left."""
    folders = set(command.home.glob("cachy-*"))
    served = Served(command, tmp_path, ["--workers", "2"])
    served.__enter__()
    workers = served.workers
    served.process.kill()
    served.process.communicate()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert set(command.home.glob("cachy-*")) == folders


@pytest.mark.parametrize("count", ["0", "65", "-1", "many"])
def test_how_many(command: Cachy, count: str) -> None:
    """It says what is possible."""
    done = command.run("serve", "--workers", count)
    assert done.status == 2
    assert "neither a number from 1 to 64 nor auto" in done.output


@pytest.mark.parametrize("mode", [["--mode", "dns"], ["-m", "wireguard"], ["--set", "mode=dns"]])
def test_modes_that_no_two_can_share(command: Cachy, mode: list[str]) -> None:
    """The command line is wrong, and says which."""
    done = command.run("serve", "--workers", "2", "--port", "0", "--", *mode)
    assert done.status == 2
    assert f"{mode[-1].removeprefix('mode=')} needs one process" in done.output
