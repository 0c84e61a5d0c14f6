"""What belongs together stays together: nobody gets an old part with a new index."""

from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from support.answer import Answer
from support.client import Connection, fetch
from support.factory import ProxyFactory
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.published import Published
from support.reply import Handler
from support.reply import Reply as Replying
from support.tree import wait_until
from support.tree_cli import Cli

SUITE = "/debian/dists/sid"
SECURITY = "/debian-security/dists/buster/updates"
SNAPSHOT = "/m2/org/x/b/1.0-SNAPSHOT"
DNF = "/fedora/os/repodata"
CONDA = "/conda-forge/linux-64"
BYTES = b"of one digest 1"
BY_HASH = f"{SUITE}/main/binary-amd64/by-hash/SHA256/{sha256(BYTES).hexdigest()}"

SETS = [
    (f"{SUITE}/InRelease", f"{SUITE}/main/binary-amd64/Packages.xz"),
    (f"{SUITE}/InRelease", f"{SUITE}/main/source/Sources.gz"),
    (f"{SUITE}/InRelease", f"{SUITE}/main/i18n/Translation-en.bz2"),
    (f"{SUITE}/InRelease", f"{SUITE}/main/Contents-amd64.gz"),
    (f"{SUITE}/InRelease", f"{SUITE}/main/dep11/Components-amd64.yml.gz"),
    (f"{SUITE}/Release", f"{SUITE}/Release.gpg"),
    (f"{SUITE}/Release", f"{SUITE}/main/binary-amd64/Packages"),
    (f"{SECURITY}/InRelease", f"{SECURITY}/main/binary-amd64/Packages.xz"),
    ("/flat/InRelease", "/flat/Packages.gz"),
    ("/flat/Release", "/flat/Packages"),
    ("/flat/Release", "/flat/Release.gpg"),
    (f"{DNF}/repomd.xml", f"{DNF}/primary.xml.gz"),
    (f"{DNF}/repomd.xml", f"{DNF}/repomd.xml.asc"),
    (f"{DNF}/repomd.xml", f"{DNF}/repomd.xml.key"),
    *[
        ("/m2/org/x/b/maven-metadata.xml", f"/m2/org/x/b/maven-metadata.xml.{end}")
        for end in ("sha1", "md5", "sha256", "sha512", "asc")
    ],
    (f"{SNAPSHOT}/maven-metadata.xml", f"{SNAPSHOT}/b-1.0-SNAPSHOT.jar"),
    (f"{SNAPSHOT}/b-1.0-SNAPSHOT.jar", f"{SNAPSHOT}/b-1.0-SNAPSHOT.jar.sha1"),
    (f"{CONDA}/repodata.json", f"{CONDA}/repodata.json.zst"),
    (f"{CONDA}/repodata.json", f"{CONDA}/repodata.json.bz2"),
    (f"{CONDA}/repodata.json.zst", f"{CONDA}/repodata.jlap"),
    (f"{CONDA}/current_repodata.json", f"{CONDA}/current_repodata.json.gz"),
    ("/specs.4.8.gz", "/latest_specs.4.8.gz"),
    ("/specs.4.8.gz", "/prerelease_specs.4.8.gz"),
    ("/versions", "/info/rails"),
    ("/alpine/main/x86_64/APKINDEX.tar.gz", "/alpine/main/x86_64/APKINDEX.tar.gz.sig"),
    ("/arch/core/os/x86_64/core.db", "/arch/core/os/x86_64/core.db.sig"),
    ("/timestamp.json", "/01-index.tar.gz"),
    *[
        ("/nightly/tool.zip", f"/nightly/tool.zip.{end}")
        for end in ("sha256", "sha512", "sha1", "md5", "asc", "sig", "minisig", "sha256.asc")
    ],
    ("/nightly/tool.tar.xz", "/nightly/tool.tar.sign"),
    ("/img/SHA256SUMS", "/img/SHA256SUMS.gpg"),
    ("/img/SHA256SUMS", "/img/disk.img"),
    ("/img/checksums.txt", "/img/disk.tar.gz"),
]
"""An index, and what belongs to it."""

