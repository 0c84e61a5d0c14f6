"""HTTP/1.1 trailers, which mitmproxy can't read: they are dropped (RFC 9112 section 7.1.2)."""

from typing import Any

import h11
from h11._readers import ChunkedReader
from mitmproxy.proxy import events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http._http1 import Http1Connection


class TrailersDropped:
    """A reader of chunks whose end has no fields."""

    def __init__(self, reader: ChunkedReader) -> None:
        self.reader = reader

    def __call__(self, buffer: Any) -> Any:
        """The next piece of the body, or its end, or None where more has to come."""
        event = self.reader(buffer)
        return h11.EndOfMessage() if isinstance(event, h11.EndOfMessage) else event

    def read_eof(self) -> Any:
        """As the original."""
        return self.reader.read_eof()


class WithoutTrailers(Http1Connection):
    """A side of an HTTP/1.1 connection that drops what it receives as trailers."""

    def read_body(self, event: events.Event) -> CommandGenerator[None]:
        """As the original, which can't go on behind trailers."""
        if isinstance(self.body_reader, ChunkedReader):
            reader: Any = TrailersDropped(self.body_reader)
            self.body_reader = reader
        yield from super().read_body(event)
