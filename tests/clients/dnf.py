"""dnf, by the options `proxy` and `sslcacert` of a repository, in a root of its own."""

from pathlib import Path

from support.wire import Target

from .repo_rpm import RpmRepository
from .run import Run, clean_env, run

CONFIG = """[main]
cachedir={home}/cache
logdir={home}/log
persistdir={home}/persist
reposdir={home}/none
pluginpath={home}/none
pluginconfpath={home}/none
varsdir={home}/none
keepcache=1
gpgcheck=0
skip_if_unavailable=0
retries=1
[tests]
name=tests
baseurl={url}
repo_gpgcheck=1
gpgkey=file://{key}
proxy={proxy}
sslcacert={ca}
"""


class Dnf:
    """A dnf that takes an index only with its signature."""

    def __init__(self, proxy: Target, home: Path, repository: RpmRepository) -> None:
        self.home = home
        self.env = clean_env(home)
        self.config = home / "dnf.conf"
        self.config.write_text(
            CONFIG.format(
                home=home,
                url=repository.url,
                key=repository.gpg.key,
                proxy=f"http://{proxy.host}:{proxy.port}",
                ca=proxy.ca_pem,
            )
        )

    def download(self, *packages: str) -> Run:
        """Get the newest of each, and install nothing."""
        words = ["dnf", "-y", "--config", str(self.config), f"--installroot={self.home}/root"]
        words += ["--releasever=1", "--forcearch=x86_64", "--downloadonly", "install", *packages]
        return run(words, self.env, self.home)

    def downloaded(self) -> dict[str, bytes]:
        """The packages that came, by their names."""
        return {path.name: path.read_bytes() for path in self.home.glob("**/packages/*.rpm")}
