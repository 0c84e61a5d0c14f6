"""Maven, by its settings for the proxy and Java's for the roots that it trusts."""

import subprocess
from pathlib import Path

from support.wire import Target

from .repo_maven import GROUP, POM, MavenRepository
from .run import Run, clean_env, run

SETTINGS = """<settings>
<localRepository>{home}/local</localRepository>
<servers>{server}</servers>
<proxies><proxy><host>{host}</host><port>{port}</port></proxy></proxies>
<mirrors><mirror><id>tests</id><mirrorOf>*</mirrorOf><url>{url}</url></mirror></mirrors>
<profiles><profile><id>tests</id>
<repositories>{repository}</repositories>
<pluginRepositories>{plugins}</pluginRepositories>
</profile></profiles>
<activeProfiles><activeProfile>tests</activeProfile></activeProfiles>
</settings>
"""
SERVER = """<server><id>tests</id><configuration><httpHeaders><property>
<name>Cache-Control</name><value>{said}</value>
</property></httpHeaders></configuration></server>"""
# What differs from the digest beside it is not to be taken.
REPOSITORY = """<{kind}><id>tests</id><url>{url}</url>
<releases><checksumPolicy>fail</checksumPolicy></releases>
<snapshots><enabled>true</enabled><checksumPolicy>fail</checksumPolicy></snapshots>
</{kind}>"""
PARENT = """<parent><groupId>tests.example</groupId><artifactId>parent</artifactId>
<version>[1.0,2)</version><relativePath/></parent>"""
EXTENSION = """<build><extensions><extension><groupId>tests.example</groupId>
<artifactId>extension</artifactId><version>1.0-SNAPSHOT</version></extension></extensions></build>"""


class Maven:
    """A Maven with a project and a local repository of its own.

    Args:
        proxy: What it goes by.
        home: Where all of it lies.
        repository: What it reads.
        said: `Cache-Control` of all its requests; its own where there is none.
    """

    def __init__(
        self, proxy: Target, home: Path, repository: MavenRepository, said: str | None = None
    ) -> None:
        self.home = home
        self.env = clean_env(home)
        self.local = home / "local/tests/example"
        url = repository.url
        settings = SETTINGS.format(
            home=home,
            host=proxy.host,
            port=proxy.port,
            url=url,
            server=SERVER.format(said=said) if said else "",
            repository=REPOSITORY.format(kind="repository", url=url),
            plugins=REPOSITORY.format(kind="pluginRepository", url=url),
        )
        (home / "settings.xml").write_text(settings)
        pom = POM.format(
            group=GROUP, name="project", version="1", packaging="pom", more=PARENT + EXTENSION
        )
        (home / "pom.xml").write_text(pom)
        store = Path(proxy.ca_pem).with_suffix(".truststore")
        if not store.exists():
            trust(Path(proxy.ca_pem), store)
        java = [
            f"-Djavax.net.ssl.trustStore={store}",
            "-Djavax.net.ssl.trustStorePassword=changeit",
        ]
        # Half of the time that it takes to start.
        java += ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
        self.env |= {"MAVEN_OPTS": " ".join(java)}

    def validate(self) -> Run:
        """Read the project, for which Maven gets its parent and its extension, and no plugin."""
        words = ["mvn", "-B", "-q", "-s", str(self.home / "settings.xml"), "validate"]
        return run(words, self.env, self.home)

    def parents(self) -> list[str]:
        """The versions of the parent that it got."""
        return sorted(path.parent.name for path in self.local.glob("parent/*/*.pom"))

    def extension(self) -> bytes:
        """The snapshot that it got."""
        return (self.local / "extension/1.0-SNAPSHOT/extension-1.0-SNAPSHOT.jar").read_bytes()


def trust(pem: Path, store: Path) -> None:
    """Make a file of roots as Java reads it."""
    words = ["keytool", "-importcert", "-noprompt", "-alias", "tests", "-file", str(pem)]
    words += ["-keystore", str(store), "-storepass", "changeit"]
    subprocess.run(words, check=True, capture_output=True)
