"""The harness proves itself: processes and small helpers."""

import hashlib
from pathlib import Path

import pytest

from support.client import fetch
from support.factory import ProxyFactory
from support.message import split_url
from support.origin import Origin
from support.pattern import Pattern
from support.tree import tree, wait_until

MB = 1 << 20


def test_pattern() -> None:
    pattern = Pattern(3 * MB + 5)
    whole = pattern.slice(0, pattern.size)
    assert hashlib.sha256(whole).hexdigest() == pattern.sha256
    assert pattern.slice(MB - 9, 2 * MB) == whole[MB - 9 : 2 * MB]
    assert Pattern(99, seed=1).sha256 != Pattern(99).sha256


def test_log_restart_and_kill(start_proxy: ProxyFactory, origin: Origin, host: str) -> None:
    proxy = start_proxy(scripts=[], options={"connection_strategy": "lazy"})
    assert proxy.url == f"http://127.0.0.1:{proxy.port}"
    fetch(proxy, f"https://{host}/seen")
    wait_until(lambda: "/seen" in proxy.log())
    port = proxy.port
    assert proxy.stop() == 0
    assert not proxy.start().stop()
    assert proxy.port == port
    proxy.start()
    assert proxy.kill() == -9
    assert not proxy.running


def test_addon_gets_its_options(
    start_proxy: ProxyFactory,
    tmp_path: Path,
    cachy_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = tmp_path / "addon.py"
    script.write_text(
        "import os\n"
        "from mitmproxy import ctx\n"
        "def load(loader):\n"
        "    loader.add_option('cachy_dir', str, '', '')\n"
        "def running():\n"
        "    print('dir', ctx.options.cachy_dir, os.environ['MARK'], flush=True)\n"
    )
    start_proxy._addon = lambda: script
    proxy = start_proxy(env={"MARK": "7", "HOME": None}, prefix=["nice"])
    wait_until(lambda: f"dir {cachy_dir} 7" in proxy.log())


def test_proxy_that_does_not_start(start_proxy: ProxyFactory, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no-such-option"):
        start_proxy(scripts=[], args=["--no-such-option"])


def test_tree(tmp_path: Path) -> None:
    (tmp_path / ".cachy").mkdir()
    (tmp_path / ".cachy" / "x").touch()
    (tmp_path / "h/.cachy").mkdir(parents=True)
    (tmp_path / "h/.cachy/f").write_bytes(b"1")
    (tmp_path / "h/gone").symlink_to("404")
    (tmp_path / "h/dir").symlink_to("..")
    assert tree(tmp_path) == {
        "h/.cachy/f": b"1",
        "h/gone": "-> 404",
        "h/dir": "-> ..",
    }


def test_wait_until() -> None:
    with pytest.raises(AssertionError, match="never"):
        wait_until(lambda: False, 0.05, "never")


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://h", ("https", "h", "/")),
        ("http://h:1?x/y", ("http", "h:1", "?x/y")),
        ("https://[::1]/a//b", ("https", "[::1]", "/a//b")),
    ],
)
def test_split_url(url: str, parts: tuple[str, str, str]) -> None:
    assert split_url(url) == parts
