"""What the proxy counts, for reports of runs and for statistics: exactly."""

import asyncio
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cachy._core import Cache, Request
from cachy.keeping import keep
from support.client import Connection, Reply, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.gated import in_two
from support.home import NAME, ask_json
from support.network import Network
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.tree import wait_until


@dataclass
class Run:
    """Requests of one run, each on a connection of its own."""

    proxy: Proxy
    id: str = field(default_factory=lambda: secrets.token_hex(16))

    def fetch(self, url: str, method: str = "GET", **headers: str) -> Reply:
        """One request; the run is told on CONNECT where there is one."""
        with self.connect(url) as client:
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            if url.startswith("http:"):
                fields["Cachy-Run"] = self.id
            return client.fetch(method=method, headers=fields)

    def connect(self, url: str, **wire: Any) -> Connection:
        """A connection of the run."""
        return Connection(self.proxy, url, connect_headers={"Cachy-Run": self.id}, **wire)

    def report(self) -> dict[str, Any]:
        """What the proxy counted."""
        report: dict[str, Any] = ask_json(self.proxy, f"/runs/{self.id}")
        counted = report["hits"] + report["omitted"] + sum(m["count"] for m in report["misses"])
        assert report["requests"] == counted, report
        return report

    def misses(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Count and bytes of what wasn't served from the tree, by the path of the URL, and why."""
        return {
            (miss["url"].split("/", 3)[3].removeprefix("simple/"), miss["reason"]): (
                miss["count"],
                miss["bytes"],
            )
            for miss in self.report()["misses"]
        }


@pytest.fixture
def run(shared_proxy: Proxy) -> Run:
    """A run."""
    return Run(shared_proxy)


def sums(report: dict[str, Any]) -> tuple[int, int, int, int]:
    """Requests, hits, bytes from the tree and from upstream."""
    sent = report["bytes"]
    return report["requests"], report["hits"], sent["tree"], sent["upstream"]


def test_head_and_get_apart(run: Run, origin: Origin, host: str) -> None:
    """The same URL by two methods is two things."""
    url = f"https://{host}/a"
    origin.route(url, b"12345")
    for method in ("HEAD", "HEAD", "GET"):
        run.fetch(url, method)
    found = {m["method"]: (m["count"], m["bytes"]) for m in run.report()["misses"]}
    assert found == {"HEAD": (2, 0), "GET": (1, 5)}
    reasons = {(m["url"], m["reason"]) for m in run.report()["misses"]}
    assert reasons == {(url, "uri-miss")}


def test_two_runs_at_once(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """A mix of hits, ranges, HEAD, conditions and misses; each run gets its own."""
    runs = [Run(shared_proxy), Run(shared_proxy)]
    for each in runs:
        origin.route(f"https://{host}/{each.id}.zip", b"0123456789", etag='"e"')
        origin.route(f"http://{host}/{each.id}.bin", b"012345", etag='"e"')

    def work(each: Run) -> None:
        url = f"https://{host}/{each.id}.zip"
        assert each.fetch(url).cache_status == "cachy; fwd=uri-miss; stored"
        for _ in range(3):
            assert each.fetch(url).body == b"0123456789"
        assert each.fetch(url, Range="bytes=2-4").body == b"234"
        assert each.fetch(url, Range="bytes=99-").status == 416
        assert each.fetch(url, "HEAD").header("content-length") == "10"
        asks = {"If_None_Match": '"e"', "Cache_Control": "no-cache"}
        assert each.fetch(url, **asks).status == 304
        for _ in "12":
            assert each.fetch(f"http://{host}/{each.id}.bin").body == b"012345"

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, runs))
    for each in runs:
        report = each.report()
        assert sums(report) == (10, 7, 3 * 10 + 3 + 6, 10 + 6)
        assert each.misses() == {
            (f"{each.id}.zip", "uri-miss"): (1, 10),
            (f"{each.id}.bin", "uri-miss"): (1, 6),
            # A client asks for a check.
            (f"{each.id}.zip", "revalidated"): (1, 0),
        }
        told = {(miss["status"], miss["method"], miss["cache_status"]) for miss in report["misses"]}
        assert told == {
            (200, "GET", "cachy; fwd=uri-miss; stored"),
            (304, "GET", "cachy; fwd=request; fwd-status=304"),
        }
    assert all(request.header("cachy-run") is None for request in origin.requests)


