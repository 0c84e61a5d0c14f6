"""A Maven repository of plain files: releases, a snapshot, and what lists them, with digests beside."""

import hashlib
import io
import os
import zipfile
from pathlib import Path

from support.folder import Folder
from support.origin import Origin

from .repository import payload

GROUP = "tests.example"
ADDED = "org.codehaus.plexus", "plexus-utils", "1.1"
"""What Maven adds to the needs of every extension; without it there is none."""
FOLDER = "tests/example"
BORN = 1_700_000_000
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>
<packaging>{packaging}</packaging>{more}
</project>
"""
METADATA = """<metadata modelVersion="1.1.0">
<groupId>tests.example</groupId><artifactId>{name}</artifactId>{version}
<versioning>{versioning}<lastUpdated>{stamp}</lastUpdated></versioning>
</metadata>
"""


def jar(seed: str) -> bytes:
    """A jar with one file in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("content.bin"), payload(5_000, seed))
    return buffer.getvalue()


class MavenRepository:
    """`parent` in several versions; `extension`, a snapshot that is built again."""

    def __init__(self, host: str, folder: Path) -> None:
        self.host = f"maven.{host}"
        self.root = folder
        self.builds = 0
        self.parents: list[str] = []

    @property
    def url(self) -> str:
        """The URL that clients are given."""
        return f"https://{self.host}/repository/"

    def publish(self, origin: Origin) -> None:
        """Let the origin answer for it."""
        origin.handle(self.host, "*", Folder(self.root, "/repository/"))

    def _write(self, path: str, data: bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        beside = file.with_name(f"{file.name}.sha1")
        beside.write_text(hashlib.sha1(data).hexdigest())
        # What happens in one second here took days.
        for each in (file, beside):
            os.utime(each, (BORN + self.builds * 86400,) * 2)

    def build(self) -> bytes:
        """A new release of the parent, and a new build of the snapshot; gives its jar."""
        self.builds += 1
        stamp = f"202401{self.builds:02}000000"
        self.parents.append(f"1.{self.builds}")
        group, name, version = ADDED
        self._release(group, name, version)
        name, version = "parent", self.parents[-1]
        self._release(GROUP, name, version)
        versions = "".join(f"<version>{each}</version>" for each in self.parents)
        versioning = f"<release>{version}</release><versions>{versions}</versions>"
        listed = METADATA.format(name=name, version="", versioning=versioning, stamp=stamp)
        self._write(f"{FOLDER}/{name}/maven-metadata.xml", listed.encode())
        return self._snapshot("extension", stamp)

    def _release(self, group: str, name: str, version: str) -> None:
        kind = "pom" if group == GROUP else "jar"
        path = f"{group.replace('.', '/')}/{name}/{version}/{name}-{version}"
        pom = POM.format(group=group, name=name, version=version, packaging=kind, more="")
        self._write(f"{path}.pom", pom.encode())
        if kind == "jar":
            self._write(f"{path}.jar", jar(name))

    def _snapshot(self, name: str, stamp: str) -> bytes:
        version = "1.0-SNAPSHOT"
        built = f"1.0-{stamp[:8]}.{stamp[8:]}-{self.builds}"
        pom = POM.format(group=GROUP, name=name, version=version, packaging="jar", more="")
        data = jar(built)
        folder = f"{FOLDER}/{name}/{version}"
        self._write(f"{folder}/{name}-{built}.pom", pom.encode())
        self._write(f"{folder}/{name}-{built}.jar", data)
        about = f"<timestamp>{stamp[:8]}.{stamp[8:]}</timestamp>"
        about = f"<snapshot>{about}<buildNumber>{self.builds}</buildNumber></snapshot>"
        files = "".join(
            f"<snapshotVersion><extension>{kind}</extension><value>{built}</value>"
            f"<updated>{stamp}</updated></snapshotVersion>"
            for kind in ("pom", "jar")
        )
        about += f"<snapshotVersions>{files}</snapshotVersions>"
        said = f"<version>{version}</version>"
        listed = METADATA.format(name=name, version=said, versioning=about, stamp=stamp)
        self._write(f"{folder}/maven-metadata.xml", listed.encode())
        return data
