"""Two proxies on one tree, which start and stop as they like: right bytes, and nothing left over."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.client import Connection, fetch
from support.factory import ProxyFactory
from support.gated import before_head, in_two
from support.inspection import inspect
from support.load import Load
from support.origin import Origin
from support.pattern import Pattern
from support.tree import temporary, tree, wait_until

MB = 1 << 20


def test_many_clients_of_both(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """The same few URLs, which change all the time, while one proxy starts again and again."""
    first, second = (start_proxy(options={"cachy_mode": "refresh"}) for _ in range(2))
    chance = random.Random(host)
    with Load([first, second], origin, host, 1) as load:
        for how in (second.stop, second.kill, second.stop):
            time.sleep(chance.uniform(0.3, 0.8))
            how()
            second.start()
        wait_until(lambda: load.answered > 50)
    first.stop()
    second.stop()
    assert not load.wrong, "\n".join(load.wrong)
    # A kill leaves what the next start sweeps, which the looking through is one of.
    assert len(inspect(cachy_dir)) > 10


def test_a_start_sweeps_nothing_of_the_other(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """Half a body of one proxy's stays while the other comes and goes, in any order."""
    first = start_proxy()
    url, pattern = f"https://{host}/a.bin", Pattern(4 * MB, seed=1)
    handler, go_on = in_two(origin, pattern, MB)
    for path in ("/a.bin", "/b.bin"):
        origin.handle(host, path, handler)
    with Connection(first, url) as client:
        client.send_request()
        client.read_head()
        client.read_exactly(MB // 2)
        (cachy_dir / ".cachy/tmp/left").write_bytes(b"by a crash")
        second = start_proxy()
        assert len(temporary(cachy_dir)) == 1
        with Connection(second, f"https://{host}/b.bin") as other, Connection(second, url) as along:
            for each in (other, along):
                each.send_request()
                each.read_head()
            # What the first one fetches is read along.
            assert len(temporary(cachy_dir)) == 2
            second.kill()
        second.start()
        assert len(temporary(cachy_dir)) == 1
        go_on()
        assert client.read_to_end() == pattern.slice(MB // 2, pattern.size)
    assert tree(cachy_dir) == {f"{host}/a.bin": pattern.slice(0, pattern.size)}
    assert not temporary(cachy_dir)
    first.stop()
    assert fetch(second, url).cache_status == "cachy; hit"


def test_one_behind_the_other(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """Who is asked by the other one doesn't wait for what that one fetches."""
    outer = start_proxy()
    trusted = {"ssl_verify_upstream_trusted_ca": str(outer.ca_pem)}
    inner = start_proxy(args=["--mode", f"upstream:{outer.url}"], options=trusted)
    for path, body in (("/a", b"small"), ("/b.bin", bytes(3 * MB))):
        origin.route(url := f"https://{host}{path}", body)
        assert fetch(inner, url).body == body
        assert fetch(inner, url).cache_status.endswith("cachy; hit")
        assert fetch(outer, url).cache_status.endswith("cachy; hit")
        assert origin.count(url) == 1


def test_the_same_url_at_once(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """One of the proxies asks for the clients of both."""
    proxies = [start_proxy() for _ in range(2)]
    url, pattern = f"https://{host}/a.bin", Pattern(3 * MB, seed=2)
    handler, go_on = before_head(origin, origin.route(url, pattern))
    origin.handle(host, "/a.bin", handler, scheme="https")
    with ThreadPoolExecutor(10) as pool:
        replies = [pool.submit(fetch, proxies[n % 2], url) for n in range(10)]
        wait_until(lambda: origin.count(url) == 1)
        for proxy in proxies:
            fetch(proxy, f"https://{host}.other/")
        go_on()
        for future in replies:
            assert future.result().body == pattern.slice(0, pattern.size)
    assert origin.count(url) == 1
    assert tree(cachy_dir) == {f"{host}/a.bin": pattern.slice(0, pattern.size)}
    assert not temporary(cachy_dir)
