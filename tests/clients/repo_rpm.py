"""A repository of RPMs, indexed by `createrepo_c`, whose index is signed."""

import os
import shutil
from pathlib import Path

from support.folder import Folder
from support.origin import Origin

from .gpg import Gpg
from .repository import payload
from .run import run

NAME = "tool"
BORN = 1_700_000_000
SPEC = """
Name: {name}
Version: {version}
Release: 1
Summary: A package of the tests
License: MIT
BuildArch: noarch
%description
A package of the tests.
%install
install -D -m 644 {source} %{{buildroot}}/usr/share/{name}.bin
%files
/usr/share/{name}.bin
"""


class RpmRepository:
    """A repository whose lists have plain names (`primary.xml.gz`), as `createrepo_c` can make them."""

    def __init__(self, host: str, folder: Path) -> None:
        self.host = f"rpm.{host}"
        self.folder = folder
        self.root = folder / "repository"
        self.root.mkdir(parents=True)
        self.gpg = Gpg(folder)
        self.updates = 0

    def path(self, name: str, version: str) -> Path:
        """Where the package lies."""
        return self.root / f"{name}-{version}-1.noarch.rpm"

    def add(self, name: str, version: str) -> bytes:
        """Build a package, and index all anew; gives the package."""
        source = self.folder / "content.bin"
        source.write_bytes(payload(10_000, f"{name} {version}"))
        spec = self.folder / f"{name}.spec"
        spec.write_text(SPEC.format(name=name, version=version, source=source))
        settings = {
            "_topdir": self.folder / "build",
            "_rpmdir": self.root,
            "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        }
        defines = [w for k, v in settings.items() for w in ("--define", f"{k} {v}")]
        run(["rpmbuild", "--quiet", "-bb", *defines, spec], self.gpg.env, self.folder).ok()
        self._index()
        return self.path(name, version).read_bytes()

    def _index(self) -> None:
        shutil.rmtree(self.root / "repodata", ignore_errors=True)
        words = ["createrepo_c", "--quiet", "--simple-md-filenames", "--workers=1"]
        run([*words, self.root], self.gpg.env, self.folder).ok()
        index = self.root / "repodata/repomd.xml"
        self.gpg.sign(index, index.with_name("repomd.xml.asc"), apart=True)
        self.updates += 1
        # What happens in one second here took days.
        for path in (self.root / "repodata").iterdir():
            os.utime(path, (BORN + self.updates * 86400,) * 2)

    @property
    def url(self) -> str:
        """The URL that clients are given."""
        return f"https://{self.host}/"

    def publish(self, origin: Origin) -> None:
        """Let the origin answer for it."""
        origin.handle(self.host, "*", Folder(self.root))
