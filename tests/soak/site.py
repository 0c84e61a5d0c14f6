"""What curl asks for: files that never change, and some that change all the time."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

from clients.repository import IMMUTABLE
from support.answer import Answer
from support.message import Request
from support.origin import Origin
from support.reply import Reply

from .content import make, read

HOSTS = ("a.files.soak.example", "b.files.soak.example")
"""The second has HTTP/2."""
FAMILY = "files"
#: Seconds that a version lives.
PERIOD = 7.0
#: Seconds within which nothing is checked twice.
AGAIN = 5.0
#: Seconds that an answer may be on its way.
SLACK = 4.0
#: What the origin says of each kind, and the seconds for which an old version may be served.
HEADERS: dict[str, dict[str, str]] = {
    "fixed": IMMUTABLE,
    "plain": {"Last-Modified": formatdate(1_700_000_000, usegmt=True)},
    "moving": {"Cache-Control": "max-age=2"},
    "checked": {"Cache-Control": "no-cache"},
    "gone": {},
}
LIFETIME = {"moving": 2.0 + AGAIN, "checked": AGAIN}
TARGET = re.compile(r"/(fixed|plain|moving|checked|gone)/([\w-]+)/(\d+)/(\d+)\.bin")


@dataclass(frozen=True)
class File:
    """One URL."""

    host: str
    kind: str
    generation: str
    number: int
    size: int

    @property
    def label(self) -> str:
        """Host and target, which http and https share."""
        return f"{self.host}/{self.kind}/{self.generation}/{self.number}/{self.size}.bin"

    @property
    def url(self) -> str:
        """By https."""
        return f"https://{self.label}"

    @classmethod
    def parse(cls, label: str) -> "File | None":
        """Return the file of a label, or None."""
        host, slash, rest = label.partition("/")
        found = TARGET.fullmatch(slash + rest)
        return cls(host, found[1], found[2], int(found[3]), int(found[4])) if found else None


class Site:
    """Answers for all files.

    Args:
        origin: Where it is published.
        latency: Seconds that an answer takes.
        lie: Changes a body, to see whether that is noticed.
    """

    def __init__(
        self, origin: Origin, latency: float, lie: Callable[[File, bytes], bytes] | None = None
    ) -> None:
        self.epoch = time.monotonic()
        self._latency = latency
        self._lie = lie
        for host in HOSTS:
            origin.handle(host, "*", self)
        origin.http2_hosts.add(HOSTS[1])

    def version(self, file: File, now: float) -> int:
        """Return the version at a moment."""
        if file.kind not in LIFETIME:
            return 0
        return int((now - self.epoch + file.number % 7) / PERIOD)

    def replaced(self, file: File, version: int) -> float:
        """Return when a version was no longer the current one."""
        if file.kind not in LIFETIME:
            return float("inf")
        return self.epoch - file.number % 7 + (version + 1) * PERIOD

    def etag(self, file: File, version: int) -> str:
        """Return the validator of a version."""
        return f'"{file.generation}-{file.number}-{version}"'

    def body(self, file: File, version: int) -> bytes:
        """Return the bytes of a version."""
        return make(file.label, version, file.size)

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        await asyncio.sleep(self._latency)
        file = File.parse(f"{request.host}{request.target}")
        if file is None or file.kind == "gone":
            body = make(f"{request.host}{request.target}", 0, 0)
            await Answer(body, 404, [("Content-Type", "text/plain")])(request, reply)
            return
        version = self.version(file, time.monotonic())
        body = self.body(file, version)
        if self._lie is not None:
            body = self._lie(file, body)
        headers = [("Content-Type", "application/octet-stream"), *HEADERS[file.kind].items()]
        await Answer(body, 200, headers, self.etag(file, version), ranges=True)(request, reply)

    def judge_version(self, file: File, version: int, begin: float, end: float) -> str | None:
        """Return what is wrong with a version that was served between two moments, or None."""
        if version > self.version(file, end):
            return f"version {version}, which there was not yet"
        late = begin - self.replaced(file, version)
        if late > LIFETIME.get(file.kind, 0) + SLACK:
            return f"version {version}, {late:.1f} s too late"
        return None

    def judge_whole(self, file: File, body: bytes) -> tuple[int, str | None]:
        """Return the version of a whole body, and what is wrong with it."""
        try:
            label, version, size = read(body)
        except ValueError as error:
            return 0, str(error)
        if (label, size) != (file.label, file.size):
            return 0, f"the body of {label}"
        return version, None

    def judge_part(self, file: File, etag: str, span: str, body: bytes) -> tuple[int, str | None]:
        """Return the version of a part, and what is wrong with it.

        Args:
            file: What was asked for.
            etag: The answer's validator.
            span: Its Content-Range.
            body: What came.
        """
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", span)
        tag = re.fullmatch(r'(?:W/)?"[\w-]+-\d+-(\d+)"', etag)
        if found is None or tag is None:
            return 0, f"a part with Content-Range {span!r} and ETag {etag!r}"
        version, whole = int(tag[1]), self.body(file, int(tag[1]))
        if etag != self.etag(file, version) or int(found[3]) != len(whole):
            return version, f"a part of another file: {span}, {etag}"
        if body != whole[int(found[1]) : int(found[2]) + 1]:
            return version, f"other bytes in {span} of {etag}"
        return version, None
