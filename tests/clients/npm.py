"""npm, by the variables `npm_config_https_proxy` and `npm_config_cafile`."""

import json
import os
from pathlib import Path

from .client import Client
from .repo_npm import NpmRepository
from .run import Run


class Npm(Client[NpmRepository]):
    """npm with a project of its own."""

    def settings(self) -> dict[str, str]:
        """See `Client.settings`."""
        return {
            "npm_config_proxy": self.proxy_url,
            "npm_config_https_proxy": self.proxy_url,
            "npm_config_cafile": str(self.proxy.ca_pem),
            "npm_config_registry": self.repository.registry,
            "npm_config_globalconfig": os.devnull,
        }

    @property
    def project(self) -> Path:
        """The folder with `package.json`."""
        return self.home / "project"

    def install(self, *options: str) -> Run:
        """See `Client.install`."""
        self.write_manifest()
        return self.npm("install", *options)

    def write_manifest(self) -> None:
        """A project that needs `lowdash`."""
        self.project.mkdir(exist_ok=True)
        needs = {"name": "project", "version": "1.0.0", "dependencies": {"lowdash": "^1.0.0"}}
        (self.project / "package.json").write_text(json.dumps(needs))

    def npm(self, *words: str) -> Run:
        """One npm command in the project."""
        return self.run("npm", "--prefix", self.project, *words)

    def installed(self) -> dict[str, bytes]:
        """See `Client.installed`."""
        modules = self.project / "node_modules"
        found = [*modules.glob("[!@]*/index.js"), *modules.glob("@*/*/index.js")]
        return {path.parent.relative_to(modules).as_posix(): path.read_bytes() for path in found}
