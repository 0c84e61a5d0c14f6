"""An npm registry: packuments, tarballs, a scoped package, and the audit that is asked by POST."""

import base64
import functools
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from support.origin import Origin

from .repository import IMMUTABLE, Repository, payload

CACHED = {"Cache-Control": "public, max-age=300", "Vary": "accept-encoding, accept"}
AUDIT = "/-/npm/v1/security/advisories/bulk"


def tarball(folder: str, files: Mapping[str, bytes]) -> bytes:
    """A `.tar.gz` that is the same at each run."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mtime = len(data), 500_000_000
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


@dataclass(frozen=True)
class Package:
    """One version of one package."""

    name: str
    version: str
    content: bytes
    """Its one module."""
    requires: Mapping[str, str] = field(default_factory=dict)

    @property
    def manifest(self) -> dict[str, object]:
        """Its `package.json`."""
        about = {"name": self.name, "version": self.version, "main": "index.js"}
        return about | {"dependencies": dict(self.requires)}

    @property
    def path(self) -> str:
        """Where the tarball lies: `/NAME/-/NAME-VERSION.tgz`, the second name without scope."""
        return f"/{self.name}/-/{self.name.rpartition('/')[2]}-{self.version}.tgz"

    @functools.cached_property
    def data(self) -> bytes:
        """The tarball."""
        manifest = json.dumps(self.manifest).encode()
        return tarball("package", {"package.json": manifest, "index.js": self.content})


@functools.cache
def packages() -> tuple[Package, ...]:
    """Two versions of one that depends on others, of which one is scoped."""

    def module(name: str, size: int = 300) -> bytes:
        return b"// " + base64.b64encode(payload(size, name)) + b"\nmodule.exports = 1;\n"

    needs = {"leftside": "^1.0.0", "@kinds/node": "^20.0.0"}
    return (
        Package("lowdash", "1.0.0", module("lowdash 1.0.0"), needs),
        Package("lowdash", "1.2.3", module("lowdash 1.2.3", 400_000), needs),
        Package("leftside", "1.3.0", module("leftside")),
        Package("@kinds/node", "20.1.0", module("node")),
    )


def described(package: Package, registry: str) -> dict[str, object]:
    """What a registry tells of one version: where it is, with its digests."""
    sha512 = base64.b64encode(hashlib.sha512(package.data).digest()).decode()
    dist = {
        "tarball": registry.rstrip("/") + package.path,
        "shasum": hashlib.sha1(package.data).hexdigest(),
        "integrity": f"sha512-{sha512}",
    }
    return package.manifest | {"dist": dist}


class NpmRepository(Repository):
    """`npm.HOST`."""

    @property
    def hosts(self) -> Sequence[str]:
        """See `Repository.hosts`."""
        return [f"npm.{self.host}"]

    @property
    def registry(self) -> str:
        """The URL that clients are given."""
        return f"https://npm.{self.host}/"

    @property
    def contents(self) -> dict[str, bytes]:
        """See `Repository.contents`: the newest of each."""
        return {package.name: package.content for package in packages()}

    @property
    def audit(self) -> str:
        """What npm posts to at the end of an install."""
        return f"https://npm.{self.host}{AUDIT}"

    def packument(self, name: str) -> str:
        """The URL of a package's list of versions, in the one spelling that upstream is asked by."""
        return self.registry + name.replace("/", "%2F")

    def url(self, package: Package) -> str:
        """Where the tarball is fetched."""
        return f"https://npm.{self.host}{package.path}"

    @property
    def first(self) -> str:
        """See `Repository.first`."""
        return self.packument("lowdash")

    @property
    def file(self) -> str:
        """See `Repository.file`."""
        return self.url(packages()[1])

    def publish(self, origin: Origin) -> None:
        """See `Repository.publish`."""
        for package in packages():
            origin.route(self.url(package), package.data, headers=IMMUTABLE, etag='"tgz"')
        for name in self.contents:
            body = json.dumps(self._packument(name)).encode()
            etag = f'"{hashlib.md5(body).hexdigest()}"'
            headers = CACHED | {"Content-Type": "application/vnd.npm.install-v1+json"}
            # npm itself, where no cachy is in between, writes it in lower case.
            for url in {self.packument(name), self.packument(name).replace("%2F", "%2f")}:
                origin.route(url, body, headers=headers, etag=etag)
        # npm looks for a newer npm now and then.
        notice = json.dumps({"name": "npm", "dist-tags": {"latest": "1.0.0"}, "versions": {}})
        origin.route(self.packument("npm"), notice.encode(), headers=CACHED, etag='"npm"')
        origin.route(self.audit, b"{}", headers={"Content-Type": "application/json"})

    def _packument(self, name: str) -> dict[str, object]:
        mine = [package for package in packages() if package.name == name]
        versions = {package.version: described(package, self.registry) for package in mine}
        tags = {"latest": mine[-1].version}
        return {"name": name, "dist-tags": tags, "versions": versions}

    def is_index(self, url: str) -> bool:
        """See `Repository.is_index`."""
        url = url.replace("%2f", "%2F")
        return any(url == self.packument(name) for name in [*self.contents, "npm"])
