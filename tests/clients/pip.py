"""pip, by the variables `PIP_PROXY` and `PIP_CERT`."""

import os
import sys

from .client import Client
from .repo_python import PythonRepository
from .run import Run


class Pip(Client[PythonRepository]):
    """The pip of the Python that runs the tests."""

    def settings(self) -> dict[str, str]:
        """See `Client.settings`."""
        return {
            "PIP_PROXY": self.proxy_url,
            "PIP_CERT": str(self.proxy.ca_pem),
            "PIP_INDEX_URL": self.repository.index,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def install(self, *packages: str) -> Run:
        """See `Client.install`."""
        wanted = packages or ("bigpkg",)
        return self.run(
            sys.executable, "-m", "pip", "install", "--target", self.home / "site", *wanted
        )

    def installed(self) -> dict[str, bytes]:
        """See `Client.installed`."""
        found = (self.home / "site").glob("*/__init__.py")
        return {path.parent.name: path.read_bytes() for path in found}
