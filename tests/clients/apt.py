"""apt, by its options alone, with folders of its own for all that it reads and writes."""

from pathlib import Path

from .client import Client
from .repo_apt import AptRepository
from .run import Run


class Apt(Client[AptRepository]):
    """An apt that knows nothing of the machine's own."""

    def settings(self) -> dict[str, str]:
        """See `Client.settings`; the options lie in a file that `APT_CONFIG` names."""
        for folder in ("etc/apt.conf.d", "etc/preferences.d", "lists/partial", "archives/partial"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        (self.home / "status").touch()
        sources = self.home / "etc/sources.list"
        sources.write_text(f"{self.repository.source}\n")
        options = {
            "Acquire::http::Proxy": self.proxy_url,
            "Acquire::https::Proxy": self.proxy_url,
            "Acquire::https::CAInfo": self.proxy.ca_pem,
            # Without it `apt-get update` ends with 0 when everything failed.
            "APT::Update::Error-Mode": "any",
            "APT::Architecture": "amd64",
            "APT::Sandbox::User": "root",
            "Dir::Etc": self.home / "etc",
            "Dir::State": self.home,
            "Dir::State::status": self.home / "status",
            "Dir::Cache": self.home,
            "Dir::Log": self.home / "log",
        }
        config = self.home / "apt.conf"
        config.write_text("".join(f'{name} "{value}";\n' for name, value in options.items()))
        return {"APT_CONFIG": str(config)}

    def install(self) -> Run:
        """See `Client.install`."""
        update = self.update()
        return self.download("whole") if update.status == 0 else update

    def update(self) -> Run:
        """Get the indexes."""
        return self.run("apt-get", "update")

    def download(self, package: str, *options: str) -> Run:
        """Get a package and all that it needs, and install nothing."""
        return self.run("apt-get", "install", "--yes", "--download-only", *options, package)

    @property
    def archives(self) -> Path:
        """Where the packages go."""
        return self.home / "archives"

    @property
    def lists(self) -> Path:
        """Where the indexes go."""
        return self.home / "lists"

    def installed(self) -> dict[str, bytes]:
        """See `Client.installed`."""
        found = self.archives.glob("*.deb")
        return {path.name.partition("_")[0]: path.read_bytes() for path in found}
