"""A signed apt repository in a folder, which changes: with suites and a pool, or flat."""

import gzip
import hashlib
import os
from email.utils import formatdate
from pathlib import Path
from typing import Literal

from support.folder import Folder
from support.origin import Origin

from .gpg import Gpg
from .repo_apt import MODIFIED, SUITE, AptRepository, Deb, build
from .run import run

Signature = Literal["InRelease", "Release.gpg"]


class SignedAptRepository(AptRepository):
    """`tool`, which needs `common`; `add` puts a package in and indexes all anew.

    Args:
        host: See `Repository`.
        folder: Where it lies.
        flat: Whether all lies in one folder that clients are given as `./`.
        signature: In which file it is signed.
    """

    def __init__(self, host: str, folder: Path, *, flat: bool, signature: Signature) -> None:
        super().__init__(host, "https")
        self.folder = folder
        self.flat = flat
        self.signature = signature
        self.archive = folder / "archive"
        """What the origin has at `/debian/`."""
        self.archive.mkdir(parents=True)
        self.gpg = Gpg(folder)
        self.updates = 0

    @property
    def source(self) -> str:
        """See `AptRepository.source`."""
        where = "./" if self.flat else f"{SUITE} main"
        return f"deb [signed-by={self.gpg.key}] {self.root} {where}"

    def add(self, name: str, version: str, *requires: str, seed: str = "") -> Deb:
        """Build a package, and index all anew."""
        deb = build(self.folder, name, 10_000, requires, version, seed)
        path = self.archive / deb.path
        if self.flat:
            path = path.rename(self.archive / path.name)
        self.updates += 1
        self._date(path)
        self._index()
        return deb

    def _index(self) -> None:
        place = "." if self.flat else "pool"
        words = ["dpkg-scanpackages", "--multiversion", place]
        found = run(words, self.gpg.env, self.archive).ok().output
        # What it says of its own comes between, on standard error.
        packages = "\n\n".join(
            each for each in found.split("\n\n") if each.startswith("Package: ")
        ).encode()
        top = self.archive if self.flat else self.archive / "dists" / SUITE
        lists = "Packages" if self.flat else "main/binary-all/Packages"
        written = {lists: packages + b"\n", f"{lists}.gz": gzip.compress(packages + b"\n", mtime=0)}
        lines = [f"Suite: {SUITE}", f"Codename: {SUITE}", "Components: main", "Architectures: all"]
        lines += [f"Date: {formatdate(self.date, usegmt=True)}", "SHA256:"]
        for name, data in written.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(data)
            lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}")
        release, signed = top / "Release", top / self.signature
        release.write_text("\n".join([*lines, ""]))
        self.gpg.sign(release, signed, apart=self.signature == "Release.gpg")
        for each in (release, signed, *(top / name for name in written)):
            self._date(each)

    @property
    def date(self) -> int:
        """When it last changed: what happens in one second here took days."""
        return MODIFIED + self.updates * 86400

    def _date(self, path: Path) -> None:
        os.utime(path, (self.date, self.date))

    def publish(self, origin: Origin) -> None:
        """See `Repository.publish`."""
        origin.handle(self.hosts[0], "*", Folder(self.archive, "/debian/"))
