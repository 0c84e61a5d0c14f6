"""What of mitmproxy's flows a proxy has printed: what went through the fast lane is no flow."""

import itertools

from .proxy import Proxy


def flows(proxy: Proxy, host: str) -> list[str]:
    """Method and path of each flow to a host, in their order.

    Args:
        proxy: One whose log has flows, as mitmdump's has by default.
        host: Of the requests that are looked for.
    """
    found = []
    for line in proxy.log().splitlines():
        words = line.split()
        for method, url in itertools.pairwise(words):
            _, there, path = url.partition(f"://{host}")
            if there and method.isupper():
                found.append(f"{method} {path or '/'}")
    return found
