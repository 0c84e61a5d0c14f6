"""What the proxy answers for itself, for tests."""

import json
from pathlib import Path
from typing import Any

from .client import Reply, fetch
from .message import HeadersLike
from .proxy import Proxy
from .wire import Target

NAME = "cachy.internal"

#: A mitmproxy script that tells of every name that is looked up.
LOOKUPS = """
import asyncio

def running():
    loop = asyncio.get_running_loop()
    original = loop.getaddrinfo
    def tell(host, *args, **kwargs):
        print(f"LOOKUP {host}", flush=True)
        return original(host, *args, **kwargs)
    loop.getaddrinfo = tell
"""


def token(proxy: Proxy) -> str:
    """The token of a proxy."""
    return token_file(proxy).read_text().strip()


def token_file(proxy: Proxy) -> Path:
    """Where it lies."""
    return Path(str(proxy.settings.options["cachy_dir"])) / ".cachy/token"


def bearer(proxy: Proxy) -> dict[str, str]:
    """The field that presents it."""
    return {"Authorization": f"Bearer {token(proxy)}"}


def cached(url: str) -> str:
    """Where the tree's answer for a URL is found."""
    return f"http://{NAME}/cache/{url}"


def ask(proxy: Target, path: str, method: str = "GET", headers: HeadersLike | None = None) -> Reply:
    """An answer of the proxy itself."""
    return fetch(proxy, f"http://{NAME}{path}", method, headers)


def ask_json(proxy: Target, path: str) -> Any:
    """An answer of the proxy itself, as JSON."""
    reply = ask(proxy, path)
    assert (reply.status, reply.header("content-type")) == (200, "application/json"), reply
    return json.loads(reply.body)