def test_why(run: Run, origin: Origin, network: Network, host: str) -> None:
    """Each reason has its word; a hit has none, nor has what stands in for an upstream that fails."""
    site, stale = f"https://{host}", {"Cache-Control": "max-age=0"}
    origin.route(f"{site}/no-store", b"12", headers={"Cache-Control": "no-store"})
    origin.route(f"{site}/private", b"123")
    origin.route(f"{site}/posted", b"1234")
    origin.route(
        f"{site}/simple/old/", b"12345", etag='"e"', headers={"Cache-Control": "max-age=0"}
    )
    origin.route(f"{site}/gone", b"123456", 404)
    run.fetch(f"{site}/no-store")
    run.fetch(f"{site}/no-store")
    run.fetch(f"{site}/private", Authorization="Basic eA==")
    run.fetch(f"{site}/posted", "POST", Content_Length="0")
    run.fetch(f"{site}/a/../b")
    run.fetch(f"{site}/gone")
    run.fetch(f"{site}/gone")
    run.fetch(f"{site}/simple/old/")
    assert (
        "fwd-status=304" in run.fetch(f"{site}/simple/old/", Cache_Control="no-cache").cache_status
    )
    for body in (b"1234567", b"12345678"):
        origin.route(f"{site}/simple/new/", body, etag=f'"{len(body)}"', headers=stale)
        assert run.fetch(f"{site}/simple/new/", Cache_Control="no-cache").body == body
    network.down(host)
    assert run.fetch(f"{site}/never").status == 502
    assert run.fetch(f"{site}/only", Cache_Control="only-if-cached").status == 504
    misses = run.misses()
    assert misses.pop(("a/../b", "dot-segment"))[0] == 1
    assert misses == {
        ("no-store", "no-store"): (2, 4),
        ("private", "authorization"): (1, 3),
        ("posted", "method"): (1, 4),
        ("gone", "uri-miss"): (1, 6),
        ("old/", "uri-miss"): (1, 5),
        ("old/", "revalidated"): (1, 0),
        ("new/", "uri-miss"): (1, 7),
        ("new/", "request"): (1, 8),
        ("never", "upstream-failed"): (1, 0),
        ("only", "only-if-cached"): (1, 0),
    }
    report = run.report()
    # The 404 the second time, and the body that was confirmed.
    assert (report["hits"], report["bytes"]["tree"]) == (1, 6 + 5)


