"""A Python index: HTML or JSON by `Accept` and without `Vary`, wheels on a host of their own."""

import base64
import functools
import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

from support.answer import Answer
from support.message import Headers, Request
from support.origin import Origin
from support.reply import Reply

from .repository import IMMUTABLE, Repository, payload

JSON = "application/vnd.pypi.simple.v1+json"
CACHED = [("Cache-Control", "max-age=600, public")]
"""What an index page says by default."""


@dataclass(frozen=True)
class Wheel:
    """One version of one package."""

    name: str
    version: str
    data: bytes
    content: bytes
    """Its one module."""
    metadata: bytes
    apart: bool
    """Whether the index offers the metadata as a file of its own (PEP 658)."""

    @property
    def filename(self) -> str:
        """As in PEP 427."""
        return f"{self.name}-{self.version}-py3-none-any.whl"

    @property
    def path(self) -> str:
        """Where it lies on its host."""
        digest = hashlib.blake2b(self.data, digest_size=32).hexdigest()
        return f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{self.filename}"

    @property
    def sha256(self) -> str:
        """The digest that the index tells."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def metadata_sha256(self) -> str:
        """The digest of the metadata."""
        return hashlib.sha256(self.metadata).hexdigest()


def build(
    name: str, version: str, *, requires: Sequence[str] = (), size: int = 200, apart: bool = True
) -> Wheel:
    """Make a wheel whose module holds about `size` bytes."""
    info = f"{name}-{version}.dist-info"
    blob = base64.b64encode(payload(size * 3 // 4, name + version)).decode()
    content = f'VERSION = "{version}"\nBLOB = "{blob}"\n'.encode()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata = "\n".join([*lines, *(f"Requires-Dist: {r}" for r in requires), ""]).encode()
    files = {
        f"{name}/__init__.py": content,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(data)}\n")
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    return Wheel(name, version, buffer.getvalue(), content, metadata, apart)


@functools.cache
def wheels() -> tuple[Wheel, ...]:
    """Two versions of a big package without PEP 658, and of what it depends on, with it."""
    return (
        build("bigpkg", "1.0", requires=["smallpkg>=1"], apart=False),
        build("bigpkg", "2.0", requires=["smallpkg>=1.1"], size=3_000_000, apart=False),
        build("smallpkg", "1.0"),
        build("smallpkg", "1.1"),
    )


class Negotiated:
    """One index page: JSON for who accepts it, HTML for the rest, and no word of it in `Vary`."""

    def __init__(self, html: bytes, as_json: bytes, said: Headers) -> None:
        self.html = self._answer(html, "text/html", said)
        self.json = self._answer(as_json, JSON, said)

    def _answer(self, body: bytes, kind: str, said: Headers) -> Answer:
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        return Answer(body, 200, [*said, ("Content-Type", kind)], etag)

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        answer = self.json if JSON in (request.header("accept") or "") else self.html
        await answer(request, reply)


class PythonRepository(Repository):
    """`index.HOST` and `files.HOST`.

    Args:
        host: See `Repository`.
        holds: The wheels; what `wheels` gives where that is None.
        path: Where the index lies.
        said: Fields of all pages of the index.
    """

    def __init__(
        self,
        host: str,
        holds: Sequence[Wheel] | None = None,
        path: str = "/simple/",
        said: Headers = CACHED,
    ) -> None:
        super().__init__(host)
        self.wheels = holds or wheels()
        self.path = path
        self.said = said

    @property
    def hosts(self) -> Sequence[str]:
        """See `Repository.hosts`."""
        return [f"index.{self.host}", f"files.{self.host}"]

    @property
    def index(self) -> str:
        """The URL that clients are given."""
        return f"https://index.{self.host}{self.path}"

    @property
    def contents(self) -> dict[str, bytes]:
        """See `Repository.contents`: the newest of each."""
        return {wheel.name: wheel.content for wheel in self.wheels}

    def url(self, wheel: Wheel) -> str:
        """Where the wheel is fetched."""
        return f"https://files.{self.host}{wheel.path}"

    @property
    def first(self) -> str:
        """See `Repository.first`."""
        return f"{self.index}{self.wheels[0].name}/"

    @property
    def file(self) -> str:
        """See `Repository.file`."""
        return self.url(self.wheels[1])

    def publish(self, origin: Origin) -> None:
        """See `Repository.publish`."""
        origin.http2_hosts.update(self.hosts)
        for wheel in self.wheels:
            url, tag = self.url(wheel), f'"{wheel.sha256[:16]}"'
            origin.route(url, wheel.data, headers=IMMUTABLE, etag=tag, ranges=True)
            if wheel.apart:
                origin.route(f"{url}.metadata", wheel.metadata, headers=IMMUTABLE)
        for name in self.contents:
            page = Negotiated(self._html(name), self._json(name), self.said)
            origin.handle(f"index.{self.host}", f"{self.path}{name}/", page)

    def _html(self, name: str) -> bytes:
        lines = ["<!DOCTYPE html><html><body>"]
        for wheel in (w for w in self.wheels if w.name == name):
            apart = f' data-core-metadata="sha256={wheel.metadata_sha256}"' if wheel.apart else ""
            href = f"{self.url(wheel)}#sha256={wheel.sha256}"
            lines.append(f'<a href="{href}"{apart}>{wheel.filename}</a><br>')
        return "\n".join([*lines, "</body></html>", ""]).encode()

    def _json(self, name: str) -> bytes:
        mine = [wheel for wheel in self.wheels if wheel.name == name]
        files = [
            {
                "filename": wheel.filename,
                "url": self.url(wheel),
                "hashes": {"sha256": wheel.sha256},
                "size": len(wheel.data),
                "core-metadata": {"sha256": wheel.metadata_sha256} if wheel.apart else False,
            }
            for wheel in mine
        ]
        versions = [wheel.version for wheel in mine]
        meta = {"api-version": "1.1"}
        return json.dumps(
            {"meta": meta, "name": name, "versions": versions, "files": files}
        ).encode()

    def is_index(self, url: str) -> bool:
        """See `Repository.is_index`."""
        return url.startswith(self.index)
