"""libgit2, by way of pygit2: no git on the command line, and the protocol of its own time."""

import importlib.util
import sys

import pytest

from .git import Git
from .run import Run

CLONE = """
import sys, pygit2
url, place, proxy, roots = sys.argv[1:]
pygit2.settings.set_ssl_cert_locations(roots, None)
pygit2.clone_repository(url, place, proxy=proxy)
"""


def need_libgit2() -> None:
    """Skip the test where it isn't there."""
    if importlib.util.find_spec("pygit2") is None:
        pytest.skip("not installed: pygit2")


class Libgit2(Git):
    """It clones; the rest is git's."""

    def install(self) -> Run:
        """See `Client.install`."""
        place, roots = str(self.home / "project"), str(self.proxy.ca_pem)
        what = [self.repository.url, place, self.proxy_url, roots]
        return self.run(sys.executable, "-c", CLONE, *what)
