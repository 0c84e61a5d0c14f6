"""What differs between mitmproxy 11 and 12."""

from mitmproxy.proxy.layers import http

try:
    from mitmproxy.proxy.layers.http import ErrorCode
except ImportError:  # mitmproxy 11 has numbers here: 499 tells HTTP/2 to cancel the stream.
    CANCEL, BROKEN = 499, 502
else:
    CANCEL, BROKEN = ErrorCode.CANCEL, ErrorCode.GENERIC_SERVER_ERROR


def give_up(stream_id: int, why: str) -> http.RequestProtocolError:
    """Tells a server connection that nobody waits for its answer any more."""
    return http.RequestProtocolError(stream_id, why, CANCEL)


def break_off(stream_id: int, why: str) -> http.ResponseProtocolError:
    """Tells a client connection that the response ends here, unfinished."""
    return http.ResponseProtocolError(stream_id, why, BROKEN)
