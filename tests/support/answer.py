"""Static answers of the origin."""

import re
from dataclasses import dataclass, field

from .message import Headers, Request, header
from .pattern import Pattern
from .reply import Framing, Reply

BODILESS = (204, 304)


@dataclass
class Answer:
    """One fixed answer; conditions and ranges are honoured only on demand."""

    body: bytes | Pattern = b""
    status: int = 200
    headers: Headers = field(default_factory=list)
    etag: str | None = None
    last_modified: str | None = None
    ranges: bool = False
    framing: Framing = "length"

    def _not_modified(self, request: Request) -> bool:
        wanted = request.header("if-none-match")
        if self.etag is not None and wanted is not None:
            plain = self.etag.removeprefix("W/")
            tags = (tag.strip().removeprefix("W/") for tag in wanted.split(","))
            return any(tag in ("*", plain) for tag in tags)
        since = request.header("if-modified-since")
        return self.last_modified is not None and since == self.last_modified

    def _range(self, request: Request, size: int) -> tuple[int, int] | None:
        """The one range that was asked for, as start and stop."""
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.header("range") or "")
        if not (self.ranges and match and any(match.groups())):
            return None
        condition = request.header("if-range")
        if condition is not None and condition not in (self.etag, self.last_modified):
            return None
        first, last = match.groups()
        if not first:
            return max(0, size - int(last)), size
        return int(first), min(size, int(last) + 1 if last else size)

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        headers = list(self.headers)
        if self.etag is not None:
            headers.append(("ETag", self.etag))
        if self.last_modified is not None:
            headers.append(("Last-Modified", self.last_modified))
        if header(headers, "content-type") is None and self.status not in BODILESS:
            headers.append(("Content-Type", "application/octet-stream"))
        if self._not_modified(request):
            await reply.head(304, headers)
            await reply.end()
            return
        size = len(self.body) if isinstance(self.body, bytes) else self.body.size
        status, start, stop = self.status, 0, size
        if self.ranges:
            headers.append(("Accept-Ranges", "bytes"))
        if span := self._range(request, size):
            start, stop = span
            status = 206
            headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{size}"))
            if start >= stop:
                headers[-1] = ("Content-Range", f"bytes */{size}")
                status, start, stop = 416, 0, 0
        await self._send(request, reply, status, headers, start, stop)

    async def _send(
        self,
        request: Request,
        reply: Reply,
        status: int,
        headers: Headers,
        start: int,
        stop: int,
    ) -> None:
        await reply.head(
            status,
            headers,
            length=stop - start if self.framing == "length" and status not in BODILESS else None,
            chunked=self.framing == "chunked",
            close=self.framing == "close",
        )
        if request.method != "HEAD" and status not in BODILESS:
            if isinstance(self.body, Pattern):
                for chunk in self.body.chunks(start, stop):
                    await reply.send(chunk)
            elif start < stop:
                await reply.send(self.body[start:stop])
        await reply.end()
