"""How long things are kept for which the origin states no lifetime: DESIGN section 4."""

import re
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from time import time

import pytest

from support.client import Connection, fetch
from support.message import Request
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.reply import Reply
from support.tree import wait_until
from support.tree_cli import Cli

DAY = 86_400
HEX = sha256(b"old").hexdigest()
MOVING = [
    "/v2/library/alpine/manifests/latest",
    "/v2/library/alpine/manifests/3.19.1",
    "/v2/library/alpine/tags/list",
    "/p2/monolog/monolog.json",
    "/packages.json",
    "/versions",
    "/info/rails",
    "/specs.4.8.gz",
    "/latest_specs.4.8.gz",
    "/prerelease_specs.4.8.gz",
    "/core/os/x86_64/core.db",
    "/modules/02packages.details.txt.gz",
    "/charts/index.yaml",
    "/src/contrib/PACKAGES",
    "/src/contrib/PACKAGES.gz",
    "/src/contrib/PACKAGES.rds",
    "/flat/InRelease",
    "/flat/Release",
    "/flat/Packages.gz",
    "/lodash",
    "/@types/node",
    "/@types%2Fnode",
    "/-/package/lodash/dist-tags",
    "/m2/a/b/1.0-SNAPSHOT/b-1.0-SNAPSHOT.jar",
    "/root/pypi/six?mode=json",
    "/root/pypi/+simple/six/",
    "/dist/channel-rust-stable.toml",
    "/dl/x_amd64.deb",
    "/v1/conans/zlib/1.3/_/_/latest",
    "/v1/conans/search?q=zlib",
    "/golang.org/x/text/@v/v1.x.info",
    "/conda-forge/noarch/repodata.json.zst",
    "/g/a/maven-metadata.xml.sha1",
    "/simple/six/",
    "/archive/master.zip",
]
FOR_GOOD = [
    f"/v2/library/alpine/manifests/sha256:{HEX}",
    f"/v2/library/alpine/blobs/sha256:{HEX}",
    "/golang.org/x/text/@v/v0.3.0.info",
    "/golang.org/x/text/@v/v0.0.0-20240101120000-abcdef123456.info",
    "/m2/g/a/r09/a-r09.jar",
    "/m2/g/a/RELEASE110/a-RELEASE110.pom",
    "/@types/node/-/node-20.1.0.tgz",
    "/serde/serde-1.0.0.crate",
]


@pytest.fixture
def cli(shared_dir: Path) -> Cli:
    """On the tree of `shared_proxy`."""
    return Cli(shared_dir)


def ago(seconds: int) -> str:
    """A date so many seconds ago."""
    return formatdate(time() - seconds, usegmt=True)


@pytest.mark.parametrize("validators", [True, False], ids=["validators", "bare"])
def test_after_thirty_days(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, validators: bool
) -> None:
    """What moves is seen to have moved, however old it was; what is named for good is left alone."""
    etag, modified = ('"1"', ago(1000 * DAY)) if validators else (None, None)
    urls = [f"https://{host}{path}" for path in (*MOVING, *FOR_GOOD)]
    answers = {url: origin.route(url, b"old", etag=etag, last_modified=modified) for url in urls}
    with Connection(shared_proxy, urls[0]) as connection:
        for url in urls:
            assert connection.fetch(url).body == b"old", url
    a_while_ago(shared_dir, 30 * DAY)
    for answer in answers.values():
        answer.body, answer.etag, answer.last_modified = b"new", '"2"', None
    with Connection(shared_proxy, urls[0]) as connection:
        bodies = {url: connection.fetch(url).body for url in urls}
    told = [url for url, body in bodies.items() if body == b"old"]
    assert told == [f"https://{host}{path}" for path in FOR_GOOD]
    for path in MOVING:
        first, check = origin.asked(f"https://{host}{path}")
        assert first.header("if-none-match") is None
        assert check.header("if-none-match") == etag, path


