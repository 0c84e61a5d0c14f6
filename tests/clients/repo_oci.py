"""A real docker-registry, with images that are pushed to it past the proxy."""

import gzip
import hashlib
import io
import json
import re
import subprocess
import tarfile
import urllib.request
from pathlib import Path
from typing import Any, Self

from support.behind import Behind
from support.origin import Origin

from .repository import payload
from .run import clean_env

NAME = "team/app"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
ARCHITECTURES = ("amd64", "arm64")
CONFIGURATION = """
version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: %s}}
http: {addr: "127.0.0.1:0", secret: tests}
"""


def digest(data: bytes) -> str:
    """As registries write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def content(architecture: str, build: int) -> bytes:
    """The one file of an image."""
    return f"{architecture} {build}\n".encode() + payload(20_000, f"{architecture} {build}")


def _tar(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("app.bin")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def image_of(folder: Path) -> bytes:
    """What lies in the one image that `skopeo copy ... dir:FOLDER` wrote, in its last layer."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    layer = manifest["layers"][-1]["digest"].removeprefix("sha256:")
    with tarfile.open(folder / layer) as archive:
        member = archive.extractfile("app.bin")
        assert member
        return member.read()


class OciRepository:
    """A registry; each image has a layer that all builds share and one of its own."""

    def __init__(self, host: str, folder: Path) -> None:
        self.host = f"oci.{host}"
        self.folder = folder
        folder.mkdir()

    def __enter__(self) -> Self:
        config = self.folder / "registry.yml"
        config.write_text(CONFIGURATION % (self.folder / "storage"))
        self._process = subprocess.Popen(
            ["docker-registry", "serve", str(config)],
            env=clean_env(self.folder / "home"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr
        seen = ""
        for line in self._process.stderr:
            seen += line
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                return self
        self.__exit__()
        raise RuntimeError(seen)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)
        assert self._process.stderr
        self._process.stderr.close()

    def _send(self, method: str, path: str, data: bytes, kind: str) -> Any:
        url = path if "://" in path else f"http://127.0.0.1:{self.port}/v2/{NAME}/{path}"
        request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            return answer.headers

    def _blob(self, data: bytes, kind: str) -> dict[str, object]:
        place = self._send("POST", "blobs/uploads/", b"", kind)["Location"]
        self._send("PUT", f"{place}&digest={digest(data)}", data, "application/octet-stream")
        return {"mediaType": kind, "size": len(data), "digest": digest(data)}

    def _image(self, architecture: str, build: int) -> bytes:
        tars = [_tar(b"the same in all builds"), _tar(content(architecture, build))]
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in tars]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(json.dumps(config).encode(), CONFIG),
            "layers": [self._blob(gzip.compress(tar, mtime=0), LAYER) for tar in tars],
        }
        return json.dumps(manifest).encode()

    def push(self, tag: str, build: int) -> str:
        """Let a tag name the build, for both architectures; gives the digest of the list."""
        entries = []
        for architecture in ARCHITECTURES:
            manifest = self._image(architecture, build)
            self._send("PUT", f"manifests/{digest(manifest)}", manifest, MANIFEST)
            platform = {"architecture": architecture, "os": "linux"}
            entry = {"mediaType": MANIFEST, "size": len(manifest), "digest": digest(manifest)}
            entries.append(entry | {"platform": platform})
        index = {"schemaVersion": 2, "mediaType": LIST, "manifests": entries}
        data = json.dumps(index).encode()
        self._send("PUT", f"manifests/{tag}", data, LIST)
        return digest(data)

    @property
    def image(self) -> str:
        """What clients call it, without a tag."""
        return f"{self.host}/{NAME}"

    @property
    def url(self) -> str:
        """Below it lie manifests, blobs and the list of tags."""
        return f"https://{self.host}/v2/{NAME}/"

    def publish(self, origin: Origin) -> None:
        """Let the origin answer for it."""
        origin.handle(self.host, "*", Behind(self.port))
