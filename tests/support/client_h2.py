"""An HTTP/2 client over a proxy, with its hand on the flow control."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings

from .client import Reply
from .message import HeadersLike, header_list, split_url
from .wire import Incomplete, Target, Wire

CONNECTION_WINDOW = 2**30


@dataclass
class Stream:
    """What came on one stream and was not read yet."""

    reply: Reply | None = None
    data: bytearray = field(default_factory=bytearray)
    received: int = 0
    """Bytes of the body that came, read or not."""
    ended: bool = False
    trailers: dict[str, str] = field(default_factory=dict)
    reset: int | None = None
    """The error code, where the peer reset the stream."""


class H2Client:
    """One connection with any number of streams.

    `window` is each stream's initial window: 0 never opens by itself. With
    `automatic` off only `open_window()` opens it further. The connection's own
    window is wide open unless told otherwise.
    """

    def __init__(
        self,
        proxy: Target,
        url: str,
        *,
        window: int = 65535,
        automatic: bool = True,
        connection_window: int = CONNECTION_WINDOW,
        timeout: float = 10,
        **wire: Any,
    ) -> None:
        self.url = url
        self.timeout = timeout
        self.automatic = automatic
        self.streams: dict[int, Stream] = {}
        self.going_away = False
        self.wire = Wire(proxy, split_url(url), timeout=timeout, alpn=("h2",), **wire)
        chosen = self.wire.sock.selected_alpn_protocol()  # type: ignore[attr-defined]
        if chosen != "h2":
            self.wire.close()
            raise ConnectionError(f"no HTTP/2: ALPN chose {chosen}")
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="latin-1")
        )
        codes = h2.settings.SettingCodes
        self.h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                codes.ENABLE_PUSH: 0,
                codes.INITIAL_WINDOW_SIZE: window,
                codes.MAX_HEADER_LIST_SIZE: 65536,
            },
        )
        self.h2.initiate_connection()
        if connection_window > 65535:
            self.h2.increment_flow_control_window(connection_window - 65535)
        try:
            self._flush()
        except OSError:
            self.wire.close()
            raise

    def _flush(self) -> None:
        if data := self.h2.data_to_send():
            self.wire.sock.settimeout(self.timeout)
            self.wire.sock.sendall(data)

    def send_request(
        self,
        url: str | None = None,
        method: str = "GET",
        headers: HeadersLike | None = None,
        body: bytes | None = None,
    ) -> int:
        """Send one request; gives the number of its stream."""
        _, authority, target = split_url(url or self.url)
        number: int = self.h2.get_next_available_stream_id()
        self.streams[number] = Stream()
        pseudo = [
            (":method", method),
            (":scheme", "https"),
            (":authority", authority),
            (":path", target),
        ]
        fields = [(name.lower(), value) for name, value in header_list(headers)]
        self.h2.send_headers(number, pseudo + fields, end_stream=not body)
        if body:
            self.h2.send_data(number, body, end_stream=True)
        self._flush()
        return number

    def pump(self, until: Callable[[], bool], timeout: float | None = None) -> None:
        """Take in what comes until that is true."""
        limit = self.timeout if timeout is None else timeout
        deadline = time.monotonic() + limit
        while not until():
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing of the kind within {limit} s")
            if not self.wire.fill(deadline):
                raise Incomplete("the connection ended")
            for event in self.h2.receive_data(self.wire.take(1 << 30)):
                self._on(event)
            self._flush()

    def _on(self, event: h2.events.Event) -> None:
        self.going_away |= isinstance(event, h2.events.ConnectionTerminated)
        stream = self.streams.get(getattr(event, "stream_id", None) or 0)
        if stream is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            pairs = [(str(k), str(v)) for k, v in event.headers or []]
            stream.reply = Reply(int(dict(pairs)[":status"]), "", pairs[1:])
        elif isinstance(event, h2.events.DataReceived):
            stream.data += event.data or b""
            stream.received += len(event.data or b"")
            if self.automatic and event.flow_controlled_length:
                self.h2.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id or 0
                )
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = {str(k): str(v) for k, v in event.headers or []}
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.reset = int(event.error_code or 0)

    def _gone(self, number: int) -> bool:
        return self.streams[number].reset is not None

    def read_head(self, number: int, timeout: float | None = None) -> Reply:
        """The head of the answer."""
        stream = self.streams[number]
        self.pump(lambda: stream.reply is not None or self._gone(number), timeout)
        if stream.reply is None:
            raise Incomplete(f"stream {number} was reset ({stream.reset})")
        return stream.reply

    def read(self, number: int, size: int, timeout: float | None = None) -> bytes:
        """At least one byte of the body and at most `size`; b"" at its end."""
        stream = self.streams[number]
        self.pump(lambda: bool(stream.data) or stream.ended or self._gone(number), timeout)
        if not stream.data and self._gone(number):
            raise Incomplete(f"stream {number} was reset ({stream.reset})")
        data = bytes(stream.data[:size])
        del stream.data[:size]
        return data

    def read_to_end(self, number: int) -> bytes:
        """The rest of the body."""
        data = bytearray()
        try:
            while piece := self.read(number, 1 << 20):
                data += piece
        except Incomplete as error:
            raise Incomplete(str(error), bytes(data)) from None
        return bytes(data)

    def fetch(
        self,
        url: str | None = None,
        method: str = "GET",
        headers: HeadersLike | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """One request and its whole answer."""
        number = self.send_request(url, method, headers, body)
        reply = self.read_head(number)
        reply.body = self.read_to_end(number)
        return reply

    def open_window(self, number: int, size: int) -> None:
        """Allow `size` further bytes on one stream."""
        self.h2.increment_flow_control_window(size, number)
        self._flush()

    def reset(self, number: int) -> None:
        """Give one stream up."""
        self.h2.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
        self._flush()

    def close(self) -> None:
        """Leave without a word."""
        self.wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
