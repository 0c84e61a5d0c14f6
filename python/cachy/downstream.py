"""The connection to an HTTP/1 client."""

from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http._base import HttpEvent
from mitmproxy.proxy.layers.http._events import ResponseHeaders, ResponseTrailers
from mitmproxy.proxy.layers.http._http1 import Http1Server

from cachy.trailers import WithoutTrailers


class DownstreamHttp1(WithoutTrailers, Http1Server):
    """Copes with trailers, and closes behind each answer to HTTP/1.0."""

    def send(self, event: HttpEvent) -> CommandGenerator[None]:
        """As the original, which has no trailers."""
        if isinstance(event, ResponseTrailers):
            return
        if isinstance(event, ResponseHeaders) and self.is_last(event):
            response = event.response.copy()
            response.headers["Connection"] = "close"
            event = ResponseHeaders(event.stream_id, response, event.end_stream)
        yield from super().send(event)

    def is_last(self, event: ResponseHeaders) -> bool:
        """Whether this answers HTTP/1.0: a proxy doesn't keep such a connection, since what it was
        asked to keep may be somebody else's (RFC 9112 appendix C.2.2).
        """
        request = self.request
        if request is None or request.method == "CONNECT" or event.response.status_code < 200:
            return False
        return request.http_version in ("HTTP/1.0", "HTTP/0.9")
