"""git, by the variables `https_proxy` and `GIT_SSL_CAINFO`."""

import os

from .client import Client
from .repo_git import FILE, GitRepository
from .run import Run


class Git(Client[GitRepository]):
    """git that clones."""

    def settings(self) -> dict[str, str]:
        """See `Client.settings`."""
        return {
            "https_proxy": self.proxy_url,
            "GIT_SSL_CAINFO": str(self.proxy.ca_pem),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
        }

    def install(self) -> Run:
        """See `Client.install`."""
        return self.run("git", "clone", "--quiet", self.repository.url, self.home / "project")

    def git(self, *words: str) -> Run:
        """One git command in the clone."""
        return self.run("git", "-C", self.home / "project", *words)

    def commit(self, said: str) -> Run:
        """A commit on what was cloned."""
        author = ["-c", "user.name=Tests", "-c", "user.email=tests@tests.example"]
        return self.git(*author, "commit", "--quiet", "--allow-empty", "-m", said)

    def setting(self, name: str, value: str) -> dict[str, str]:
        """The variables that make a setting for all commands."""
        return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": name, "GIT_CONFIG_VALUE_0": value}

    def head(self) -> str:
        """The commit that was cloned."""
        return self.git("rev-parse", "HEAD").output.strip()

    def installed(self) -> dict[str, bytes]:
        """See `Client.installed`."""
        path = self.home / "project" / FILE
        return {FILE: path.read_bytes()} if path.exists() else {}