LIFETIMES = [
    (None, None),
    ("max-age=60", "max-age=3600"),
    ("max-age=3600", "max-age=1"),
    ("max-age=3600", None),
    (None, "max-age=3600"),
    ("max-age=1, stale-while-revalidate=3600", "max-age=1, stale-while-revalidate=3600"),
]
"""What the index states, and the part."""

INDEX, PART = SETS[0]


@pytest.fixture
def published(origin: Origin, host: str) -> Published:
    """A repository of this test alone."""
    return Published(origin, host)


@pytest.fixture(scope="module", params=["auto", "off"])
def lane(request: pytest.FixtureRequest, start_shared_proxy: ProxyFactory) -> Proxy:
    """A proxy with the fast lane, and one without."""
    return start_shared_proxy(options={"cachy_lane": request.param})


@pytest.fixture(scope="module")
def offline(start_shared_proxy: ProxyFactory, shared_proxy: Proxy) -> Proxy:
    """A proxy that never goes upstream, over the same tree."""
    return start_shared_proxy(options={"cachy_mode": "offline"})


def got(proxy: Proxy, published: Published, path: str) -> int:
    """The version that a client gets."""
    reply = fetch(proxy, published.url(path))
    assert reply.status == 200, (path, reply)
    name, version = reply.body.decode().split(" ")
    assert name == path
    return int(version)


def both(proxy: Proxy, published: Published, *paths: str) -> list[int]:
    """As `got`, one after the other, over one connection."""
    versions = []
    with Connection(proxy, published.url("/")) as client:
        for path in paths:
            reply = client.fetch(published.url(path))
            assert reply.status == 200, (path, reply)
            versions.append(int(reply.body.decode().split(" ")[-1]))
    return versions


def status(proxy: Proxy, published: Published, path: str) -> int:
    """The status that a client gets."""
    return fetch(proxy, published.url(path)).status


def stays_together(
    proxy: Proxy, published: Published, index: str, part: str, states: tuple[str | None, str | None]
) -> None:
    """A new index comes with its own part, within five seconds and later."""
    for path, value in zip((index, part), states, strict=True):
        published.states(path, value)
    assert both(proxy, published, index, part) == [1, 1]
    # At once, since what a client gets next is the origin's.
    published.publish()
    assert both(proxy, published, index, part) == [2, 2]
    published.publish()
    a_while_ago(Path(str(proxy.settings.options["cachy_dir"])), of=published.host)
    assert both(proxy, published, index, part) == [3, 3]
    # Nothing has changed: both are checked, and neither is sent.
    before = len(published.asked())
    assert both(proxy, published, index, part) == [3, 3]
    checks = published.asked()[before:]
    assert [check.header("if-none-match") for check in checks] == ['"3"', '"3"']


@pytest.mark.parametrize(("index", "part"), SETS, ids=[part for _, part in SETS])
def test_each_kind(shared_proxy: Proxy, published: Published, index: str, part: str) -> None:
    """Whatever lifetimes the origin states."""
    stays_together(shared_proxy, published, index, part, ("max-age=60", "max-age=3600"))


@pytest.mark.parametrize(("index", "part"), SETS[::6], ids=[part for _, part in SETS[::6]])
@pytest.mark.parametrize("states", LIFETIMES, ids=[f"{i}, {p}" for i, p in LIFETIMES])
def test_whatever_they_state(
    lane: Proxy, published: Published, index: str, part: str, states: tuple[str | None, str | None]
) -> None:
    """With the fast lane and without."""
    stays_together(lane, published, index, part, states)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/nightly/tool.zip.sha256", "/nightly/tool.zip"),
        ("/img/disk.img", "/img/SHA256SUMS"),
        ("/arch/core/os/x86_64/core.db.sig", "/arch/core/os/x86_64/core.db"),
    ],
)
def test_in_either_order(
    shared_proxy: Proxy, published: Published, first: str, second: str
) -> None:
    """Who asks for the digest first, and for the file then, gets both of one version as well; so does
    a client that asks for them the other way round.
    """
    for path in (first, second):
        published.states(path, "max-age=3600")
    assert both(shared_proxy, published, first, second) == [1, 1]
    published.publish()
    assert both(shared_proxy, published, first, second) == [2, 2]
    published.publish()
    assert both(shared_proxy, published, second, first) == [3, 3]
    published.publish()
    assert both(shared_proxy, published, first, second) == [4, 4]


