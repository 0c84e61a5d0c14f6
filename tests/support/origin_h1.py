"""The origin's HTTP/1.1 side."""

import asyncio
import http
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from .answer import BODILESS
from .message import (
    Headers,
    HeadersLike,
    Request,
    header,
    header_list,
    plain_host,
    split_url,
)
from .reply import Reply

Dispatch = Callable[[Request, Reply], Awaitable[None]]


@dataclass(frozen=True)
class Peer:
    """One accepted connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    scheme: str
    sni: str | None
    number: int
    careless: Collection[str] = ()
    """See `Origin.careless_hosts`."""


class Http1Reply(Reply):
    """An answer over HTTP/1.1."""

    def __init__(self, writer: asyncio.StreamWriter, method: str) -> None:
        self._writer = writer
        self._method = method
        self._missing: int | None = None
        self._chunked = False
        self.close_after = False

    async def _write(self, data: bytes | memoryview) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def head(
        self,
        status: int = 200,
        headers: HeadersLike | None = None,
        *,
        length: int | None = None,
        chunked: bool = False,
        close: bool = False,
        reason: str | None = None,
    ) -> None:
        """See `Reply.head`."""
        fields = header_list(headers)
        if chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        elif close:
            fields.append(("Connection", "close"))
        elif status not in BODILESS:
            self._missing = length or 0
            fields.append(("Content-Length", str(self._missing)))
        if self._method == "HEAD" or status in BODILESS:
            self._missing, chunked = None, False
        self._chunked = chunked
        self.close_after = close
        self.started = True
        if reason is None:
            known = status in http.HTTPStatus.__members__.values()
            reason = http.HTTPStatus(status).phrase if known else "Unknown"
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{k}: {v}" for k, v in fields)]
        await self._write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def send(self, data: bytes | memoryview) -> None:
        """See `Reply.send`."""
        if not len(data):
            return
        if self._chunked:
            self._writer.write(b"%x\r\n" % len(data))
            self._writer.write(data)
            await self._write(b"\r\n")
        else:
            await self._write(data)
        self.sent += len(data)

    async def end(self) -> None:
        """See `Reply.end`; a body shorter than promised closes the connection."""
        if self._chunked:
            await self._write(b"0\r\n\r\n")
        if self._missing is not None and self.sent < self._missing:
            self.close_after = True
        self.ended = True

    def abort(self) -> None:
        """See `Reply.abort`."""
        self.close_after = True
        self._writer.transport.abort()

    async def raw(self, data: bytes) -> None:
        """See `Reply.raw`; the connection closes afterwards."""
        self.started = self.ended = self.close_after = True
        await self._write(data)


async def _read_body(reader: asyncio.StreamReader, headers: Headers) -> bytes:
    if "chunked" in (header(headers, "transfer-encoding") or "").lower():
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readline()
        while (await reader.readline()).strip():
            pass
        return body
    return await reader.readexactly(int(header(headers, "content-length") or 0))


async def _read_request(peer: Peer) -> Request:
    head = (await peer.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    method, target, version = first.split(" ", 2)
    headers: Headers = []
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    authority = header(headers, "host") or ""
    careless = plain_host(authority, peer.scheme) in peer.careless
    body = b"" if careless else await _read_body(peer.reader, headers)
    if "://" in target and not target.startswith("/"):
        _, authority, target = split_url(target)
    return Request(
        method=method,
        scheme=peer.scheme,
        host=plain_host(authority, peer.scheme),
        target=target,
        headers=headers,
        body=body,
        time=time.monotonic(),
        version=version.removeprefix("HTTP/"),
        sni=peer.sni,
        connection=peer.number,
        authority=authority,
        line=first,
    )


async def serve_http1(peer: Peer, dispatch: Dispatch) -> None:
    """Answer the requests of one connection, one after the other."""
    # Not 0: asyncio's TLS transport would then pause for ever.
    peer.writer.transport.set_write_buffer_limits(high=1)
    while True:
        try:
            request = await _read_request(peer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        reply = Http1Reply(peer.writer, request.method)
        await dispatch(request, reply)
        if reply.close_after or not reply.ended or request.version == "1.0":
            return
        if (request.header("connection") or "").lower() == "close":
            return
