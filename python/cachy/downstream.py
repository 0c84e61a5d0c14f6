"""The connection to an HTTP/1 client."""

import asyncio

from mitmproxy.proxy import commands
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http._base import HttpEvent
from mitmproxy.proxy.layers.http._events import ResponseData, ResponseHeaders, ResponseTrailers
from mitmproxy.proxy.layers.http._http1 import Http1Server

from cachy.trailers import WithoutTrailers

#: Set once the proxy ends: each answer is the last of its connection.
ending = asyncio.Event()


class FollowedHeaders(ResponseHeaders):
    """The head of a response whose body follows at once."""


class DownstreamHttp1(WithoutTrailers, Http1Server):
    """Copes with trailers, closes behind each answer to HTTP/1.0, and sends a head and the body that
    follows it at once: each piece is a record of TLS, a call to the system and a client that wakes up.
    """

    #: A head that its body follows.
    head = b""

    def send(self, event: HttpEvent) -> CommandGenerator[None]:
        """As the original, which has no trailers."""
        if isinstance(event, ResponseTrailers):
            return
        if isinstance(event, ResponseHeaders):
            followed = is_followed(event)
            if self.is_last(event):
                response = event.response.copy()
                response.headers["Connection"] = "close"
                event = ResponseHeaders(event.stream_id, response, event.end_stream)
            for command in super().send(event):
                if followed and isinstance(command, commands.SendData):
                    self.head += command.data
                else:
                    yield command
            return
        if self.head and not isinstance(event, ResponseData):
            yield self.take_head()
        for command in super().send(event):
            if self.head and isinstance(command, commands.SendData):
                command.data = self.take_head().data + command.data
            yield command

    def take_head(self) -> commands.SendData:
        """What sends the head that waits."""
        head, self.head = self.head, b""
        return commands.SendData(self.conn, head)

    def is_last(self, event: ResponseHeaders) -> bool:
        """Whether the connection is closed behind this answer: the proxy ends, or it is to HTTP/1.0. A
        proxy doesn't keep such a connection, since what it was asked to keep may be somebody else's
        (RFC 9112 appendix C.2.2).
        """
        request = self.request
        if request is None or request.method == "CONNECT" or event.response.status_code < 200:
            return False
        return ending.is_set() or request.http_version in ("HTTP/1.0", "HTTP/0.9")


def is_followed(event: ResponseHeaders) -> bool:
    """Whether the body comes with the very next event."""
    if isinstance(event, FollowedHeaders):
        return True
    response = event.response
    return bool(response.raw_content) and not (event.end_stream or response.stream)