def test_two_clients(shared_proxy: Proxy, published: Published) -> None:
    """What one client learns is there for the other: of the index, and of the part."""
    published.states(INDEX, "max-age=3600")
    published.states(PART, "max-age=3600")
    assert both(shared_proxy, published, INDEX, PART) == [1, 1]
    published.publish()
    # One has got the index only, and the other one goes on with it.
    assert got(shared_proxy, published, INDEX) == 2
    assert got(shared_proxy, published, PART) == 2
    published.publish()
    # What is in step is as fresh as it says, where nobody asked for the index.
    asked = published.count(PART)
    assert got(shared_proxy, published, PART) == 2
    assert published.count(PART) == asked
    published.states(PART, "max-age=0")
    assert both(shared_proxy, published, INDEX, PART) == [3, 3]
    published.publish()
    # A part alone that turns out to be new: its index is due, however fresh it is.
    assert got(shared_proxy, published, PART) in (3, 4)
    assert both(shared_proxy, published, INDEX, PART) == [4, 4]


def test_thirteen_jobs_ask_once_at_a_time(
    shared_proxy: Proxy, origin: Origin, published: Published
) -> None:
    """All who ask for an index at the same moment share one check."""
    assert both(shared_proxy, published, INDEX, PART) == [1, 1]
    published.publish()
    gates = {path: origin.gate() for path in (INDEX, PART)}

    async def slowly(request: Request, reply: Replying) -> None:
        await gates[request.target].passed()
        await published.answer(request.target)(request, reply)

    def asked(path: str, times: int) -> bool:
        return published.count(path) == times

    for path in (INDEX, PART):
        published.instead(path, slowly)
        before = published.count(path)
        clients = [Connection(shared_proxy, published.url(path)) for _ in range(13)]
        for client in clients:
            client.send_request()
        # Answered after the others were read, which stood in line before it.
        fetch(shared_proxy, published.url("/other"))
        wait_until(partial(asked, path, before + 1))
        gates[path].open()
        for client in clients:
            client.read_head()
            assert client.read_to_end() == f"{path} 2".encode()
            client.close()
        assert published.count(path) == before + 1


def test_an_index_alone_is_as_fresh_as_it_says(shared_proxy: Proxy, published: Published) -> None:
    """As long as nobody asks for what belongs to it, or all of that is named for good."""
    published.instead(BY_HASH, Answer(BYTES))
    published.states(INDEX, "max-age=3600")
    for _ in range(2):
        assert both(shared_proxy, published, INDEX, BY_HASH) == [1, 1]
    assert published.count(INDEX) == published.count(BY_HASH) == 1


@pytest.mark.parametrize(
    ("index", "part"),
    [
        (INDEX, BY_HASH),
        (f"{DNF}/repomd.xml", f"{DNF}/{sha256(BYTES).hexdigest()}-primary.xml.gz"),
        ("/m2/org/junit/junit/maven-metadata.xml", "/m2/org/junit/junit/4.13.2/junit-4.13.2.jar"),
        (
            "/m2/org/junit/junit/4.13.2/junit-4.13.2.jar",
            "/m2/org/junit/junit/4.13.2/junit-4.13.2.jar.sha1",
        ),
    ],
)
def test_what_is_named_for_good_is_left_alone(
    shared_proxy: Proxy, published: Published, index: str, part: str
) -> None:
    """It belongs to no one version of the index."""
    published.states(part, "max-age=0")
    if sha256(BYTES).hexdigest() in part:
        published.instead(part, Answer(BYTES))
    assert both(shared_proxy, published, index, part) == [1, 1]
    published.publish()
    fetch(shared_proxy, published.url(index))
    assert both(shared_proxy, published, part) == [1]
    assert published.count(part) == 1


