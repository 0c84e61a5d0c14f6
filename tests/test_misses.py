"""The journal of what was asked for in vain."""

from pathlib import Path

from support.client import fetch
from support.factory import ProxyFactory
from support.network import Network
from support.origin import Origin
from support.tree_cli import Cli


def test_misses(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, network: Network, host: str
) -> None:
    """Offline, and without a line; once for each URL; gone as soon as it is there."""
    cli = Cli(cachy_dir)
    offline = start_proxy(options={"cachy_mode": "offline"})
    reply = fetch(offline, f"https://{host}/a", headers={"Accept": "text/html"})
    assert reply.status == 403 and b"cachy fetch --misses" in reply.body
    for _ in range(2):
        fetch(offline, f"https://{host}/a", headers={"Accept": "text/html"})
        fetch(offline, f"http://{host}/b?x", "HEAD")
    fetch(offline, f"https://{host}/private", headers={"Authorization": "x"})
    fetch(offline, f"https://{host}/post", "POST", body=b"x")
    fetch(offline, f"https://{host}/dot/../a")
    found = cli("misses", "--json").json()
    told = [(miss["url"], miss["accept"]) for miss in found]
    assert told == [(f"https://{host}/a", "text/html"), (f"http://{host}/b?x", None)]
    assert found[0]["when"] > 1_600_000_000_000
    normal = start_proxy()
    network.down(host)
    assert fetch(normal, f"https://{host}/c").status == 502
    (cachy_dir / host).mkdir()
    (cachy_dir / host / "a").write_bytes(b"mine")
    out = cli("misses").out
    assert f"https://{host}/c" in out and f"http://{host}/b?x" in out and "/a" not in out
    assert cli("misses", "--clear").code == 0
    assert cli("misses").out == ""
    fetch(offline, f"http://{host}/b?x")
    assert [miss["url"] for miss in cli("misses", "--json").json()] == [f"http://{host}/b?x"]
