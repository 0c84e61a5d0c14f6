"""A registry of crates with a sparse index, whose answers say `ETag` and nothing of freshness."""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from support.origin import Origin

from .repo_npm import tarball
from .repository import IMMUTABLE, Repository, payload


@dataclass(frozen=True)
class Crate:
    """One version of one crate."""

    name: str
    version: str
    content: bytes
    """Its `lib.rs`."""
    requires: Sequence[str] = ()

    @functools.cached_property
    def data(self) -> bytes:
        """The `.crate` file."""
        lines = ["[package]", f'name = "{self.name}"', f'version = "{self.version}"']
        lines += ["", "[dependencies]", *(f'{name} = "1"' for name in self.requires), ""]
        files = {"Cargo.toml": "\n".join(lines).encode(), "src/lib.rs": self.content}
        return tarball(f"{self.name}-{self.version}", files)

    @property
    def index_path(self) -> str:
        """Where the index has it, below the registry's URL."""
        name = self.name
        if len(name) < 4:
            return f"{len(name)}/{name[0]}/{name}" if len(name) == 3 else f"{len(name)}/{name}"
        return f"{name[:2]}/{name[2:4]}/{name}"

    @property
    def line(self) -> str:
        """Its line in the index."""
        needs: list[dict[str, object]] = [
            {
                "name": name,
                "req": "^1",
                "features": [],
                "optional": False,
                "default_features": True,
                "target": None,
                "kind": "normal",
            }
            for name in self.requires
        ]
        entry = {
            "name": self.name,
            "vers": self.version,
            "deps": needs,
            "cksum": hashlib.sha256(self.data).hexdigest(),
            "features": {},
            "yanked": False,
        }
        return json.dumps(entry, separators=(",", ":")) + "\n"


@functools.cache
def crates() -> tuple[Crate, ...]:
    """One crate that needs a dozen, so that cargo asks for many at once."""
    names = ["a", "ab", "abc", *(f"leaf{number:02}" for number in range(9))]

    def source(name: str, size: int) -> bytes:
        return f"// {payload(size, name).hex()}\npub const NAME: &str = {name!r};\n".encode()

    leaves = [Crate(name, "1.0.0", source(name, 20_000).replace(b"'", b'"')) for name in names]
    return (
        Crate("wide-root", "1.0.0", b"// old\n", names[:1]),
        Crate("wide-root", "1.1.0", b"// new\n", names),
        *leaves,
    )


class CargoRepository(Repository):
    """`index.crates.HOST` and `static.crates.HOST`."""

    def __init__(
        self,
        host: str,
        holds: Sequence[Crate] | None = None,
        freshness: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(host)
        self.crates = holds or crates()
        self.freshness = freshness or {}
        """What the index says of it, as headers."""

    @property
    def hosts(self) -> Sequence[str]:
        """See `Repository.hosts`."""
        return [f"index.crates.{self.host}", f"static.crates.{self.host}"]

    @property
    def index(self) -> str:
        """The URL of the index."""
        return f"https://index.crates.{self.host}/"

    @property
    def contents(self) -> dict[str, bytes]:
        """See `Repository.contents`: the newest of each."""
        return {crate.name: crate.content for crate in self.crates}

    def url(self, crate: Crate) -> str:
        """Where the crate is fetched."""
        return f"{self._files}/{crate.name}/{crate.version}/download"

    @property
    def _files(self) -> str:
        return f"https://static.crates.{self.host}/crates"

    @property
    def first(self) -> str:
        """See `Repository.first`."""
        return f"{self.index}config.json"

    @property
    def file(self) -> str:
        """See `Repository.file`."""
        return self.url(self.crates[1])

    def publish(self, origin: Origin) -> None:
        """See `Repository.publish`."""
        origin.http2_hosts.update(self.hosts)
        pages = {"config.json": json.dumps({"dl": self._files}) + "\n"}
        for crate in self.crates:
            pages[crate.index_path] = pages.get(crate.index_path, "") + crate.line
            origin.route(self.url(crate), crate.data, headers=IMMUTABLE)
        for path, text in pages.items():
            etag = f'"{hashlib.md5(text.encode()).hexdigest()}"'
            headers = {"Content-Type": "text/plain", **self.freshness}
            origin.route(self.index + path, text.encode(), headers=headers, etag=etag)

    def is_index(self, url: str) -> bool:
        """See `Repository.is_index`."""
        return url.startswith(self.index)