PAIRS = [
    SETS[0],
    ("/flat/Release", "/flat/Release.gpg"),
    (f"{DNF}/repomd.xml", f"{DNF}/primary.xml.gz"),
    ("/m2/org/x/b/maven-metadata.xml", "/m2/org/x/b/maven-metadata.xml.sha1"),
    ("/nightly/tool.zip", "/nightly/tool.zip.asc"),
    ("/img/SHA256SUMS", "/img/disk.img"),
]


async def breaks_off(_: Request, reply: Replying) -> None:
    """Answers nothing at all."""
    reply.abort()


@pytest.mark.parametrize(("index", "part"), PAIRS, ids=[part for _, part in PAIRS])
@pytest.mark.parametrize("failing", [Answer(status=503), breaks_off], ids=["503", "no answer"])
def test_a_part_that_fails(
    shared_proxy: Proxy,
    offline: Proxy,
    published: Published,
    index: str,
    part: str,
    failing: Handler,
) -> None:
    """Where the index is new and the part fails, the client hears of that, and gets no old part."""
    assert both(shared_proxy, published, index, part) == [1, 1]
    published.instead(part, failing)
    published.publish()
    assert got(shared_proxy, published, index) == 2
    for _ in range(2):
        assert status(shared_proxy, published, part) in (502, 503)
    # Offline, what is there is served.
    assert got(offline, published, part) == 1
    published.instead(part, None)
    assert both(shared_proxy, published, index, part) == [2, 2]
    # What is in step is served, as whatever fails.
    published.instead(part, failing)
    assert both(shared_proxy, published, index, part) == [2, 2]


@pytest.mark.parametrize(("index", "part"), PAIRS, ids=[part for _, part in PAIRS])
def test_an_index_that_fails(
    shared_proxy: Proxy, published: Published, index: str, part: str
) -> None:
    """Where the old index is served, since the origin fails for it, its part stays as old."""
    published.states(part, "max-age=0")
    assert both(shared_proxy, published, index, part) == [1, 1]
    published.instead(index, Answer(status=503))
    published.publish()
    for _ in range(2):
        assert both(shared_proxy, published, index, part) == [1, 1]


@pytest.mark.parametrize(("index", "part"), PAIRS, ids=[part for _, part in PAIRS])
@pytest.mark.parametrize("order", [1, -1])
def test_without_a_line(
    proxy: Proxy, network: Network, published: Published, index: str, part: str, order: int
) -> None:
    """A set that was fetched together, in whichever order, is served together when the line is down."""
    paths = [index, part][::order]
    assert both(proxy, published, *paths) == [1, 1]
    published.publish()
    assert both(proxy, published, *paths) == [2, 2]
    network.down(published.host, "refused")
    assert both(proxy, published, *paths) == [2, 2]
    assert both(proxy, published, *paths[::-1]) == [2, 2]


@pytest.mark.parametrize(("index", "part"), PAIRS, ids=[part for _, part in PAIRS])
def test_a_line_that_breaks_in_between(
    proxy: Proxy, network: Network, published: Published, index: str, part: str
) -> None:
    """The new index came, and the new part didn't any more: the old one is no answer."""
    published.states(part, "max-age=3600")
    assert both(proxy, published, index, part) == [1, 1]
    published.publish()
    assert got(proxy, published, index) == 2
    network.down(published.host, "refused")
    reply = fetch(proxy, published.url(part))
    assert reply.status == 502
    assert b"older than what it belongs to" in reply.body


