"""Yarn, one of each of its major versions, from the real registry."""

import functools
import json
import os
import subprocess
from pathlib import Path

import pytest

from support.wire import Target

from .npm import Npm
from .repo_npm import NpmRepository
from .run import Run, need

#: By what npm has them under.
VERSIONS = {
    "1": "yarn@1",
    "2": "@yarnpkg/cli-dist@2",
    "3": "@yarnpkg/cli-dist@3",
    "4": "@yarnpkg/cli-dist@4",
}


@functools.cache
def programs(folder: Path) -> dict[str, Path]:
    """The script of each version, installed once. Skips the test if the registry can't be reached.

    Args:
        folder: Where to.
    """
    need("npm", "node")
    named = [f"yarn{version}@npm:{name}" for version, name in VERSIONS.items()]
    words = ["npm", "install", "--no-audit", "--no-fund", "--fetch-retries=1", *named]
    folder.mkdir()
    (folder / "package.json").write_text("{}")
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, env=os.environ, timeout=120
    )
    if done.returncode:
        pytest.skip(f"the registry can't be reached from here: {done.stderr[-300:]}")
    return {v: folder / f"node_modules/yarn{v}/bin/yarn.js" for v in VERSIONS}


def project(folder: Path, version: str, registry: str, package: str, roots: str | None) -> None:
    """A project that needs a package.

    Args:
        folder: Where to.
        version: Of Yarn.
        registry: Its URL.
        package: The package's name.
        roots: The file of roots that the project's settings name; Yarn 1 is never told.
    """
    folder.mkdir(parents=True)
    needs = {"name": "project", "version": "1.0.0", "dependencies": {package: "^1.0.0"}}
    (folder / "package.json").write_text(json.dumps(needs))
    (folder / "yarn.lock").write_text("")
    if version == "1":
        (folder / ".yarnrc").write_text(
            f'registry "{registry}"\nhttps-proxy "http://127.0.0.1:1"\n'
        )
        return
    settings = [f'npmRegistryServer: "{registry}"', "enableTelemetry: false"]
    settings += ["nodeLinker: node-modules", 'httpsProxy: "http://127.0.0.1:1"']
    if version == "4":
        # Else it takes nothing of which the registry tells no age.
        settings.append("npmMinimalAgeGate: 0")
    if roots:
        name = "httpsCaFilePath" if version == "4" else "caFilePath"
        settings.append(f'{name}: "{roots}"')
    (folder / ".yarnrc.yml").write_text("\n".join(settings) + "\n")


class Yarn4(Npm):
    """Yarn 4 by its own settings alone, which takes what is at least three days old.

    Args:
        proxy: See `Client`.
        home: See `Client`.
        repository: See `Client`.
        program: Its script, see `programs`.
    """

    def __init__(self, proxy: Target, home: Path, repository: NpmRepository, program: Path) -> None:
        super().__init__(proxy, home, repository)
        self.program = program

    def settings(self) -> dict[str, str]:
        """See `Client.settings`; none but where it keeps what is its own."""
        return {"YARN_ENABLE_TELEMETRY": "0", "YARN_GLOBAL_FOLDER": str(self.home / "global")}

    def install(self, *options: str) -> Run:
        """See `Client.install`."""
        self.write_manifest()
        (self.project / "yarn.lock").touch()
        settings = [
            f'npmRegistryServer: "{self.repository.registry}"',
            f'httpsProxy: "{self.proxy_url}"',
            f'httpsCaFilePath: "{self.proxy.ca_pem}"',
            "nodeLinker: node-modules",
            "enableImmutableInstalls: false",
            "npmMinimalAgeGate: 4320",
        ]
        (self.project / ".yarnrc.yml").write_text("\n".join([*settings, ""]))
        where = f"--cwd={self.project}"
        return self.run("node", self.program, where, "install", *options)
