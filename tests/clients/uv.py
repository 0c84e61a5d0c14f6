"""uv, by the variables `HTTPS_PROXY` and `SSL_CERT_FILE`."""

import sys

from .client import Client
from .repo_python import PythonRepository
from .run import Run, which


class Uv(Client[PythonRepository]):
    """uv in the place of pip."""

    def settings(self) -> dict[str, str]:
        """See `Client.settings`."""
        return {
            "HTTPS_PROXY": self.proxy_url,
            "SSL_CERT_FILE": str(self.proxy.ca_pem),
            "UV_DEFAULT_INDEX": self.repository.index,
            "UV_NO_CONFIG": "1",
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def install(self, *packages: str) -> Run:
        """See `Client.install`."""
        wanted = packages or ("bigpkg",)
        uv = which("uv") or "uv"
        where = ["--python", sys.executable, "--target", str(self.home / "site")]
        return self.run(uv, "pip", "install", *where, *wanted)

    def installed(self) -> dict[str, bytes]:
        """See `Client.installed`."""
        found = (self.home / "site").glob("*/__init__.py")
        return {path.parent.name: path.read_bytes() for path in found}
