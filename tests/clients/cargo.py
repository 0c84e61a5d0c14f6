"""cargo, by the variables `CARGO_HTTP_PROXY` and `CARGO_HTTP_CAINFO`."""

import os
from pathlib import Path

from .client import Client
from .repo_cargo import CargoRepository
from .run import Run


class Cargo(Client[CargoRepository]):
    """cargo with a package of its own."""

    def settings(self) -> dict[str, str]:
        """See `Client.settings`."""
        # A cargo that rustup manages looks for its toolchains in the home.
        rustup = os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup")
        return {
            "CARGO_HTTP_PROXY": self.proxy_url,
            "CARGO_HTTP_CAINFO": str(self.proxy.ca_pem),
            "CARGO_REGISTRIES_TESTS_INDEX": f"sparse+{self.repository.index}",
            "CARGO_TERM_COLOR": "never",
            "RUSTUP_HOME": rustup,
        }

    @property
    def project(self) -> Path:
        """The folder with `Cargo.toml`."""
        return self.home / "project"

    def install(self) -> Run:
        """See `Client.install`."""
        self.write_manifest()
        return self.cargo("fetch")

    def write_manifest(self) -> None:
        """A package that needs `wide-root`."""
        (self.project / "src").mkdir(parents=True, exist_ok=True)
        (self.project / "src/lib.rs").write_text("")
        lines = ["[package]", 'name = "project"', 'version = "1.0.0"', 'edition = "2021"', ""]
        lines += ["[dependencies]", 'wide-root = { version = "1", registry = "tests" }', ""]
        (self.project / "Cargo.toml").write_text("\n".join(lines))

    def cargo(self, command: str, *words: str) -> Run:
        """One cargo command in the project."""
        return self.run("cargo", command, "--manifest-path", self.project / "Cargo.toml", *words)

    def installed(self) -> dict[str, bytes]:
        """See `Client.installed`."""
        found = (self.home / ".cargo/registry/src").glob("*/*/src/lib.rs")
        return {path.parts[-3].rpartition("-")[0]: path.read_bytes() for path in found}
