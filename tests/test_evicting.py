"""Making room: the least recently used goes first; never a person's, nor what is being read."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.disk import mounted
from support.factory import ProxyFactory
from support.gated import in_two
from support.inspection import inspect
from support.load import Load
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.tree import tree, wait_until
from support.tree_cli import Cli

MB = 1 << 20
STORED = "cachy; fwd=uri-miss; stored"


@pytest.fixture
def cli(shared_dir: Path) -> Cli:
    """On the tree of `shared_proxy`, which holds nothing of earlier tests."""
    cli = Cli(shared_dir)
    wait_until(lambda: cli("prune", "--max-size", "0", "--json").json()["left_entries"] == 0)
    return cli


def unused(root: Path, url: str, seconds: int) -> None:
    """A URL was last used so many seconds ago."""
    for path in (root / ".cachy/meta").rglob("*.json"):
        if json.loads(path.read_bytes())["url"] == url:
            at = path.stat().st_mtime - seconds
            os.utime(path, (at, at))


def pruned(cli: Cli, *arguments: str) -> list[str]:
    """The names of what went, in order."""
    urls = cli("prune", "--json", *arguments).json()["urls"]
    return [url.rpartition("/")[2] for url in urls]


def test_order(cli: Cli, shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """By last use, whatever was fetched first; a hit is a use, and so is one that asked upstream."""
    for number, name in enumerate("abcd"):
        origin.route(f"https://{host}/{name}", bytes(1000), etag='"x"')
        fetch(shared_proxy, f"https://{host}/{name}")
        unused(shared_dir, f"https://{host}/{name}", 3600 * (number + 1))
    (shared_dir / host / "mine").write_bytes(bytes(100_000))
    fetch(shared_proxy, f"https://{host}/d")
    fetch(shared_proxy, f"https://{host}/c", headers={"Cache-Control": "no-cache"})
    assert pruned(cli, "--unused-since", "1d") == []
    assert pruned(cli, "--dry-run", "--max-size", "0")[:2] == ["b", "a"]
    assert pruned(cli, "--unused-since", "90min") == ["b"]
    assert pruned(cli, "--max-size", "3kB") == ["a"]
    assert sorted(pruned(cli, "--max-size", "0")) == ["c", "d"]
    assert list(tree(shared_dir / host)) == ["mine"]
    assert fetch(shared_proxy, f"https://{host}/a").cache_status == STORED
    wrong = cli("prune", "--max-size", "much")
    assert wrong.code == 2 and "10GB" in wrong.err


@contextmanager
def stalled(proxy: Proxy, url: str, **fields: str) -> Iterator[Connection]:
    """A client that has read a little of a body, and takes no more for now."""
    with Connection(proxy, url, rcvbuf=65536) as client:
        client.send_request(headers=fields)
        assert client.read_head().status == 200
        client.read_exactly(1000)
        yield client


def test_what_is_being_read_stays(
    cli: Cli, shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A file, one that is a folder too, and a variant, each with a client that takes its time."""
    size = 8 * MB
    names = ["a", "dir", "v"]
    urls = [f"https://{host}/{name}" for name in names]
    patterns = [Pattern(size, seed=n) for n in range(3)]
    for url, pattern in zip(urls, patterns, strict=True):
        origin.route(url, pattern, headers={"Vary": "Accept-Language"} if url[-1] == "v" else None)
        fetch(shared_proxy, url, headers={"Accept-Language": "de"})
    fetch(shared_proxy, urls[2], headers={"Accept-Language": "en"})
    origin.route(f"{urls[1]}/below", b"b")
    fetch(shared_proxy, f"{urls[1]}/below")
    fields = {"Accept-Language": "en"}
    with (
        stalled(shared_proxy, urls[0]) as first,
        stalled(shared_proxy, urls[1]) as second,
        stalled(shared_proxy, urls[2], **fields) as third,
    ):
        went = cli("prune", "--max-size", "0", "--json").json()
        assert (went["urls"], went["busy"]) == ([f"{urls[1]}/below"], 3)
        assert len(tree(shared_dir / host)) == 4
        assert "3 are in use and stay" in cli("prune", "--max-size", "0").out
        for client, pattern in zip((first, second, third), patterns, strict=True):
            assert client.read_to_end() == pattern.slice(1000, size)
    # The proxy has let go as soon as it has noticed.
    left = wait_until(lambda: not cli("prune", "--max-size", "0", "--json").json()["left_entries"])
    assert left and not (shared_dir / host).exists()


