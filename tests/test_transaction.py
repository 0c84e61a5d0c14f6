"""The reason phrase of an answer that is cachy's own: what pip and npm print of it."""

import sys
from pathlib import Path

import pytest

from clients.run import need
from support.client import fetch
from support.client_h2 import H2Client
from support.command import Cachy
from support.factory import ProxyFactory
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy

OFFLINE = "Not in the cachy tree (offline)"
FAILED = "Upstream not reached by cachy"


@pytest.fixture(scope="module", params=["auto", "off"])
def offline(request: pytest.FixtureRequest, start_shared_proxy: ProxyFactory) -> Proxy:
    """An offline proxy, with the lane and without."""
    return start_shared_proxy(options={"cachy_mode": "offline", "cachy_lane": request.param})


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_offline(offline: Proxy, host: str, scheme: str, method: str) -> None:
    """It is the same whatever is asked for, and holds nothing of the request."""
    reply = fetch(offline, f"{scheme}://{host}/a?token=s3cret", method)
    assert (reply.status, reply.reason) == (403, OFFLINE)
    with H2Client(offline, f"https://{host}/a") as client:
        assert client.fetch().status == 403


def test_others(shared_proxy: Proxy, origin: Origin, network: Network, host: str) -> None:
    """Upstream that can't be reached, and what is wanted of the tree alone; not what origins say."""
    url = f"https://{host}/a"
    reply = fetch(shared_proxy, url, headers={"Cache-Control": "only-if-cached"})
    assert (reply.status, reply.reason) == (504, "Not in the cachy tree (only-if-cached)")
    network.down(host)
    assert fetch(shared_proxy, url).reason == FAILED
    put = fetch(shared_proxy, url, "PUT", body=b"x" * 300_000)
    assert (put.status, put.reason) == (502, FAILED)
    network.up(host)
    for status, reason in ((403, "Forbidden"), (502, "Bad Gateway")):
        origin.route(f"https://{host}/{status}", b"theirs", status)
        reply = fetch(shared_proxy, f"https://{host}/{status}")
        assert (reply.status, reply.reason, reply.body) == (status, reason, b"theirs")


def test_pip_prints_it(command: Cachy, host: str, tmp_path: Path) -> None:
    """Of a file that it downloads."""
    url = f"https://{host}/six-1.16.0-py2.py3-none-any.whl"
    own = ["run", "--offline", "-q", "--dir", str(tmp_path / "tree"), *command.settings, "--"]
    done = command.run(*own, sys.executable, "-m", "pip", "download", "--no-deps", url)
    assert done.status == 1
    assert f"403 Client Error: {OFFLINE} for url: {url}" in done.output


def test_npm_prints_it(command: Cachy, host: str, tmp_path: Path) -> None:
    """Of a package that it looks up."""
    need("npm")
    own = ["run", "--offline", "-q", "--dir", str(tmp_path / "tree"), *command.settings, "--"]
    done = command.run(*own, "npm", "view", "--registry", f"https://{host}/", "left-pad")
    assert done.status == 1
    assert f"403 {OFFLINE} - GET https://{host}/left-pad" in done.output