def test_a_moving_name_is_checked_at_each_request(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """And that is all: the body comes from the tree."""
    url = f"https://{host}/lodash"
    origin.route(url, b"1", etag='"1"', last_modified=ago(1000 * DAY))
    fetch(shared_proxy, url)
    for n in range(2, 5):
        a_while_ago(shared_dir)
        reply = fetch(shared_proxy, url)
        assert (reply.body, reply.cache_status) == (b"1", "cachy; fwd=stale; fwd-status=304")
        assert origin.count(url) == n


@pytest.mark.parametrize(
    ("headers", "age", "fresh"),
    [
        # A tenth of its age.
        ({"Last-Modified": "@36000"}, 3500, True),
        ({"Last-Modified": "@36000"}, 3700, False),
        ({"Last-Modified": "@36000", "Cache-Control": "must-revalidate"}, 3500, True),
        ({"Last-Modified": "@36000", "Cache-Control": "must-revalidate"}, 3700, False),
        # A day at most.
        ({"Last-Modified": "@864000000"}, DAY - 60, True),
        ({"Last-Modified": "@864000000"}, DAY + 60, False),
        # Its age isn't known.
        ({"ETag": '"1"'}, 10, False),
        ({"ETag": '"1"', "Cache-Control": "must-revalidate"}, 10, False),
        ({"Last-Modified": "yesterday"}, 10, False),
        ({"Last-Modified": "@-3600"}, 10, False),
        # A check would be all of it again.
        ({}, 50, True),
        ({"Age": "86400"}, 50, True),
        ({}, 70, False),
    ],
)
def test_all_else(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    headers: dict[str, str],
    age: int,
    fresh: bool,
) -> None:
    """Nothing is for ever: how long a file is served unasked."""
    url = f"https://{host}/files/a.zip"
    said = {k: ago(int(v[1:])) if v.startswith("@") else v for k, v in headers.items()}
    said["Date"] = ago(0)
    origin.route(url, b"body", 200, said)
    fetch(shared_proxy, url)
    a_while_ago(shared_dir, age)
    reply = fetch(shared_proxy, url)
    assert reply.body == b"body"
    expected = "cachy; hit" if fresh else "cachy; fwd=stale"
    assert reply.cache_status.startswith(expected)
    assert origin.count(url) == (1 if fresh else 2)


@pytest.mark.parametrize("again", ["must-revalidate", "public"])
def test_a_304_without_a_lifetime_makes_nothing_fresh_for_ever(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, again: str
) -> None:
    """It is confirmed by the same rules as it was stored by."""
    url = f"https://{host}/files/a.zip"
    answer = origin.route(url, b"1", 200, {"Cache-Control": "max-age=60"}, etag='"1"')
    fetch(shared_proxy, url)
    answer.headers = [("Cache-Control", again)]
    a_while_ago(shared_dir, 70)
    assert fetch(shared_proxy, url).cache_status == "cachy; fwd=stale; fwd-status=304"
    answer.body, answer.etag = b"2", '"2"'
    a_while_ago(shared_dir)
    assert fetch(shared_proxy, url).body == b"2"


@pytest.mark.parametrize(
    ("path", "age", "fresh"),
    [
        ("/serde/serde-1.0.0.crate", 20, True),
        ("/serde/serde-1.0.0.crate", 40, False),
        ("/a.zip", 590, True),
        ("/a.zip", 610, False),
        ("/simple/six/", 590, True),
    ],
)
def test_a_404(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    path: str,
    age: int,
    fresh: bool,
) -> None:
    """A version may just be being published: it is there half a minute later."""
    url = f"https://{host}{path}"
    origin.route(url, b"", 404)
    assert fetch(shared_proxy, url).status == 404
    origin.route(url, b"here")
    a_while_ago(shared_dir, age)
    assert fetch(shared_proxy, url).status == (404 if fresh else 200)


@pytest.mark.parametrize("then", ["slash", "file"])
def test_a_slash_is_not_for_ever(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, then: str
) -> None:
    """That the origin adds one is asked again after ten minutes, and then it may be a file."""
    url = f"https://{host}/x"
    origin.route(url, b"there", 301, {"Location": f"{url}/"})
    origin.route(f"{url}/", b"index", headers={"Cache-Control": "max-age=86400"})
    for each in (url, f"{url}/"):
        fetch(shared_proxy, each)
    a_while_ago(shared_dir, 590)
    assert fetch(shared_proxy, url).cache_status == "cachy; hit"
    if then == "file":
        origin.route(url, b"a file now")
    a_while_ago(shared_dir, 20)
    reply = fetch(shared_proxy, url)
    assert reply.cache_status.startswith("cachy; fwd=stale")
    assert origin.count(url) == 2
    if then == "file":
        assert (reply.status, reply.body) == (200, b"a file now")
        assert fetch(shared_proxy, url).body == b"a file now"
    else:
        assert (reply.status, reply.header("location")) == (301, f"{url}/")
        assert fetch(shared_proxy, url).cache_status == "cachy; hit"
    assert fetch(shared_proxy, f"{url}/").body == b"index"


def test_where_the_newest_leads(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """A redirect from `latest` is what moves."""
    url = f"https://{host}/o/r/releases/latest"
    for version in ("v1", "v2"):
        to = f"https://{host}/o/r/releases/tag/{version}"
        origin.route(url, b"", 302, {"Location": to})
        assert fetch(shared_proxy, url).header("location") == to
        a_while_ago(shared_dir)


@pytest.mark.parametrize(
    "name", ["artifactory", "nas.lan", "ci.internal", "x.home.arpa", "app.test", "10.1.2.3"]
)
def test_private_networks(shared_proxy: Proxy, shared_dir: Path, origin: Origin, name: str) -> None:
    """Nothing is guessed of what somebody works on in the next room; what is stated counts."""
    url, stated = f"http://{name}/items", f"http://{name}/b.zip"
    answer = origin.route(url, b"0", 200, last_modified=ago(1000 * DAY))
    for n in range(3):
        answer.body, answer.last_modified = str(n).encode(), ago((1000 - n) * DAY)
        assert fetch(shared_proxy, url).body == answer.body
    origin.route(stated, b"1", headers={"Cache-Control": "max-age=60"})
    fetch(shared_proxy, stated)
    a_while_ago(shared_dir)
    assert fetch(shared_proxy, stated).cache_status == "cachy; hit"


CLIENT = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize("remembered", [True, False])
@pytest.mark.parametrize(
    ("asks", "status"),
    [
        ({"If-None-Match": '"1"'}, 304),
        ({"If-None-Match": 'W/"1"', "If-Modified-Since": CLIENT}, 304),
        ({"If-Modified-Since": CLIENT}, 304),
        ({"If-Match": '"1"'}, 200),
        ({"If-None-Match": '"0"'}, None),
        ({"If-Modified-Since": "Tue, 14 Nov 2023 22:13:19 GMT"}, None),
        ({"If-None-Match": '"1"', "Cache-Control": "no-cache"}, None),
    ],
)
def test_a_condition_with_our_validator(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    remembered: bool,
    asks: dict[str, str],
    status: int | None,
) -> None:
    """Is answered from what is fresh, as npm asks with every document; any other asks upstream."""
    url = f"https://{host}/lodash"
    said = {"Cache-Control": "public, max-age=300, must-revalidate"}
    origin.route(url, b"1", 200, said, etag='"1"', last_modified=CLIENT)
    fetch(shared_proxy, url)
    a_while_ago(shared_dir)
    if remembered:
        fetch(shared_proxy, url)
        fetch(shared_proxy, url)
    reply = fetch(shared_proxy, url, headers=asks)
    if status is None:
        assert reply.cache_status.startswith("cachy; fwd=request")
        assert origin.count(url) == 2
    else:
        assert (reply.status, reply.cache_status) == (status, "cachy; hit")
        assert origin.count(url) == 1


def test_a_person_is_heard_for_a_name_for_good(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """Conditionally, and not twice within five seconds."""
    url = f"https://{host}/serde/serde-1.0.0.crate"
    origin.route(url, b"1", etag='"1"')
    fetch(shared_proxy, url)
    for said in ("no-cache", "max-age=0"):
        a_while_ago(shared_dir)
        reply = fetch(shared_proxy, url, headers={"Cache-Control": said})
        assert (reply.body, reply.cache_status) == (b"1", "cachy; fwd=request; fwd-status=304")
        again = fetch(shared_proxy, url, headers={"Cache-Control": said})
        assert again.cache_status == "cachy; hit"
    assert [r.header("if-none-match") for r in origin.asked(url)] == [None, '"1"', '"1"']


def test_a_person_with_credentials_changes_nothing(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """What the check of a name for good brings to who has a password is for nobody else."""
    url = f"https://{host}/serde/serde-1.0.0.crate"
    answer = origin.route(url, b"1")
    fetch(shared_proxy, url)
    answer.body = b"mine"
    asks = {"Cache-Control": "no-cache", "Authorization": "Basic eDp5"}
    a_while_ago(shared_dir)
    reply = fetch(shared_proxy, url, headers=asks)
    assert (reply.body, reply.cache_status) == (b"mine", "cachy; fwd=bypass; detail=authorization")
    assert fetch(shared_proxy, url).body == b"1"


@pytest.mark.parametrize("asks", ["no-cache, no-store", "no-store, no-cache", "no-store"])
def test_what_maven_says_with_every_request(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, asks: str
) -> None:
    """Its releases are stored and never asked for again, and what moves is checked."""
    jar, index = f"https://{host}/g/a/1.0/a-1.0.jar", f"https://{host}/g/a/maven-metadata.xml"
    said = {"Cache-Control": asks, "Pragma": "no-cache"}
    for url in (jar, index):
        origin.route(url, b"1", etag='"1"')
        first = fetch(shared_proxy, url, headers=said)
        if asks == "no-store":
            assert first.cache_status == "cachy; fwd=uri-miss; detail=request-no-store"
            continue
        assert first.cache_status == "cachy; fwd=uri-miss; stored"
        a_while_ago(shared_dir)
        status = fetch(shared_proxy, url, headers=said).cache_status
        assert status == ("cachy; hit" if url == jar else "cachy; fwd=request; fwd-status=304")


def test_a_push_is_one_check_for_all_who_ask_at_once(
    shared_proxy: Proxy, origin: Origin, host: str
) -> None:
    """Each time is each time, and those who come together are answered together."""
    path = "/o/r.git/info/refs?service=git-upload-pack"
    url = f"https://{host}{path}"
    answer = origin.route(url, b"1", headers={"Cache-Control": "no-cache"})
    fetch(shared_proxy, url)
    gate = origin.gate()
    answer.body = b"2"

    async def slowly(request: Request, reply: Reply) -> None:
        await gate.passed()
        await answer(request, reply)

    origin.handle(host, path, slowly, scheme="https")
    clients = [Connection(shared_proxy, url) for _ in range(3)]
    for client in clients:
        client.send_request()
    # Answered after the three were read, which stood in line before it.
    fetch(shared_proxy, f"https://{host}/other")
    wait_until(lambda: origin.count(url) == 2)
    gate.open()
    for client in clients:
        assert client.read_head().status == 200
        assert client.read_to_end() == b"2"
        client.close()
    assert origin.count(url) == 2


@pytest.mark.parametrize(
    ("path", "headers", "words"),
    [
        ("/serde/serde-1.0.0.crate", {}, r"a name for good \(one version\): never asked again"),
        ("/lodash", {}, r"checked at each request: a moving name .*"),
        (
            "/a.zip",
            {"Last-Modified": CLIENT},
            r"fresh for 23h 59m more: .* a tenth of its age, a day at most \(Last-Modified "
            + CLIENT
            + r"\)",
        ),
        (
            "/a.zip",
            {"Cache-Control": "max-age=7200"},
            r"fresh for 1h 59m more: the origin states 2h",
        ),
        ("/a.zip", {"Cache-Control": "no-cache"}, r"checked at each request: the origin says .*"),
        ("/a.zip", {"ETag": '"1"'}, r"checked at each request: neither .*"),
        ("/a.zip", {}, r"fresh for (50|4\d)s more: .*without a validator.*"),
    ],
)
def test_show_says_why(
    cli: Cli,
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    path: str,
    headers: dict[str, str],
    words: str,
) -> None:
    """By the rule that decided, with its numbers."""
    url = f"https://{host}{path}"
    origin.route(url, b"1", headers=headers)
    fetch(shared_proxy, url)
    a_while_ago(shared_dir)
    shown = cli("show", url, "--json").json()
    assert re.fullmatch(words, shown["entry"]["freshness"])
    assert shown["entry"]["freshness"] in shown["forecast"]["words"]


@pytest.mark.parametrize(
    "path, stated, kept",
    [
        ("/x/archive/master.zip", {"Cache-Control": "max-age=60"}, 60),
        ("/x/releases/latest/download/tool.zip", {}, 600),
        ("/x/dl/tool.zip", {"Cache-Control": "private, max-age=0"}, 0),
        ("/x/tool-1.2.3.zip", {"Cache-Control": "no-cache"}, 30 * DAY),
    ],
)
def test_a_redirect_that_is_followed(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    path: str,
    stated: dict[str, str],
    kept: int,
) -> None:
    """What it leads to is fresh for no longer than the redirect is, unless the URL names a version."""
    url = f"https://{host}{path}"
    year = {"Cache-Control": "public, max-age=31536000"}
    for version in ("1", "2"):
        there = f"https://cdn.{host}/{version}.zip"
        origin.route(there, b"PK\x03\x04" + version.encode(), headers=year)
    answer = origin.route(
        url, status=302, headers={"Location": f"https://cdn.{host}/1.zip"} | stated
    )
    assert fetch(shared_proxy, url).body == b"PK\x03\x041"
    answer.headers = list(({"Location": f"https://cdn.{host}/2.zip"} | stated).items())
    if kept:
        a_while_ago(shared_dir, kept - 10, host)
        assert fetch(shared_proxy, url).body == b"PK\x03\x041"
    if kept < DAY:
        a_while_ago(shared_dir, 20, host)
        for _ in range(2):
            assert fetch(shared_proxy, url).body == b"PK\x03\x042"


@pytest.mark.parametrize(
    "path, moves",
    [
        ("/nightly/x_1.0-SNAPSHOT_amd64.deb", True),
        ("/n/x-1.0-SNAPSHOT.x86_64.rpm", True),
        ("/jest-snapshot/-/jest-snapshot-29.7.0.tgz", False),
        ("/maven2/org/s/c/Finchley.RELEASE/c-Finchley.RELEASE.pom", False),
    ],
)
def test_snapshots(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str, path: str, moves: bool
) -> None:
    """They are built anew, whoever packs them; a word is no version of its own."""
    url = f"https://{host}{path}"
    answer = origin.route(url, b"<project/>" if path.endswith("pom") else b"one")
    first = fetch(shared_proxy, url).body
    answer.body = b"two"
    a_while_ago(shared_dir, 30 * DAY, host)
    assert (fetch(shared_proxy, url).body == b"two") == moves
    assert first != b"two"
