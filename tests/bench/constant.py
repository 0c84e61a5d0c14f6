"""A mitmproxy script: the least that any addon does that answers by itself."""

import sys
from functools import cache
from pathlib import Path

from mitmproxy import http

sys.path.append(str(Path(__file__).parent.parent))

from bench.content import HEADERS, large_body, small_body


@cache
def body(target: str) -> bytes:
    """What the origin would answer, made once."""
    if not target.startswith("/large/"):
        return small_body(target)
    pattern = large_body(target)
    return pattern.slice(0, pattern.size)


class Constant:
    """Answers from memory, never looks at anything but the path."""

    def __init__(self) -> None:
        self.headers = [(name.encode(), value.encode()) for name, value in HEADERS]

    def request(self, flow: http.HTTPFlow) -> None:
        """Answers."""
        flow.response = http.Response.make(200, body(flow.request.path), self.headers)


addons = [Constant()]