def test_collapsed(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """One fetch for two runs: the bytes are the leader's, and the other waits no less."""
    url, body = f"https://{host}/a.zip", Pattern(300_000)
    first, second = Run(shared_proxy), Run(shared_proxy)
    handler, go_on = in_two(origin, body, 1000)
    origin.handle(host, "/a.zip", handler)
    with first.connect(url) as leader, second.connect(url) as reader:
        leader.send_request()
        leader.read_head()
        reader.send_request()
        assert reader.read_head().cache_status == "cachy; fwd=uri-miss; collapsed"
        threading.Timer(0.3, go_on).start()
        assert len(leader.read_to_end()) == len(reader.read_to_end()) == body.size
    wait_until(lambda: second.report()["misses"][0]["seconds"] >= 0.2)
    assert sums(first.report()) == (1, 0, 0, body.size)
    assert sums(second.report()) == (1, 0, 0, 0)
    assert first.misses() == {("a.zip", "uri-miss"): (1, body.size)}
    assert second.misses() == {("a.zip", "collapsed"): (1, 0)}
    assert first.report()["misses"][0]["seconds"] >= 0.2
    assert origin.count(url) == 1


def test_what_is_fetched_behind(run: Run, origin: Origin, host: str) -> None:
    """The whole behind a range, and what a redirect leads to: one request, all of its bytes."""
    whole, moved = Pattern(200_000), Pattern(50_000, seed=2)
    origin.route(f"https://{host}/whole.zip", whole)
    origin.route(f"https://{host}/moved.zip", b"", 302, [("Location", f"https://cdn.{host}/m")])
    origin.route(f"https://cdn.{host}/m", moved)
    assert run.fetch(f"https://{host}/whole.zip", Range="bytes=5-9").body == whole.slice(5, 10)
    assert run.fetch(f"https://{host}/moved.zip").body == moved.slice(0, 50_000)
    wait_until(lambda: run.report()["bytes"]["upstream"] == 250_000)
    assert run.misses() == {
        ("whole.zip", "uri-miss"): (1, 200_000),
        ("moved.zip", "uri-miss"): (1, 50_000),
    }


def test_who_leaves(run: Run, origin: Origin, host: str) -> None:
    """A request whose client left is one that wasn't served; what it got counts."""
    gate = origin.gate()

    async def silent(_: Any, __: Any) -> None:
        await gate.passed()

    origin.handle(host, "/silent", silent)
    origin.route(f"https://{host}/big.zip", Pattern(30 << 20))
    run.fetch(f"https://{host}/big.zip")
    with run.connect(f"https://{host}/silent") as client:
        client.send_request()
        wait_until(lambda: origin.count(f"https://{host}/silent"))
    with run.connect(f"https://{host}/big.zip", rcvbuf=4096) as client:
        client.send_request()
        assert client.read_head().cache_status == "cachy; hit"
    wait_until(lambda: run.report()["requests"] == 3)
    gate.open()
    misses = run.misses()
    assert misses[("silent", "client-left")] == (1, 0)
    report = run.report()
    assert (report["hits"], report["bytes"]["tree"] < 20 << 20) == (1, True)


def test_http2_and_one_connection(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Every stream of a tunnel is of its run; a field inside it is taken away as well."""
    run, other = Run(shared_proxy), Run(shared_proxy)
    urls = [f"https://{host}/{n}.zip" for n in range(3)]
    for url in urls:
        origin.route(url, b"abc")
    with H2Client(shared_proxy, urls[0], connect_headers={"Cachy-Run": run.id}) as client:
        for url in urls:
            assert client.fetch(url, headers={"Cachy-Run": other.id}).body == b"abc"
    assert sums(run.report()) == (3, 0, 0, 9)
    assert other.report()["requests"] == 0
    assert all(request.header("cachy-run") is None for request in origin.requests)


@pytest.mark.parametrize("bad", ["", "0" * 31, "0" * 33, "x" * 32, "../" + "0" * 29])
def test_no_run(shared_proxy: Proxy, origin: Origin, host: str, bad: str) -> None:
    """What isn't a run's id is stripped as well, and has no report."""
    origin.route(f"http://{host}/a", b"1")
    assert fetch(shared_proxy, f"http://{host}/a", headers={"Cachy-Run": bad}).body == b"1"
    assert origin.requests[-1].header("cachy-run") is None
    assert fetch(shared_proxy, f"http://{NAME}/runs/{bad}").status == 404


def test_default_run_offline_and_behind_a_proxy(
    start_proxy: ProxyFactory, shared_proxy: Proxy, tmp_path: Path, origin: Origin, host: str
) -> None:
    """$CACHY_RUN is the run of connections that name none. Nothing of it goes to a further proxy."""
    default = secrets.token_hex(16)
    origin.route(f"https://{host}/a.zip", b"123")
    proxy = start_proxy(
        args=["--mode", f"upstream:{shared_proxy.url}"],
        options={"ssl_verify_upstream_trusted_ca": str(shared_proxy.ca_pem)},
        env={"CACHY_RUN": default},
    )
    fetch(proxy, f"https://{host}/a.zip")
    named = Run(proxy)
    named.fetch(f"https://{host}/a.zip")
    assert Run(proxy, default).misses() == {("a.zip", "uri-miss"): (1, 3)}
    assert sums(named.report()) == (1, 1, 3, 0)
    assert Run(shared_proxy, default).report()["requests"] == 0
    there = f"https://{NAME}/x.zip"
    origin.route(f"https://{host}/x.zip", b"", 302, [("Location", there)])
    assert fetch(proxy, f"https://{host}/x.zip").header("location") == there
    assert there not in shared_proxy.log(), "not followed, and least of all upstream"
    itself = fetch(proxy, f"https://{NAME}/runs/{named.id}")
    assert b'"hits": 1' in itself.body, "the nearest proxy answers for itself"
    stats = ask_json(proxy, "/stats")
    assert sums(stats) == (3, 1, 3, 3)
    assert stats["by_reason"]["uri-miss"]["count"] == 1
    proxy.stop()
    offline = start_proxy(options={"cachy_mode": "offline"}, env={"CACHY_RUN": default})
    fetch(offline, f"https://{host}/b.zip")
    assert Run(offline, default).misses() == {("b.zip", "offline-miss"): (1, 0)}


def test_signed_urls_keep_their_secret(run: Run, origin: Origin, host: str) -> None:
    """A report may be shown to everybody."""
    query = "X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Date=c&X-Amz-Expires=9&X-Amz-Signature=s"
    query += "&X-Amz-SignedHeaders=host"
    origin.route(f"https://{host}/a?{query}", b"1")
    assert "signed-url" in run.fetch(f"https://{host}/a?{query}").cache_status
    assert run.misses() == {("a", "signed-url"): (1, 1)}
    assert run.report()["misses"][0]["url"] == f"https://{host}/a"


def test_now_and_then(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was counted is written down while the proxy runs, in a tree that may change."""
    trees = [
        Cache(tmp_path / name, mode="normal", freshness="auto", private=False) for name in "ab"
    ]
    files = [tmp_path / name / ".cachy/stats.json" for name in "ab"]

    def request() -> None:
        exchange = trees[0].exchange(
            Request(method="GET", scheme="http", host="h", port=80, path=b"/../", headers=[])
        )
        exchange.decide()
        exchange.close(whole=False)

    async def work() -> None:
        current = trees[0]
        task = asyncio.create_task(keep(lambda: current))
        for tree, file in zip(trees, files, strict=True):
            current = tree
            request()
            while not file.exists():
                await asyncio.sleep(0.01)
        task.cancel()

    monkeypatch.setattr("cachy.keeping.PAUSE", 0.01)
    asyncio.run(asyncio.wait_for(work(), 10))
    assert '"client-left":{"count":1' in files[1].read_text()
