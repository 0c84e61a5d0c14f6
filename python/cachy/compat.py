"""What of mitmproxy has no types, or differs between its versions 11 and 12."""

from typing import Any

from mitmproxy import ctx
from mitmproxy.proxy.layers.http import _events

CANCEL: Any
BROKEN: Any
if hasattr(_events, "ErrorCode"):
    CANCEL = _events.ErrorCode.CANCEL
    BROKEN = _events.ErrorCode.GENERIC_SERVER_ERROR
else:  # mitmproxy 11 has numbers here: 499 tells HTTP/2 to cancel the stream.
    CANCEL, BROKEN = 499, 502


def builtin(name: str) -> Any:
    """One of mitmproxy's own addons.

    Args:
        name: Its name in lower case.
    """
    return ctx.master.addons.get(name)


def give_up(stream_id: int, why: str) -> _events.RequestProtocolError:
    """Tells a server connection that nobody waits for its answer any more."""
    return _events.RequestProtocolError(stream_id, why, CANCEL)


def break_off(stream_id: int, why: str) -> _events.ResponseProtocolError:
    """Tells a client connection that the response ends here, unfinished."""
    return _events.ResponseProtocolError(stream_id, why, BROKEN)
