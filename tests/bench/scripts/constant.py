"""A mitmproxy script: the least that any addon does that answers by itself."""

import os
from functools import cache
from pathlib import Path

from mitmproxy import http

FILES = Path(os.environ["BENCH_FILES"])
HEADERS = [(b"Content-Type", b"application/octet-stream"), (b"Cache-Control", b"max-age=86400")]


@cache
def body(host: str, path: str) -> bytes:
    """What the origin would answer, read once."""
    return (FILES / host / path.lstrip("/")).read_bytes()


class Constant:
    """Answers from memory, never looks at anything but host and path."""

    def request(self, flow: http.HTTPFlow) -> None:
        """Answers."""
        content = body(flow.request.host, flow.request.path)
        flow.response = http.Response.make(200, content, HEADERS)


addons = [Constant()]