def test_an_old_part_that_is_still_arriving(
    shared_proxy: Proxy, origin: Origin, published: Published
) -> None:
    """Who has the new index doesn't wait for a part that was asked for before."""
    assert both(shared_proxy, published, INDEX, PART) == [1, 1]
    published.publish()
    gate, old = origin.gate(), b"old " * 100_000

    async def slowly(request: Request, reply: Replying) -> None:
        await reply.head(200, [("ETag", '"old"')], length=len(old))
        await reply.send(old[:200_000])
        await gate.passed()
        await reply.send(old[:200_000])
        await reply.end()

    assert got(shared_proxy, published, INDEX) == 2
    published.instead(PART, slowly)
    with Connection(shared_proxy, published.url(PART)) as client:
        client.send_request()
        client.read_head()
        published.instead(PART, None)
        published.publish()
        assert both(shared_proxy, published, INDEX, PART) == [3, 3]
        gate.open()
        assert client.read_to_end() == old
    # And what came last isn't what is newest.
    assert both(shared_proxy, published, INDEX, PART) == [3, 3]


def test_an_index_that_is_not_stored(shared_proxy: Proxy, published: Published) -> None:
    """Who got it from the origin gets its part from there as well."""
    for path in (INDEX, PART):
        published.states(path, "max-age=3600")
    assert both(shared_proxy, published, INDEX, PART) == [1, 1]
    published.publish()
    published.states(INDEX, "no-store")
    assert both(shared_proxy, published, INDEX, PART) == [2, 2]


def test_two_proxies(start_proxy: ProxyFactory, published: Published) -> None:
    """The index by one proxy and the part by the other, on one tree."""
    first, second = start_proxy(), start_proxy()
    for path in (INDEX, PART):
        published.states(path, "max-age=3600")
    assert both(first, published, INDEX, PART) == [1, 1]
    for _ in range(5):
        version = published.publish()
        assert got(first, published, INDEX) == version
        assert got(second, published, PART) == version
        version = published.publish()
        assert got(second, published, INDEX) == version
        assert got(first, published, PART) == version


def test_without_validators(shared_proxy: Proxy, published: Published) -> None:
    """A check is the whole again; of one set they are all the same."""
    published.validators = False
    for path in (INDEX, PART):
        published.states(path, "max-age=3600")
    for _ in range(2):
        assert both(shared_proxy, published, INDEX, PART) == [published.version] * 2
        published.publish()


def test_show_says_why(shared_proxy: Proxy, shared_dir: Path, published: Published) -> None:
    """Why upstream is asked, though the origin states a lifetime."""
    digest = "/nightly/tool.zip.sha256"

    def words(path: str) -> str:
        shown = Cli(shared_dir)("show", published.url(path), "--json").json()
        return str(shown["forecast"]["words"])

    for path in (INDEX, PART, "/nightly/tool.zip", digest):
        published.states(path, "max-age=3600")
    assert both(shared_proxy, published, INDEX) == [1]
    assert words(INDEX).startswith("hit: fresh for ")
    assert both(shared_proxy, published, PART) == [1]
    assert words(PART).startswith("hit: fresh for ")
    assert "checked at each request: what belongs to it is stored, too" in words(INDEX)
    assert both(shared_proxy, published, INDEX) == [1]
    assert "stale: what it belongs to was fetched or checked since" in words(PART)
    assert both(shared_proxy, published, "/nightly/tool.zip", digest) == [1, 1]
    assert "checked at each request: it is said of a file that is stored, too" in words(digest)


def test_forever_is_forever(start_shared_proxy: ProxyFactory, published: Published) -> None:
    """Who wants nothing to be asked again, has it so."""
    proxy = start_shared_proxy(options={"cachy_freshness": "forever"})
    assert both(proxy, published, INDEX, PART) == [1, 1]
    published.publish()
    assert both(proxy, published, INDEX, PART) == [1, 1]
    assert published.count(INDEX) == published.count(PART) == 1