def test_what_is_being_fetched_stays(
    cli: Cli, shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """Half a body, and its readers, see nothing of it; afterwards it is an entry like others."""
    url, pattern = f"https://{host}/a.bin", Pattern(16 * MB, seed=1)
    handler, go_on = in_two(origin, pattern, MB)
    origin.handle(host, "/a.bin", handler)
    with stalled(shared_proxy, url) as client:
        assert cli("prune", "--max-size", "0", "--json").json()["entries"] == 0
        go_on()
        wait_until((shared_dir / host / "a.bin").exists)
        assert cli("prune", "--max-size", "0", "--json").json()["busy"] == 1
        assert client.read_to_end() == pattern.slice(1000, pattern.size)
    wait_until(lambda: cli("prune", "--max-size", "0", "--json").json()["entries"] == 1)


def test_max_size(start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str) -> None:
    """While it runs: down to nine tenths as soon as it is passed; what went is fetched again."""
    (cachy_dir / host).mkdir(parents=True)
    (cachy_dir / host / "mine").write_bytes(bytes(500_000))
    for n in range(20):
        origin.route(f"https://{host}/{n}", bytes(20_000))
    first = start_proxy()
    for n in range(10):
        fetch(first, f"https://{host}/{n}")
        unused(cachy_dir, f"https://{host}/{n}", 3600 * (n + 1))
    assert first.stop() == 0
    proxy = start_proxy(options={"cachy_max_size": "150kB"})
    assert fetch(proxy, f"https://{host}/9").cache_status == "cachy; hit"
    assert len(tree(cachy_dir)) == 11

    def names() -> set[str]:
        return set(os.listdir(cachy_dir / host))

    # The first store has it counted.
    fetch(proxy, f"https://{host}/10")
    wait_until(lambda: len(names()) <= 7)
    assert names() == {"mine", "0", "1", "2", "3", "9", "10"}
    for n in range(11, 20):
        fetch(proxy, f"https://{host}/{n}")
        wait_until(lambda: size(cachy_dir / host) <= 150_000)
    assert {"mine", "19"} < names() and len(names()) >= 5
    assert fetch(proxy, f"https://{host}/8").cache_status == STORED
    assert re.search(r"cachy: \d+ entries evicted, 0.\d MB", proxy.log())
    assert proxy.stop() == 0


def test_under_load(start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str) -> None:
    """While many clients ask for what changes all the time, entries are evicted and removed."""
    proxy = start_proxy(options={"cachy_max_size": "40kB"})
    cli = Cli(cachy_dir)
    with Load([proxy], origin, host, 1) as load:
        wait_until(lambda: load.answered > 10)
        for n in range(15):
            cli("prune", "--max-size", "10kB") if n % 2 else cli("rm", f"*{host}*{n}*")
        answered = load.answered
        wait_until(lambda: load.answered > answered + 20)
    proxy.stop()
    assert not load.wrong, "\n".join(load.wrong)
    inspect(cachy_dir)
    assert "cannot" not in proxy.log() and "can't" not in proxy.log()


def size(folder: Path) -> int:
    """Bytes of what isn't a person's."""
    return sum(len(body) for name, body in tree(folder).items() if name != "mine")


def test_read_only(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, tmp_path: Path
) -> None:
    """Nothing that is only looked at needs to be written; what has to be says so."""
    url = f"https://{host}/a"
    origin.route(url, b"1")
    fetch(shared_proxy, url)
    with mounted(tmp_path / "ro", "--bind", "-o", "ro", str(shared_dir)) as place:
        remount = ["mount", "-o", "remount,bind,ro", str(place)]
        subprocess.run(remount, check=True, capture_output=True)
        cli = Cli(place)
        for command in (["ls", url], ["show", url], ["stats"], ["misses"], ["verify", url]):
            assert cli(*command).code == 0, command
        # The proxy may hold it a moment longer.
        wait_until(lambda: url in cli("prune", "--max-size", "0", "--dry-run").out)
        for command in (["prune", "--max-size", "0"], ["rm", url]):
            ran = cli(*command)
            assert ran.code == 3 and str(place) in ran.err, command
