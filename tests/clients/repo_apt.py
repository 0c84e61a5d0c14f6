"""An apt repository, indexed by `dpkg-scanpackages`: validators, and no word of freshness."""

import functools
import gzip
import hashlib
import lzma
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from support.origin import Origin

from .repository import Repository, payload
from .run import clean_env, need, run

SUITE = "stable"
MODIFIED = 1_700_000_000
"""When everything in it was last modified."""
LAST_MODIFIED = formatdate(MODIFIED, usegmt=True)


@dataclass(frozen=True)
class Deb:
    """One package."""

    name: str
    version: str
    content: bytes
    """The one file that it installs."""
    data: bytes
    """The `.deb`."""

    @property
    def path(self) -> str:
        """Where it lies, below the repository's URL."""
        return f"pool/main/{self.name[0]}/{self.name}/{self.name}_{self.version}_all.deb"


def build(
    folder: Path,
    name: str,
    size: int,
    requires: Sequence[str] = (),
    version: str = "1.0-1",
    seed: str = "",
) -> Deb:
    """Make a package, below `folder`; another seed gives another content."""
    content = payload(size, name + seed)
    root = folder / "root" / f"{name}-{version}{seed}"
    (root / "DEBIAN").mkdir(parents=True)
    file = root / "usr/share" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    lines = [f"Package: {name}", f"Version: {version}", "Architecture: all"]
    lines += ["Maintainer: Tests <tests@tests.example>", f"Description: the package {name}"]
    lines += [f"Depends: {', '.join(requires)}"] if requires else []
    (root / "DEBIAN/control").write_text("\n".join([*lines, ""]))
    deb = Deb(name, version, content, b"")
    path = folder / "archive" / deb.path
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build"]
    run([*command, root, path], clean_env(folder / "home"), folder).ok()
    return Deb(name, version, content, path.read_bytes())


@functools.cache
def archive() -> tuple[tuple[Deb, ...], bytes]:
    """A package that needs a dozen others, the last of which is big; and its `Packages`."""
    need("dpkg-deb", "dpkg-scanpackages")
    names = [f"part{number:02}" for number in range(12)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        debs = [build(folder, part, 20_000) for part in names[:-1]]
        debs += [build(folder, names[-1], 2_000_000), build(folder, "whole", 1_000, names)]
        found = subprocess.run(
            ["dpkg-scanpackages", "--multiversion", "pool"],
            cwd=folder / "archive",
            env=clean_env(folder / "home"),
            capture_output=True,
            check=True,
        )
    return tuple(debs), found.stdout


def indexes() -> dict[str, bytes]:
    """`Packages` in all the forms that there are of it."""
    packages = archive()[1]
    return {
        "Packages": packages,
        "Packages.xz": lzma.compress(packages),
        "Packages.gz": gzip.compress(packages, mtime=0),
    }


def _release() -> bytes:
    lines = [f"Suite: {SUITE}", f"Codename: {SUITE}", "Components: main"]
    lines += ["Architectures: all", f"Date: {LAST_MODIFIED}"]
    lines += ["Acquire-By-Hash: yes", "SHA256:"]
    for name, data in indexes().items():
        lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} main/binary-all/{name}")
    return "\n".join([*lines, ""]).encode()


class AptRepository(Repository):
    """`apt.HOST`, by http or https. Its Release is not signed, so `InRelease` is not there."""

    def __init__(self, host: str, scheme: str = "http") -> None:
        super().__init__(host)
        self.scheme = scheme

    @property
    def hosts(self) -> Sequence[str]:
        """See `Repository.hosts`."""
        return [f"apt.{self.host}"]

    @property
    def root(self) -> str:
        """The URL that clients are given."""
        return f"{self.scheme}://apt.{self.host}/debian/"

    @property
    def source(self) -> str:
        """The line that clients have of it."""
        return f"deb [trusted=yes] {self.root} {SUITE} main"

    @property
    def suite(self) -> str:
        """Where the indexes lie."""
        return f"{self.root}dists/{SUITE}/"

    @property
    def contents(self) -> dict[str, bytes]:
        """See `Repository.contents`."""
        return {deb.name: deb.data for deb in archive()[0]}

    def url(self, deb: Deb) -> str:
        """Where the package is fetched."""
        return self.root + deb.path

    @property
    def first(self) -> str:
        """See `Repository.first`."""
        return f"{self.suite}InRelease"

    @property
    def file(self) -> str:
        """See `Repository.file`."""
        return self.url(archive()[0][-1])

    @property
    def absent(self) -> Sequence[str]:
        """See `Repository.absent`."""
        return [f"{self.suite}InRelease", f"{self.suite}Release.gpg"]

    @property
    def _binary(self) -> str:
        return f"{self.suite}main/binary-all/"

    @property
    def by_hash(self) -> Sequence[str]:
        """The URLs of the indexes by their digests."""
        digests = (hashlib.sha256(data).hexdigest() for data in indexes().values())
        return [f"{self._binary}by-hash/SHA256/{digest}" for digest in digests]

    def publish(self, origin: Origin) -> None:
        """See `Repository.publish`."""
        for deb in archive()[0]:
            self._route(origin, self.url(deb), deb.data)
        self._route(origin, f"{self.suite}Release", _release())
        for name, data in indexes().items():
            self._route(origin, f"{self._binary}{name}", data)
        for url, data in zip(self.by_hash, indexes().values(), strict=True):
            self._route(origin, url, data)
        for url in self.absent:
            origin.route(url, b"not here\n", 404)

    def _route(self, origin: Origin, url: str, data: bytes) -> None:
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        origin.route(url, data, etag=etag, last_modified=LAST_MODIFIED, ranges=True)

    def is_index(self, url: str) -> bool:
        """See `Repository.is_index`."""
        return url.startswith(self.suite) and "/by-hash/" not in url
