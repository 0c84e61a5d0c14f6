"""The proxy that the user's own environment names, by which ours has to go."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cachy.through import Proxy


@dataclass(frozen=True)
class Upstream:
    """How our proxy reaches the world."""

    arguments: list[str] = field(default_factory=list)
    """Arguments of mitmdump."""
    direct: str = ""
    """Hosts that were asked directly before, and still are: ``NO_PROXY``."""
    remark: str | None = None
    """What to tell about it."""


def upstream(environ: Mapping[str, str]) -> Upstream:
    """What an environment says.

    mitmproxy goes by one proxy for everything: that for https, else for http, else for all.
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
            bare = Proxy(proxy.host, proxy.port, proxy.tls)
            arguments = ["--mode", f"upstream:{bare.url}"]
            if proxy.user is not None:
                arguments += ["--set", f"upstream_auth={proxy.user}:{proxy.password}"]
            direct = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
            return Upstream(arguments, direct, f"upstream is asked by way of {bare} ({spelling})")
    return Upstream()
