"""The commands that look at the tree and change it, while a proxy runs on it."""

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cachy.cli import cachy
from support.client import fetch
from support.factory import ProxyFactory
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy
from support.tree import tree
from support.tree_cli import Cli

STORED = "cachy; fwd=uri-miss; stored"


@pytest.fixture
def cli(shared_dir: Path) -> Cli:
    """On the tree of `shared_proxy`."""
    return Cli(shared_dir)


def test_path_and_url(
    cli: Cli, shared_dir: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There and back, by whichever path a person has at hand."""
    url, place = f"https://{host}/a/?x=1/2", f"{host}/a/?x=1%~2F2"
    path = shared_dir / place
    assert cli("path", url).out == f"{path}\n"
    assert cli("url", place).out == cli("url", str(path)).out == f"{url}\n"
    path.parent.mkdir(parents=True)
    path.touch()
    monkeypatch.chdir(path.parent)
    assert cli("url", path.name).out == f"{url}\n"
    wrong = cli("url", f"{host}/Ä")
    assert wrong.code == 2 and f"{host}/%C3%84" in wrong.err
    assert cli("path", "ftp://h/").code == cli("url", "/etc/passwd").code == 2


def test_the_proxy_itself(cli: Cli, shared_dir: Path) -> None:
    """Nothing can be put there, since nobody would ever get it."""
    for url in ("http://cachy.internal/x", "https://CACHY.internal.:8443/x"):
        for command in (["put", url, "-"], ["path", url], ["show", url]):
            ran = cli(*command, input=b"1")
            assert ran.code == 2 and "cachy.internal is the proxy itself" in ran.err, (command, ran)
    assert not list(shared_dir.glob("cachy.internal*"))


def test_a_folder_as_people_write_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home, and what is relative is told whole."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for written, meant in (("~/zz", "home/zz"), ("~", "home"), ("rel", "rel")):
        expected = f"{tmp_path / meant}/h/a\n"
        assert Cli(Path(written))("path", "https://h/a").out == expected
        monkeypatch.setenv("CACHY_DIR", written)
        assert CliRunner().invoke(cachy, ["path", "https://h/a"]).stdout == expected
    assert CliRunner().invoke(cachy, ["put", "https://h/a", "-"], input=b"1").exit_code == 0
    assert (tmp_path / "rel/h/a").read_bytes() == b"1"
    assert not (tmp_path / "~").exists()


def test_ls(cli: Cli, shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """By URL, path, folder and glob; whose it is, what it is, and how large."""
    origin.route(f"https://{host}/p/a.deb", b"four")
    origin.route(f"https://{host}/p/gone", b"", 404)
    origin.route(f"http://{host}/q", b"q", 301, {"Location": "/other"})
    for url in (f"https://{host}/p/a.deb", f"https://{host}/p/gone", f"http://{host}/q"):
        fetch(shared_proxy, url)
    (shared_dir / host / "p/mine").write_bytes(b"mine!")
    (shared_dir / host / "p/Ä").write_bytes(b"lost")
    found = {e["path"].removeprefix(f"{host}/"): e for e in cli("ls", "--json", host).json()}
    assert list(found) == ["p/a.deb", "p/gone", "p/mine", "p/Ä", "q"]
    told = {path: (e["whose"], e["status"], e["size"]) for path, e in found.items()}
    assert told["p/a.deb"] == ("cachy", 200, 4) and told["p/mine"] == ("person", 200, 5)
    assert told["p/gone"] == ("cachy", 404, 0)
    assert found["q"]["url"] == f"http://{host}/q" and found["q"]["location"].endswith("/other")
    assert found["p/Ä"]["url"] is None and "rename it" in found["p/Ä"]["problem"]
    deb = found["p/a.deb"]
    assert deb["age"] < 60 and deb["used_at"] and len(deb["sha256"]) == 64

    def paths(pattern: str) -> list[str]:
        return [e["path"].removeprefix(f"{host}/") for e in cli("ls", "--json", pattern).json()]

    assert paths(f"{host}/*.deb") == paths(f"https://{host}/p/a.deb") == ["p/a.deb"]
    assert paths(f"http*{host}/p/[ag]*") == ["p/a.deb", "p/gone"]
    assert paths(str(shared_dir / host / "p/mine")) == ["p/mine"]
    assert paths(f"https://{host}/p/") == ["p/a.deb", "p/gone", "p/mine"]
    nothing = cli("ls", f"{host}/nope*")
    assert (nothing.code, nothing.out) == (1, "")
    lines = cli("ls", host, "--sort", "size").out.splitlines()
    assert lines[1].split()[-1] == f"https://{host}/p/mine" and "person" in lines[1]
    assert re.search("fresh for .s more|checked", cli("ls", "-l", f"{host}/p/a.deb").out)


@pytest.mark.parametrize(
    ("control", "later", "words", "status"),
    [
        ("max-age=60", False, r"hit: fresh for (1m|5\ds) more: the origin states 1m", "cachy; hit"),
        (
            "max-age=5",
            True,
            r"asks upstream: stale since \d+s: the origin states 5s, has an ETag",
            "cachy; fwd=stale",
        ),
    ],
)
def test_show(
    cli: Cli,
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    control: str,
    later: bool,
    words: str,
    status: str,
) -> None:
    """What it says a request would get is what the next one gets, and the question leaves no trace."""
    url = f"https://{host}/a"
    origin.route(url, b"1", headers={"Cache-Control": control}, etag='"x"')
    fetch(shared_proxy, url)
    if later:
        a_while_ago(shared_dir)
    before = {path: path.stat().st_mtime_ns for path in shared_dir.rglob("*.json")}
    shown = cli("show", url, "--json").json()
    said = shown["forecast"]
    assert re.fullmatch(words, said["words"]) and said["cache_status"] == status
    assert shown["entry"]["sha256"] and shown["entry"]["whose"] == "cachy"
    assert cli("show", url, "-H", "Cache-Control: no-cache", "--freshness", "forever").code == 0
    assert before == {path: path.stat().st_mtime_ns for path in shared_dir.rglob("*.json")}
    assert origin.count(url) == 1
    assert fetch(shared_proxy, url).cache_status.startswith(status)
    people = cli("show", url).out
    assert "sha256: " in people and "ETag: " in people and url in people


def test_show_what_is_not_there(cli: Cli, shared_dir: Path, host: str) -> None:
    """Exit code 1, and what a request would do; offline no miss is written down."""
    url = f"https://{host}/a"
    shown = cli("show", url)
    assert shown.code == 1
    assert "asks upstream: not in the tree" in shown.out and "fwd=uri-miss" in shown.out
    offline = cli("show", url, "--mode", "offline", "--json").json()["forecast"]
    assert (offline["status"], offline["cache_status"]) == (403, "cachy; detail=offline-miss")
    private = cli("show", url, "-H", "Authorization: x").out
    assert "passes by the tree: authorization" in private
    assert host not in cli("misses").out
    assert not (shared_dir / host).exists()


def test_show_variants(cli: Cli, shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Each with what it was selected by, and which one a request would get."""
    url = f"https://{host}/a"
    for language in ("de", "en"):
        origin.route(url, language.encode(), headers={"Vary": "Accept-Language"})
        fetch(shared_proxy, url, headers={"Accept-Language": language})
    shown = cli("show", url, "-H", "Accept-Language: en", "--json").json()
    assert shown["entry"]["selecting"] == [["accept-language", "de"]]
    (variant,) = shown["variants"]
    assert variant["selecting"] == [["accept-language", "en"]]
    assert shown["forecast"]["cache_status"] == "cachy; hit"
    other = cli("show", url, "-H", "Accept-Language: fr")
    assert "stored only for requests with other fields (accept-language)" in other.out
    # They go together.
    assert cli("rm", url).code == 0
    assert cli("ls", host).code == 1


def test_put(
    cli: Cli, shared_proxy: Proxy, shared_dir: Path, origin: Origin, tmp_path: Path, host: str
) -> None:
    """It answers at once, is a person's, and stays; over another one of theirs only by force."""
    url = f"https://{host}/x"
    origin.route(url, b"stored", headers={"Cache-Control": "max-age=0"})
    fetch(shared_proxy, url)
    file = tmp_path / "file"
    # Even the very bytes that cachy had.
    file.write_bytes(b"stored")
    assert cli("put", url, str(file)).out == f"{shared_dir / host / 'x'}\n"
    reply = fetch(shared_proxy, url, headers={"Cache-Control": "no-cache"})
    assert (reply.body, reply.cache_status) == (b"stored", "cachy; hit")
    assert cli("ls", "--json", url).json()[0]["whose"] == "person"
    again = cli("put", url, "-", input=b"second")
    assert again.code == 1 and "--force" in again.err
    assert fetch(shared_proxy, url).body == b"stored"
    assert cli("put", url, "-", "--force", input=b"second").code == 0
    assert fetch(shared_proxy, url).body == b"second"
    # File and folder at once, in both orders.
    assert cli("put", f"{url}/below", str(file)).code == 0
    assert cli("put", f"{url}/below/more", str(file)).code == 0
    assert fetch(shared_proxy, url).body == b"second"
    self = cli("put", url, "-", "--force", input=b"third")
    assert self.out == f"{shared_dir / host / 'x/%~self'}\n"
    assert [fetch(shared_proxy, f"{url}{rest}").body for rest in ("", "/below", "/below/more")] == [
        b"third",
        b"stored",
        b"stored",
    ]
    assert not list((shared_dir / ".cachy/tmp").iterdir())
    assert cli("put", url, str(tmp_path / "nope")).code == 3
    assert cli("put", f"{url}/new", str(tmp_path)).code == 3
    assert origin.count(url) == 1


def test_put_what_the_name_does_not_tell(cli: Cli, shared_proxy: Proxy, host: str) -> None:
    """A name that is cut, and http, are known all the same."""
    for url in (f"https://{host}/{'x' * 300}", f"http://{host}/plain"):
        assert cli("put", url, "-", input=b"mine").code == 0
        assert fetch(shared_proxy, url).body == b"mine"
        assert cli("ls", url, "--json").json()[0]["url"] == url


def test_rm(cli: Cli, shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """What is gone is fetched again; a person's file stays, also where it is named exactly."""
    urls = [f"https://{host}/{name}" for name in ("d/a", "d/b", "d", "d/gone")]
    for url in urls:
        origin.route(url, b"1", 404 if url.endswith("gone") else 200)
        fetch(shared_proxy, url)
    (shared_dir / host / "d/mine").write_bytes(b"mine")
    before = tree(shared_dir / host)
    dry = cli("rm", "--dry-run", f"{host}/*")
    assert dry.code == 1 and "mine is a person's" in dry.err
    assert dry.out.count("would remove") == 4 and tree(shared_dir / host) == before
    assert cli("rm", urls[0], f"{host}/d/%~self", f"{host}/d/gon?").code == 0
    assert sorted(tree(shared_dir / host)) == ["d/b", "d/mine"]
    assert [fetch(shared_proxy, url).cache_status for url in urls] == [
        STORED,
        "cachy; hit",
        *[STORED] * 2,
    ]
    for pattern in (f"https://{host}/d/mine", str(shared_dir / host / "d/mine"), f"{host}/d/m*"):
        kept = cli("rm", pattern)
        assert kept.code == 1 and "--force" in kept.err
    folder = cli("rm", f"{host}/d/")
    assert folder.code == 1 and "d/*'" in folder.err
    assert cli("rm", f"{host}/nope").code == 1
    gone = cli("rm", "--force", "--json", f"{host}/*").json()
    assert len(gone["gone"]) == 5 and not (shared_dir / host).exists()
    assert cli("rm", f"https://{host}/d").code == 1


def test_a_slash(cli: Cli, shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """That the origin only adds one is shown, and can be forgotten."""
    url = f"https://{host}/dir"
    origin.route(url, b"", 301, {"Location": f"{url}/"})
    origin.route(f"{url}/", b"index")
    for each in (url, f"{url}/"):
        fetch(shared_proxy, each)
    assert fetch(shared_proxy, url).cache_status == "cachy; hit"
    shown = cli("show", url)
    said = r"hit: fresh for .* more: a redirect, .* is kept for 10m \(301\)"
    assert shown.code == 0 and re.search(said, shown.out)
    assert "would forget" in cli("rm", "--dry-run", url).out
    assert "forgot that" in cli("rm", url).out
    assert origin.count(url) == 1
    fetch(shared_proxy, url)
    assert origin.count(url) == 2
    assert fetch(shared_proxy, f"{url}/").cache_status == "cachy; hit"


def test_verify(cli: Cli, shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """A flipped byte is found, and can be fetched again; what a person changed is fine."""
    names = ["a", "b", "x", "x/below"]
    for name in names:
        origin.route(f"https://{host}/{name}", b"0123456789")
        fetch(shared_proxy, f"https://{host}/{name}")
    assert cli("verify", host).code == 0
    for place in ("a", "x/%~self"):
        file = shared_dir / host / place
        was = file.stat()
        file.write_bytes(b"012345678X")
        os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    (shared_dir / host / "b").write_bytes(b"edited by me")
    outcome = cli("verify", host, "--json")
    assert outcome.code == 1
    broken = outcome.json()["broken"]
    assert [b["url"] for b in broken] == [f"https://{host}/a", f"https://{host}/x"]
    assert "sha256" in broken[0]["what"] and broken[0]["path"] == f"{host}/a"
    assert (outcome.json()["whole"], outcome.json()["people"]) == (1, 1)
    # A copy that lost its times is read once, and is nobody's edit.
    os.utime(shared_dir / host / "x/below", (1, 1))
    dropped = cli("verify", host, "--drop")
    assert dropped.code == 0 and "1 entries are whole" in dropped.out
    assert not (shared_dir / host / "a").exists()
    assert fetch(shared_proxy, f"https://{host}/a").body == b"0123456789"
    assert fetch(shared_proxy, f"https://{host}/x").cache_status == STORED
    assert fetch(shared_proxy, f"https://{host}/b").body == b"edited by me"
    assert cli("verify", host).code == 0


def test_stats(cli: Cli, shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str) -> None:
    """By host, and the whole."""
    for name, status in (("a", 200), ("gone", 404)):
        origin.route(f"https://{host}/{name}", b"123", status)
        fetch(shared_proxy, f"https://{host}/{name}")
    (shared_dir / host / "mine").write_bytes(b"12345")
    found = cli("stats", "--json").json()
    mine = found["hosts"][host]
    assert (mine["entries"], mine["bytes"], mine["statuses"]) == (2, 3, 1)
    assert (mine["people"], mine["people_bytes"]) == (1, 5)
    assert found["all"]["entries"] == sum(h["entries"] for h in found["hosts"].values())
    assert host in cli("stats", "--top", "1000").out


def test_stats_of_requests(start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin) -> None:
    """What a proxy has counted until it ended."""
    url = "https://counted.example/a-1.0.tar.gz"
    origin.route(url, b"123")
    proxy = start_proxy()
    for _ in range(4):
        assert fetch(proxy, url).body == b"123"
    proxy.stop()
    cli = Cli(cachy_dir)
    assert cli("stats", "--json").json()["requests"]["hits"] == 3
    shown = cli("stats").out
    assert "4, first " in shown and "; 3 from the tree (75 %)" in shown
    assert "9 B from the tree, 3 B from upstream" in shown
    assert "1 was not in the tree" in shown


def test_no_tree(tmp_path: Path) -> None:
    """Looking makes none, and says where it looked."""
    cli = Cli(tmp_path / "none")
    for command in (["ls"], ["stats"], ["verify"], ["prune"], ["misses"], ["show", "https://h/a"]):
        ran = cli(*command)
        assert ran.code == 3 and str(tmp_path / "none") in ran.err
    assert cli("path", "https://h/a").out == f"{tmp_path}/none/h/a\n"
    assert not (tmp_path / "none").exists()
    assert cli("put", "https://h/a", "-", input=b"1").code == 0
    assert (tmp_path / "none/h/a").read_bytes() == b"1"
    (tmp_path / "none/.cachy/format").write_text("99")
    assert cli("ls").code == 3
