"""`/./` in a URL, as apt has it for flat repositories, is no other URL than without."""

from pathlib import Path

import pytest

from clients.run import need, run
from support.client import Connection, fetch
from support.client_h2 import H2Client
from support.factory import ProxyFactory
from support.origin import Origin
from support.proxy import Proxy
from support.tree import tree

FRESH = {"Cache-Control": "max-age=600"}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("/./Packages", "/Packages"),
        ("/repo/./Packages.xz", "/repo/Packages.xz"),
        ("/repo/././by/./a_1.0-1_amd64.deb", "/repo/by/a_1.0-1_amd64.deb"),
        ("/repo/%2e/a?x=/./y", "/repo/a?x=/./y"),
        ("/repo/.", "/repo/"),
    ],
)
def test_one_url(
    shared_proxy: Proxy,
    shared_dir: Path,
    origin: Origin,
    host: str,
    scheme: str,
    asked: str,
    path: str,
) -> None:
    """Asked upstream by the one spelling, stored once, and answered by any, by the lane too."""
    url = f"{scheme}://{host}{path}"
    origin.route(url, b"1", headers=FRESH)
    with Connection(shared_proxy, url) as client:
        reply = client.fetch(f"{scheme}://{host}{asked}")
        assert (reply.body, reply.cache_status) == (b"1", "cachy; fwd=uri-miss; stored")
        for spelling in (asked, asked, path, asked):
            reply = client.fetch(f"{scheme}://{host}{spelling}")
            assert (reply.body, reply.cache_status) == (b"1", "cachy; hit")
    assert [request.target for request in origin.requests] == [path]
    (stored,) = [name for name in tree(shared_dir) if name.startswith(f"{host}/")]
    assert "/./" not in stored.split("?")[0]


def test_over_http2(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """The same for a client that speaks HTTP/2."""
    url = f"https://{host}/repo/InRelease"
    origin.route(url, b"1", headers=FRESH)
    with H2Client(shared_proxy, url) as client:
        for status in ("cachy; fwd=uri-miss; stored", "cachy; hit"):
            reply = client.fetch(f"https://{host}/repo/./InRelease")
            assert (reply.body, reply.cache_status) == (b"1", status)
    assert [request.target for request in origin.requests] == ["/repo/InRelease"]


def test_placed_and_offline(start_proxy: ProxyFactory, cachy_dir: Path, host: str) -> None:
    """A person's file answers both spellings; a miss names the one path."""
    (cachy_dir / host / "repo").mkdir(parents=True)
    (cachy_dir / host / "repo/Packages").write_text("mine")
    proxy = start_proxy(options={"cachy_mode": "offline"})
    assert fetch(proxy, f"http://{host}/repo/./Packages").body == b"mine"
    reply = fetch(proxy, f"http://{host}/repo/./Release")
    assert (reply.status, f"{cachy_dir}/{host}/repo/Release\n" in reply.body.decode()) == (
        403,
        True,
    )


def test_apt(start_proxy: ProxyFactory, origin: Origin, host: str, tmp_path: Path) -> None:
    """A real apt, twice from nothing: a flat repository, the second time without a line."""
    need("apt-get")
    index = b"Package: pkg\nVersion: 1.0\nArchitecture: all\nFilename: ./pkg_1.0_all.deb\nSize: 3\n"
    index += b"MD5sum: 900150983cd24fb0d6963f7d28e17f72\n\n"
    origin.route(f"http://{host}/repo/Packages", index)
    origin.route(f"http://{host}/repo/pkg_1.0_all.deb", b"!<arch>\n" + b"x" * 100)
    for path in ("InRelease", "Release", "Packages.xz", "Packages.gz", "Packages.bz2"):
        origin.route(f"http://{host}/repo/{path}", b"", 404)
    for mode in ("normal", "offline"):
        proxy = start_proxy(options={"cachy_mode": mode})
        root = tmp_path / mode
        for folder in ("lists/partial", "cache/archives/partial", "etc"):
            (root / folder).mkdir(parents=True)
        (root / "status").touch()
        (root / "etc/sources.list").write_text(f"deb [trusted=yes] http://{host}/repo ./\n")
        options = {
            "Dir::State::lists": root / "lists",
            "Dir::State::status": root / "status",
            "Dir::Cache": root / "cache",
            "Dir::Etc": root / "etc",
            "Dir::Etc::trustedparts": root / "etc",
            "Acquire::http::Proxy": proxy.url,
            "Acquire::Languages": "none",
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": str(tmp_path)}
        run(["apt-get", *words, "update"], env, tmp_path).ok()
        asked = run(["apt-get", *words, "download", "--print-uris", "pkg"], env, tmp_path).ok()
        assert f"http://{host}/repo/./pkg_1.0_all.deb" in asked.output
        assert fetch(proxy, f"http://{host}/repo/./pkg_1.0_all.deb").status == 200
        proxy.stop()
    assert not [request.target for request in origin.requests if "/./" in request.target]
