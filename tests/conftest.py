"""Fixtures: origin, name service and proxies."""

import importlib
import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.ca import CA
from support.command import Cachy
from support.disk import mounted
from support.factory import ProxyFactory
from support.filled import fill
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.trouble import World

_host_numbers = itertools.count(1)


def addon_script() -> Path:
    """What `mitmdump -s` loads: the installed cachy's, else $CACHY_ADDON."""
    try:
        return Path(importlib.import_module("cachy").addon_path())
    except ImportError:
        if path := os.environ.get("CACHY_ADDON"):
            return Path(path)
        raise RuntimeError("cachy is not installed, CACHY_ADDON not set") from None


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--lane off``: all requests take the slow road, as where another addon wants to see them."""
    parser.addoption("--lane", default="auto", choices=("auto", "off"))


def pytest_configure(config: pytest.Config) -> None:
    """Tells the proxies."""
    if config.getoption("--lane") != "auto":
        ProxyFactory.options = {"cachy_lane": config.getoption("--lane")}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show what the proxies printed where a test failed."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        for factory in ProxyFactory.living:
            report.sections += factory.logs()
    return report  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def no_mishaps() -> Iterator[None]:
    """No proxy trips over itself, whatever its clients got; see also the end of `ProxyFactory`."""
    yield
    found = [line for factory in ProxyFactory.living for line in factory.mishaps()]
    assert not found, "\n".join(found)


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> CA:
    """The CA of the origin."""
    return CA(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def untrusted_ca(tmp_path_factory: pytest.TempPathFactory) -> CA:
    """A CA that no proxy trusts."""
    return CA(tmp_path_factory.mktemp("untrusted_ca"), "untrusted CA")


@pytest.fixture(scope="session")
def origin_server(ca: CA, untrusted_ca: CA) -> Iterator[Origin]:
    """The origin itself; tests take `origin`."""
    with Origin(ca, untrusted_ca) as origin:
        yield origin


@pytest.fixture
def origin(origin_server: Origin) -> Iterator[Origin]:
    """The origin, without routes or records of earlier tests."""
    yield origin_server
    origin_server.clear()


@pytest.fixture(scope="session")
def network_service(
    origin_server: Origin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Network]:
    """The name service itself; tests take `network`."""
    with Network(tmp_path_factory.mktemp("network"), origin_server) as network:
        yield network


@pytest.fixture
def network(network_service: Network) -> Iterator[Network]:
    """The name service, without troubles of earlier tests."""
    yield network_service
    network_service.clear()


@pytest.fixture
def world(origin: Origin, network: Network) -> Iterator[World]:
    """What a test makes trouble with."""
    with ExitStack() as stack:
        yield World(origin, network, stack)


@pytest.fixture
def host() -> str:
    """A host name that no other test uses."""
    return f"h{next(_host_numbers)}.example"


@pytest.fixture(scope="session")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mitmproxy's own CA, made once by the first proxy."""
    return tmp_path_factory.mktemp("confdir")


@pytest.fixture
def cachy_dir(tmp_path: Path) -> Path:
    """The cache of this test's proxies."""
    return tmp_path / "cache"


@pytest.fixture
def start_proxy(
    tmp_path: Path,
    cachy_dir: Path,
    confdir: Path,
    ca: CA,
    origin: Origin,
    network: Network,
) -> Iterator[ProxyFactory]:
    """Starts proxies of this test; see `ProxyFactory.__call__`."""
    with ProxyFactory(
        folder=tmp_path,
        confdir=confdir,
        cachy_dir=cachy_dir,
        network=network,
        upstream_ca=ca.pem,
        addon=addon_script,
    ) as factory:
        yield factory


@pytest.fixture
def proxy(start_proxy: ProxyFactory) -> Proxy:
    """A proxy with the addon and its defaults, for this test alone."""
    return start_proxy()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=2m", "tmpfs") as place:
        yield place


@pytest.fixture(scope="module")
def start_shared_proxy(
    tmp_path_factory: pytest.TempPathFactory,
    confdir: Path,
    ca: CA,
    network_service: Network,
) -> Iterator[ProxyFactory]:
    """Starts proxies that all tests of a module share.

    Its cache is `proxies[0].settings.options["cachy_dir"]`; tests keep apart
    by `host`.
    """
    folder = tmp_path_factory.mktemp("shared")
    with ProxyFactory(
        folder=folder,
        confdir=confdir,
        cachy_dir=folder / "cache",
        network=network_service,
        upstream_ca=ca.pem,
        addon=addon_script,
    ) as factory:
        yield factory


@pytest.fixture(scope="module")
def shared_proxy(start_shared_proxy: ProxyFactory) -> Proxy:
    """A proxy with the addon and its defaults for a whole module."""
    return start_shared_proxy()


@pytest.fixture(scope="module")
def shared_dir(shared_proxy: Proxy) -> Path:
    """The cache of `shared_proxy`."""
    return Path(str(shared_proxy.settings.options["cachy_dir"]))


@pytest.fixture(scope="module")
def plain(start_shared_proxy: ProxyFactory) -> Proxy:
    """mitmdump without the addon, which streams all bodies."""
    return start_shared_proxy(
        scripts=[],
        options={
            "connection_strategy": "lazy",
            "upstream_cert": False,
            "stream_large_bodies": "1",
        },
    )


@pytest.fixture(scope="session")
def command(
    tmp_path_factory: pytest.TempPathFactory, network_service: Network, confdir: Path, ca: CA
) -> Cachy:
    """The installed command, with a home for the whole session."""
    return Cachy(tmp_path_factory.mktemp("home"), network_service, confdir, ca.pem)


@pytest.fixture(scope="session")
def open_proxy(
    tmp_path_factory: pytest.TempPathFactory, network_service: Network, confdir: Path, ca: CA
) -> Iterator[Proxy]:
    """A proxy that tells of itself, for the commands that go by one that runs."""
    folder = tmp_path_factory.mktemp("open")
    with ProxyFactory(
        folder=folder,
        confdir=confdir,
        cachy_dir=folder / "cache",
        network=network_service,
        upstream_ca=ca.pem,
        addon=addon_script,
    ) as factory:
        yield factory()


@pytest.fixture
def stored(origin: Origin, start_proxy: ProxyFactory, cachy_dir: Path, host: str) -> Proxy:
    """A proxy whose tree answers all that is `ASKED` of the host, see `support.filled`."""
    proxy = start_proxy()
    fill(proxy, origin, cachy_dir, host)
    return proxy
