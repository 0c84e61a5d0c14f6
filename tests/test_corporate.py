"""The company's proxy, which the environment names, and the hosts that are asked past it."""

import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from cachy.cli import local
from cachy.cli.corporate import upstream
from cachy.no_proxy import is_direct
from clients.run import need
from support.client import fetch
from support.command import Cachy
from support.factory import ProxyFactory
from support.origin import Origin
from support.proxy import Proxy
from support.served import Served


@pytest.fixture
def company(start_proxy: ProxyFactory) -> Proxy:
    """A proxy that wants a password."""
    return start_proxy(scripts=[], options={"proxyauth": "user:s", "ignore_hosts": ":443$"})


@pytest.fixture
def environ(company: Proxy) -> dict[str, str]:
    """What names it, and a site that it isn't asked for."""
    url = f"http://user:s@127.0.0.1:{company.port}"
    return {"HTTPS_PROXY": url, "HTTP_PROXY": url, "NO_PROXY": ".inside.example,10.0.0.0/8"}


def sites(company: Proxy) -> set[str]:
    """What it has connected to."""
    return set(re.findall(r"server connect ([a-z.]+):\d+", company.log()))


def ways(origin: Origin) -> list[str]:
    """URLs inside and outside that have an answer."""
    urls = [
        f"{scheme}://{scheme}.{side}.example/a-1.0-py3-none-any.whl"
        for scheme in ("http", "https")
        for side in ("inside", "outside")
    ]
    for url in urls:
        origin.route(url, b"PK" + b"x" * 98)
    return urls


OUTSIDE = {"http.outside.example", "https.outside.example"}


def test_fetch(
    command: Cachy, company: Proxy, environ: dict[str, str], origin: Origin, tmp_path: Path
) -> None:
    """`cachy fetch` has them from our proxy, which asks each the right way."""
    own: list[str | Path] = ["fetch", "--dir", tmp_path / "tree", *command.settings]
    command.run(*own, *ways(origin), env=environ).ok()
    assert sites(company) == OUTSIDE


def test_run(
    command: Cachy, company: Proxy, environ: dict[str, str], origin: Origin, tmp_path: Path
) -> None:
    """A pip that is told to asks our proxy for every host; curl asks those inside by itself."""
    need("curl")
    urls = ways(origin)
    pip = 'pip --proxy "$https_proxy" download -q --disable-pip-version-check --no-cache-dir --no-deps --retries 0 -d d'
    script = "".join(
        f"{pip} {url}; curl -sS -o /dev/null {url.replace('a-1', 'b-1')};" for url in urls
    )
    own: list[str | Path] = ["run", "--dir", tmp_path / "tree", *command.settings]
    done = command.run(*own, "--", "sh", "-c", script, env=environ)
    assert {url for url in urls if origin.count(url)} == set(urls), done.output
    assert sites(company) == OUTSIDE


@pytest.mark.parametrize("options", [[], ["--workers", "2"]], ids=["one", "workers"])
def test_serve(
    command: Cachy,
    company: Proxy,
    environ: dict[str, str],
    origin: Origin,
    tmp_path: Path,
    options: list[str],
) -> None:
    """So does the proxy for everybody."""
    theirs = replace(command)
    theirs.env |= environ
    with Served(theirs, tmp_path / "tree", options) as proxy:
        for url in ways(origin):
            assert fetch(proxy, url).body == b"PK" + b"x" * 98
    assert sites(company) == OUTSIDE


@pytest.mark.parametrize(
    ("environ", "mode", "direct"),
    [
        ({}, None, ""),
        ({"https_proxy": "http://p:3128", "no_proxy": "a,b"}, "upstream:http://p:3128", "a,b"),
        ({"HTTP_PROXY": "p:3128"}, "upstream:http://p:3128", ""),
        # Nothing is asked by way of it.
        ({"https_proxy": "http://p:3128", "no_proxy": "a,*"}, None, ""),
        ({"ALL_PROXY": "http://u:s@p:3128"}, "upstream:http://p:3128", ""),
        ({"ALL_PROXY": "socks5://p:3128"}, None, ""),
        # That is ours: a shell that `cachy env` set up starts it again.
        ({"https_proxy": "http://127.0.0.1:8080"}, None, ""),
    ],
)
def test_upstream(environ: dict[str, str], mode: str | None, direct: str) -> None:
    """The proxy that the environment names is the one that ours asks."""
    found = upstream(environ, 8080)
    assert (found.arguments[1] if found.arguments else None, found.direct) == (mode, direct)
    assert (found.remark is None) == (mode is None and "socks5" not in str(environ))
    assert found.options.get("upstream_auth") == ("u:s" if "u:s" in str(environ) else None)
    assert "u:s" not in str(found.remark)
    past = found.options.get("cachy_no_proxy")
    assert past == (None if mode is None else ",".join([*local.words(), *filter(None, [direct])]))
    if past is not None:
        for host in ("localhost", "127.9.9.9", "0.0.0.0", socket.gethostname()):
            assert is_direct(past, host, 80)
