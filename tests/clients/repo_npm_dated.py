"""An npm registry that tells when each version was published, to who accepts the whole document."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from support.answer import Answer
from support.message import Request
from support.origin import Origin
from support.reply import Reply

from .repo_npm import NpmRepository, Package, described

SHORT = "application/vnd.npm.install-v1+json"


@dataclass(frozen=True)
class Release:
    """A version and its age."""

    package: Package
    days: float

    @property
    def time(self) -> datetime:
        """When it was published."""
        return datetime.now(UTC) - timedelta(days=self.days)


class Packument:
    """The short form for who accepts it first, the whole for the rest, and no word of `Vary`."""

    def __init__(self, whole: dict[str, object]) -> None:
        short = {key: whole[key] for key in ("name", "dist-tags", "versions")}
        self.whole = self._answer(whole, "application/json")
        self.short = self._answer(short, SHORT)

    def _answer(self, document: dict[str, object], kind: str) -> Answer:
        body = json.dumps(document).encode()
        return Answer(body, 200, [("Content-Type", kind)], f'"{hashlib.md5(body).hexdigest()}"')

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        accepted = (request.header("accept") or "").startswith(SHORT)
        await (self.short if accepted else self.whole)(request, reply)


class DatedNpmRepository(NpmRepository):
    """`lowdash`, which needs `leftside`; it says nothing of how long anything holds."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        needed = Package("leftside", "1.3.0", b"module.exports = 1;\n")
        self.releases = [Release(needed, 900)]

    def release(self, version: str, days: float) -> None:
        """A version of `lowdash`, which is as old as that."""
        content = f"module.exports = {version!r};\n".encode()
        package = Package("lowdash", version, content, {"leftside": "^1.0.0"})
        others = [each for each in self.releases if each.package != package]
        self.releases = [*others, Release(package, days)]

    def content(self, version: str) -> dict[str, bytes]:
        """What a client must have that takes this version."""
        taken = {each.package.name: each for each in self.releases}
        taken |= {r.package.name: r for r in self.releases if r.package.version == version}
        return {name: release.package.content for name, release in taken.items()}

    def publish(self, origin: Origin) -> None:
        """See `Repository.publish`."""
        for name in {release.package.name for release in self.releases}:
            mine = [release for release in self.releases if release.package.name == name]
            versions = {r.package.version: described(r.package, self.registry) for r in mine}
            times = {r.package.version: r.time.isoformat() for r in mine}
            about: dict[str, object] = {
                "name": name,
                "dist-tags": {"latest": mine[-1].package.version},
            }
            packument = Packument(about | {"versions": versions, "time": times})
            origin.handle(self.hosts[0], f"/{name}", packument)
        for release in self.releases:
            tag = f'"{release.package.version}"'
            origin.route(self.url(release.package), release.package.data, etag=tag)
