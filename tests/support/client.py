"""A raw HTTP/1.1 client over a proxy; what it is told to send goes out as it is."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from .message import Headers, HeadersLike, header, header_list, split_url
from .wire import Incomplete, Target, Wire

__all__ = ["Connection", "Incomplete", "Reply", "fetch"]


@dataclass
class Reply:
    """An answer; the body only where it was read to its end."""

    status: int
    reason: str
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """All values of one header, joined; None where there is none."""
        return header(self.headers, name)

    @property
    def cache_status(self) -> str:
        """The Cache-Status header, empty where there is none."""
        return self.header("cache-status") or ""


def fetch(
    proxy: Target,
    url: str,
    method: str = "GET",
    headers: HeadersLike | None = None,
    body: bytes | None = None,
    timeout: float = 10,
    **wire: Any,
) -> Reply:
    """One request on a connection of its own."""
    with Connection(proxy, url, timeout=timeout, **wire) as connection:
        return connection.fetch(url, method, headers, body)


class Connection:
    """A keep-alive connection: over a tunnel for https, else absolute-form.

    Further arguments go to `Wire`: `timeout`, `rcvbuf` (set before connecting),
    `connect` and `sni` (other names than the URL's, "" for none), `connect_headers`, `verify`, `pause`
    (seconds of silence in a tunnel before TLS), `tunnel` (off: as to an origin), `tls` (off: without),
    `context` (TLS of the test's own).
    """

    def __init__(self, proxy: Target, url: str, **wire: Any) -> None:
        self.url = url
        self.wire = Wire(proxy, split_url(url), **wire)
        self._direct = wire.get("tunnel") is False
        self._methods: list[str] = []
        self._pieces: Iterator[None] = iter(())
        self._body = bytearray()

    def send_request(
        self,
        url: str | None = None,
        method: str = "GET",
        headers: HeadersLike | None = None,
        body: bytes | None = None,
    ) -> None:
        """Send one request; several before the first answer are pipelined."""
        url = url or self.url
        scheme, authority, target = split_url(url)
        fields = header_list(headers)
        if header(fields, "host") is None:
            fields.insert(0, ("Host", authority))
        if body is not None and header(fields, "transfer-encoding") is None:
            fields.append(("Content-Length", str(len(body))))
        lines = [f"{method} {target if scheme == 'https' or self._direct else url} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields]
        head = "\r\n".join([*lines, "", ""])
        self.wire.sock.sendall(head.encode("utf-8", "surrogateescape") + (body or b""))
        self._methods.append(method)

    def send_raw(self, data: bytes, method: str = "GET") -> None:
        """Send bytes as they are; `method` tells how to read the answer."""
        self.wire.sock.sendall(data)
        self._methods.append(method)

    def read_head(self) -> Reply:
        """The head of the next answer; its body is read by what follows."""
        for _ in self._pieces:
            self._body.clear()
        self._body.clear()
        method = self._methods.pop(0) if self._methods else "GET"
        reply = Reply(*self.wire.read_head())
        self._pieces = self._read_body(method, reply)
        return reply

    def _read_body(self, method: str, reply: Reply) -> Iterator[None]:
        if method == "HEAD" or reply.status in (101, 204, 304):
            return
        length = reply.header("content-length")
        if "chunked" in (reply.header("transfer-encoding") or "").lower():
            while size := int(self.wire.read_until(b"\r\n").split(b";")[0], 16):
                yield from self._read_piece(size)
                self.wire.read_until(b"\r\n")
            while self.wire.read_until(b"\r\n") != b"\r\n":
                pass
        elif length is not None:
            yield from self._read_piece(int(length))
        else:
            while self.wire.buffer or self.wire.fill():
                self._body += self.wire.take(65536)
                yield

    def _read_piece(self, size: int) -> Iterator[None]:
        while size:
            if not self.wire.buffer and not self.wire.fill():
                raise Incomplete(f"{size} bytes of the body are missing")
            data = self.wire.take(size)
            size -= len(data)
            self._body += data
            yield

    def read(self, size: int) -> bytes:
        """At least one byte of the body and at most `size`; b"" at its end."""
        while not self._body:
            try:
                next(self._pieces)
            except StopIteration:
                return b""
        data = bytes(self._body[:size])
        del self._body[:size]
        return data

    def read_exactly(self, size: int) -> bytes:
        """That many bytes of the body."""
        data = bytearray()
        while len(data) < size:
            try:
                piece = self.read(size - len(data))
            except Incomplete as error:
                raise Incomplete(str(error), bytes(data)) from None
            if not piece:
                raise Incomplete("the body ended", bytes(data))
            data += piece
        return bytes(data)

    def read_to_end(self) -> bytes:
        """The rest of the body."""
        data = bytearray()
        try:
            while piece := self.read(1 << 20):
                data += piece
        except Incomplete as error:
            raise Incomplete(str(error), bytes(data)) from None
        return bytes(data)

    def digest_to_end(self) -> tuple[int, str]:
        """Length and SHA-256 of the rest of the body, which is not kept."""
        length, digest = 0, hashlib.sha256()
        while piece := self.read(1 << 20):
            length += len(piece)
            digest.update(piece)
        return length, digest.hexdigest()

    def fetch(
        self,
        url: str | None = None,
        method: str = "GET",
        headers: HeadersLike | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """One request and its whole answer."""
        self.send_request(url, method, headers, body)
        reply = self.read_head()
        reply.body = self.read_to_end()
        return reply

    def close(self) -> None:
        """Leave, also in the middle of a body."""
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
