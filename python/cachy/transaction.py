"""What goes between mitmproxy's flow and the core's exchange."""

import asyncio
import time
from dataclasses import dataclass

from mitmproxy import http
from mitmproxy.net.http import status_codes

from cachy._core import Answer, Body, Exchange, Forward, Request, Streamed
from cachy.news import end

#: A body up to this many bytes is set as content, as any addon would; a larger one is streamed.
SMALL = 64 * 1024


@dataclass
class Transaction:
    """One flow's."""

    exchange: Exchange
    forward: Forward | None = None
    #: The body of an answer of cachy's, to be streamed.
    body: Body | None = None
    #: Upstream's answer was none: it is to be asked once more.
    again: bool = False
    #: Upstream's body on its way.
    streamed: Streamed | None = None
    #: What `flow.response` holds came from upstream, not from another addon.
    upstream: bool = False
    #: `flow.response` is cachy's own.
    answered: bool = False
    #: There is no client.
    detached: bool = False
    #: The client left while it waited for the fetch of another.
    left: bool = False
    #: What it waits for.
    waiting: asyncio.Future[None] | None = None

    def leave(self) -> None:
        """The client has left: it waits no more."""
        self.left = True
        if self.waiting is not None:
            end(self.waiting)

    def answer(self, flow: http.HTTPFlow, answer: Answer) -> None:
        """Makes an answer the flow's response."""
        self.answered = True
        self.body = answer.take_body()
        content: bytes | None = None
        if self.detached:
            content, self.body = b"", None
        elif not self.body.growing and (self.body.remaining or 0) <= SMALL:
            content = read_all(self.body)
            self.body = None
        reason = answer.reason or status_codes.RESPONSES.get(answer.status, "")
        now = time.time()
        flow.response = http.Response(
            b"HTTP/1.1",
            answer.status,
            reason.encode(),
            http.Headers(answer.headers),
            content,
            None,
            now,
            now,
        )


def read_all(body: Body) -> bytes:
    """All of a small body.

    Raises:
        EOFError: Somebody cut the file short in this very moment.
    """
    chunks = []
    while chunk := body.read(SMALL):
        assert isinstance(chunk, bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def request_of(flow: http.HTTPFlow, *, own: bool, straight: bool = False) -> Request:
    """The flow's request as the core takes it.

    Args:
        flow: The flow.
        own: Its client is the proxy itself.
        straight: It is for the proxy itself.

    Raises:
        ValueError: The scheme is neither http nor https.
    """
    request = flow.request
    upgrade = request.headers.get("upgrade", "").lower()
    return Request(
        # As it is: methods are case-sensitive (RFC 9110 section 9.1).
        method=request.data.method.decode("ascii", "replace"),
        scheme=request.scheme,
        host=request.host,
        port=request.port,
        path=request.data.path,
        headers=list(request.headers.fields),
        authority=request.data.authority or None,
        sni=sni_of(flow),
        mode=flow.client_conn.proxy_mode.type_name,
        own=own,
        straight=straight,
        special=has_body(request) or upgrade not in ("", "h2c"),
        multiplexed=is_multiplexed(request),
        old=request.http_version in ("HTTP/1.0", "HTTP/0.9"),
    )


def has_body(request: http.Request) -> bool:
    """Whether a request is more than a head."""
    # One that is streamed has no content yet.
    return bool(request.raw_content or request.trailers or request.stream)


def is_multiplexed(request: http.Request) -> bool:
    """Whether the client speaks HTTP/2 or later."""
    return request.is_http2 or request.is_http3


def sni_of(flow: http.HTTPFlow) -> str | None:
    """The name that mitmproxy sends upstream for TLS, where the client chose it, or the mode."""
    if flow.request.scheme != "https":
        return None
    return flow.server_conn.sni or flow.client_conn.sni
