"""The connections to origins, where mitmproxy's own take something wrongly or leave a client waiting."""

import re
from copy import copy
from typing import Any
from weakref import WeakSet

import h2.events
from mitmproxy import http
from mitmproxy.connection import Connection
from mitmproxy.proxy import events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http._base import HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Server
from mitmproxy.proxy.layers.http._http2 import Http2Client, StreamState

from cachy.downstream import DownstreamHttp1
from cachy.trailers import WithoutTrailers

#: HTTP/1 connections on which something went that an origin may have taken for more or for less than
#: one request: what comes next on them may be the answer to another one.
unclean: "WeakSet[Connection]" = WeakSet()
#: What of a field is read in one way only (RFC 9112 sections 5.1 and 5.2).
NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
BREAK = re.compile(rb"[\r\n\0]")
#: What ends a request target somewhere (RFC 9112 section 3).
SPACE = re.compile(rb"[\0-\x20\x7f]")
#: The head of an interim response (RFC 9110 section 15.2), but for a switch of protocols.
INTERIM = re.compile(rb"HTTP/1\.[0-9] 1(?!01)[0-9]{2}[ \r\n]")


class Unanswered(ResponseProtocolError):
    """The origin closed a connection, or a stream of it, without a word to this request (RFC 9110 section
    9.2.2, RFC 9113 section 8.7: a safe request may be sent again).
    """


class UpstreamHttp1(WithoutTrailers, Http1Client):
    """HTTP/1 to an origin."""

    #: Interim responses have come for this request.
    interim = False

    def send(self, event: HttpEvent) -> CommandGenerator[None]:
        """As the original, which has no trailers, and no end for a body of HTTP/2 without a length (RFC
        9112 section 6.3).
        """
        if isinstance(event, RequestHeaders):
            if not is_plain(event):
                unclean.add(self.conn)
            event = in_our_version(event)
        if isinstance(event, RequestHeaders) and not (event.end_stream or is_framed(event.request)):
            request = event.request.copy()
            request.headers["Transfer-Encoding"] = "chunked"
            event = RequestHeaders(event.stream_id, request, False, event.replay_flow)
        if not isinstance(event, RequestTrailers):
            yield from super().send(event)

    def read_headers(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        """As the original, which takes an interim response for the final one."""
        if self.request is not None and isinstance(event, events.DataReceived):
            while INTERIM.match(bytes(self.buf)):
                self.interim = True
                if not self.buf.maybe_extract_lines():
                    return
        silent = not self.interim and not self.buf
        for command in super().read_headers(event):
            if isinstance(command, ReceiveHttp):
                received: Any = command.event
                if isinstance(received, ResponseHeaders):
                    self.interim = False
                    if received.response.status_code != 101:
                        # Ours tells whether the connection can be kept, whatever becomes of theirs.
                        self.response = twin(received.response)
                        hand_on(received.response)
                elif isinstance(received, ResponseProtocolError) and silent:
                    command.event = unanswered(received)
            yield command


class UpstreamHttp2(Http2Client):
    """HTTP/2 to an origin."""

    def handle_h2_event(self, event: h2.events.Event) -> CommandGenerator[bool]:
        """As the original, but for a stream that is reset before its answer."""
        if isinstance(event, h2.events.StreamReset) and self.is_silent(event.stream_id):
            del self.streams[event.stream_id]
            why = f"the origin reset the stream (HTTP/2 error {event.error_code})"
            reset = Unanswered(event.stream_id, why, ResponseProtocolError.code)
            yield ReceiveHttp(reset)
            return False
        return (yield from super().handle_h2_event(event))

    def is_silent(self, number: int | None) -> bool:
        """Whether nothing came of this stream so far."""
        return self.streams.get(number or 0) is StreamState.EXPECTING_HEADERS

    def close_connection(self, msg: str) -> CommandGenerator[None]:
        """As the original, which forgets the streams that wait for their turn."""
        for command in super().close_connection(msg):
            if isinstance(command, ReceiveHttp):
                received: Any = command.event
                if self.is_silent(received.stream_id):
                    command.event = unanswered(received)
            yield command
        for waiting in self.stream_queue:
            # They have no number here yet, and what is received is told by its number here.
            self.their_stream_id[-waiting] = waiting
            yield ReceiveHttp(Unanswered(-waiting, msg, ResponseProtocolError.code))
        self.stream_queue.clear()


def is_plain(event: RequestHeaders) -> bool:
    """Whether a request is nothing but a head that everybody reads alike (RFC 9112 section 11.2), and
    tells nothing about the next one: NTLM and Negotiate are said once for a connection.
    """
    request = event.request
    proof = request.headers.get("authorization", "basic").split(" ")[0].lower()
    return (
        event.end_stream
        and proof in ("basic", "bearer", "digest", "token")
        and request.data.method in (b"GET", b"HEAD")
        and not any(name in request.headers for name in ("upgrade", "transfer-encoding"))
        and request.headers.get("content-length", "0") == "0"
        and not any(SPACE.search(text) for text in (request.data.path, request.data.authority))
        and all(NAME.fullmatch(n) and not BREAK.search(v) for n, v in request.headers.fields)
    )


def in_our_version(event: RequestHeaders) -> RequestHeaders:
    """A request of HTTP/1.0 as one of ours (RFC 9110 section 2.5): the answer may be for others."""
    if event.request.http_version != "HTTP/1.0" or "host" not in event.request.headers:
        return event
    request = event.request.copy()
    request.http_version = "HTTP/1.1"
    return RequestHeaders(event.stream_id, request, event.end_stream, event.replay_flow)


def is_framed(request: http.Request) -> bool:
    """Whether a request's fields tell where its body ends."""
    return "content-length" in request.headers or "transfer-encoding" in request.headers


def unanswered(error: ResponseProtocolError) -> Unanswered:
    """The same error, known as one behind which a request may be sent again."""
    return Unanswered(error.stream_id, error.message, error.code)


def twin(response: http.Response) -> http.Response:
    """A copy that shares nothing that changes; mitmproxy's own checks all types anew."""
    found = copy(response)
    found.data = copy(response.data)
    found.data.headers = copy(response.data.headers)
    return found


def hand_on(response: http.Response) -> None:
    """Takes away what is between the proxy and the origin alone (RFC 9110 sections 2.5, 7.6.1)."""
    response.http_version = "HTTP/1.1"
    if "connection" in response.headers:
        options = [option.strip() for option in response.headers["connection"].split(",")]
        kept = [option for option in options if option.lower() not in ("close", "keep-alive", "")]
        del response.headers["connection"]
        if kept:
            response.headers["connection"] = ", ".join(kept)
    for name in ("keep-alive", "proxy-connection"):
        response.headers.pop(name, None)


def adopt(found: Any) -> None:
    """Makes a connection ours, which has just begun and heard nothing yet.

    Args:
        found: The layers of the connection, down to the one for HTTP.
    """
    kinds = {Http1Client: UpstreamHttp1, Http2Client: UpstreamHttp2, Http1Server: DownstreamHttp1}
    while found is not None:
        if (kind := kinds.get(type(found))) is not None:
            found.__class__ = kind
            if kind is not UpstreamHttp2:
                found.state = found.read_headers
        found = getattr(found, "child_layer", None)
