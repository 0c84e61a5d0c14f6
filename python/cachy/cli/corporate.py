"""The proxy that the user's own environment names, by which ours has to go."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cachy.cli import local
from cachy.cli.through import Proxy, is_loopback
from cachy.no_proxy import is_everything


@dataclass(frozen=True)
class Upstream:
    """How our proxy reaches the world."""

    arguments: list[str] = field(default_factory=list)
    """Arguments of mitmdump."""
    options: dict[str, str] = field(default_factory=dict)
    """Options of mitmproxy, unless the user set them."""
    direct: str = ""
    """Hosts that clients asked directly before, and still do: ``NO_PROXY``."""
    remark: str | None = None
    """What to tell about it."""


def upstream(environ: Mapping[str, str], own_port: int = 0) -> Upstream:
    """What an environment says.

    mitmproxy goes by one proxy for everything: that for https, else for http, else for all. It asks
    hosts of ``NO_PROXY`` directly, also for clients that ignore that variable.

    Args:
        environ: The environment.
        own_port: The port that ours is to listen on, which is no way to the world.
    """
    direct = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if is_everything(direct):
        return Upstream()
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
            # Another proxy can't reach this machine.
            past = ",".join(part for part in (*local.words(), direct) if part)
            options = {"cachy_no_proxy": past}
            if proxy.user is not None:
                options["upstream_auth"] = f"{proxy.user}:{proxy.password}"
            return Upstream(
                ["--mode", f"upstream:{bare.url}"],
                options,
                direct,
                f"upstream is asked by way of {bare} ({spelling})",
            )
    return Upstream()
