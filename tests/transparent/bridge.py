"""A client behind a bridge, in a bare root, that has nothing of the proxy but one line."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from cachy.cli.redirect import Redirect
from clients.repo_apt import AptRepository
from clients.repo_python import PythonRepository
from clients.run import Run, need
from support.bare import Bare, this_python
from support.bridge import ADDRESS, GATEWAY, INTERFACE, Bridge
from support.client import fetch
from support.factory import ProxyFactory
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.setup_script import setup_script

STORED = "cachy; fwd=uri-miss; stored"


@pytest.fixture(scope="module")
def bridge() -> Iterator[Bridge]:
    """The bridge."""
    need("ip", "nft", "curl")
    with Bridge() as there:
        yield there


@pytest.fixture(scope="module")
def proxy(start_shared_proxy: ProxyFactory, bridge: Bridge) -> Iterator[Proxy]:
    """A proxy in transparent mode, to which the bridge's connections are led."""
    proxy = start_shared_proxy(args=["--mode", "transparent", "--listen-host", ""])
    rules = ["nft", "list", "ruleset"]
    before = subprocess.run(rules, capture_output=True, check=True).stdout
    with Redirect(INTERFACE, proxy.port):
        yield proxy
    assert subprocess.run(rules, capture_output=True, check=True).stdout == before


@pytest.fixture(scope="module")
def client(
    bridge: Bridge, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bare]:
    """The client, before it has anything."""
    needed = this_python()
    with Bare(tmp_path_factory.mktemp("client"), network=True, needed=needed) as bare:
        bridge.connect(bare)
        yield bare


SETUP = "http://cachy.internal/setup.sh"
#: How the script is fetched, by what is in a container: in a new Debian there is apt alone.
LINES = {
    "curl": f"curl -fsS -x http://192.0.2.1:80 {SETUP}",
    "wget": f"http_proxy=http://192.0.2.1 wget -qO- {SETUP}",
    "busybox": f"http_proxy=http://192.0.2.1 busybox wget -qO- {SETUP}",
    "apt-get": "http_proxy=http://192.0.2.1 /usr/lib/apt/apt-helper download-file"
    f" {SETUP} /tmp/setup.sh && cat /tmp/setup.sh",
}


@pytest.fixture(scope="module")
def trusting(client: Bare) -> Bare:
    """The client, with what the one line does."""
    client.sh(f"{LINES['curl']} | sh").ok()
    return client


def curl(client: Bare, url: str, *options: str) -> Run:
    """Body and cache status."""
    return client.run("curl", "-sS", "-w", "|%header{cache-status}", *options, url)


@pytest.mark.parametrize("tool", list(LINES))
def test_lines(client: Bare, proxy: Proxy, tool: str) -> None:
    """Each of the lines fetches the script, though no name service knows the name."""
    need(tool)
    script = setup_script(proxy.ca_pem)
    assert client.sh(LINES[tool]).ok().output.endswith(script.partition("\n\n")[2])


def test_curl(trusting: Bare, proxy: Proxy, origin: Origin, network: Network, host: str) -> None:
    """Cold, warm, and with the uplink cut; what is addressed to the machine itself arrives there."""
    for name in (host, f"six.{host}"):
        for scheme in ("http", "https"):
            url = f"{scheme}://{name}/{scheme}.bin"
            origin.route(url, b"curl's")
            for status in (STORED, "cachy; hit"):
                assert curl(trusting, url).ok().output == f"curl's|{status}"
    network.down()
    origin.stop_listening()
    assert curl(trusting, url).ok().output == "curl's|cachy; hit"
    origin.resume()
    done = curl(trusting, f"http://{GATEWAY}/", "--connect-timeout", "5")
    assert (done.status, "refused" in done.output or "Couldn't connect" in done.output) == (7, True)
    done = curl(trusting, f"https://{host}:8443/", "--connect-timeout", "0.3")
    assert done.status in (7, 28)


def test_regular_and_transparent_share(
    start_shared_proxy: ProxyFactory, trusting: Bare, origin: Origin, host: str
) -> None:
    """What one mode stored is a hit in the other."""
    regular = start_shared_proxy()
    urls = [f"https://{host}/{number}.bin" for number in range(2)]
    for url in urls:
        origin.route(url, b"shared")
    assert fetch(regular, urls[0]).cache_status == STORED
    assert curl(trusting, urls[0]).ok().output == "shared|cachy; hit"
    assert curl(trusting, urls[1]).ok().output == f"shared|{STORED}"
    assert fetch(regular, urls[1]).cache_status == "cachy; hit"


def test_apt(trusting: Bare, origin: Origin, network: Network, host: str) -> None:
    """By https: cold, warm, and with the uplink cut."""
    need("apt-get", "dpkg-scanpackages")
    repository = AptRepository(host, "https")
    repository.publish(origin)
    trusting.write("/etc/apt/sources.list", f"deb [trusted=yes] {repository.root} stable main\n")
    script = (
        "rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb &&"
        " apt-get update -o APT::Update::Error-Mode=any &&"
        " apt-get install --yes --download-only whole && cat /var/cache/apt/archives/*.deb | cksum"
    )
    sums = []
    for number in range(3):
        if number == 2:
            network.down()
            origin.stop_listening()
        done = trusting.sh(script, DEBIAN_FRONTEND="noninteractive").ok()
        sums.append(done.output.splitlines()[-1])
        fetched = [r.url for r in origin.requests if r.url.endswith(".deb")]
        # Cold alone.
        assert len(fetched) == len(set(fetched)) == len(repository.contents)
    origin.resume()
    assert len(set(sums)) == 1


def test_pip(trusting: Bare, origin: Origin, network: Network, host: str) -> None:
    """With roots of its own: cold, warm, and with the uplink cut."""
    repository = PythonRepository(host)
    repository.publish(origin)
    for number in range(3):
        if number == 2:
            network.down()
            origin.stop_listening()
        command = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--target"]
        command += [f"/tmp/site{number}", "--index-url", repository.index, "bigpkg"]
        trusting.run(*command, PIP_DISABLE_PIP_VERSION_CHECK="1").ok()
        fetched = [r.url for r in origin.requests if r.url.endswith(".whl")]
        # Cold alone.
        assert len(fetched) == len(set(fetched)) == 2
    origin.resume()


def test_undone(trusting: Bare, proxy: Proxy, origin: Origin, host: str) -> None:
    """Then it trusts the proxy no more."""
    url = f"https://{host}/a"
    origin.route(url, b"a")
    assert curl(trusting, url).status == 0
    trusting.run("sh", "/usr/local/share/cachy/undo.sh").ok()
    assert curl(trusting, url).status == 60
    assert ADDRESS not in trusting.run("cat", "/etc/environment").output
