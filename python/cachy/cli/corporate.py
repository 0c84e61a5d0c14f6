"""The proxy that the user's own environment names, by which ours has to go."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cachy.cli.through import Proxy, is_loopback


@dataclass(frozen=True)
class Upstream:
    """How our proxy reaches the world."""

    arguments: list[str] = field(default_factory=list)
    """Arguments of mitmdump."""
    direct: str = ""
    """Hosts that were asked directly before, and still are: ``NO_PROXY``."""
    remark: str | None = None
    """What to tell about it."""


def upstream(environ: Mapping[str, str], own_port: int = 0) -> Upstream:
    """What an environment says.

    mitmproxy goes by one proxy for everything: that for https, else for http, else for all.

    Args:
        environ: The environment.
        own_port: The port that ours is to listen on, which is no way to the world.
    """
    for name in ("https_proxy", "http_proxy", "all_proxy"):
        for spelling in (name, name.upper()):
            if not (url := environ.get(spelling)):
                continue
            try:
                proxy = Proxy.parse(url)
            except ValueError:
                return Upstream(
                    remark=f"{spelling}={url} is not used: mitmproxy speaks to http proxies alone"
                )
            if proxy.port == own_port and is_loopback(proxy.host):
                return Upstream()
            bare = Proxy(proxy.host, proxy.port, proxy.tls)
            arguments = ["--mode", f"upstream:{bare.url}"]
            if proxy.user is not None:
                arguments += ["--set", f"upstream_auth={proxy.user}:{proxy.password}"]
            direct = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
            return Upstream(arguments, direct, f"upstream is asked by way of {bare} ({spelling})")
    return Upstream()
