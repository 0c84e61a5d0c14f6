"""The installed package: its command, its script, and the script of a source checkout."""

import re
import subprocess
import sys
from pathlib import Path

import cachy
from support.client import fetch
from support.factory import ProxyFactory
from support.origin import Origin

ROOT = Path(__file__).parent.parent


def run(*arguments: str) -> str:
    """What the installed command prints."""
    command = Path(sys.executable).with_name("cachy")
    return subprocess.run([command, *arguments], check=True, capture_output=True, text=True).stdout


def test_command() -> None:
    """It prints the script's place, the options with their help, and the crate's version."""
    assert Path(run("addon").strip()) == cachy.addon_path()
    printed = run("options")
    for name in ("cachy_dir", "cachy_mode", "cachy_freshness", "cachy_private"):
        assert f"\n{name}: " in printed
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert version and run("--version").strip() == f"cachy {version[1]}"


def test_script_of_a_checkout(
    start_proxy: ProxyFactory, origin: Origin, cachy_dir: Path, host: str
) -> None:
    """It uses the installed package, though an unbuilt one lies beside it."""
    options = {"cachy_dir": str(cachy_dir)}
    proxy = start_proxy(scripts=[ROOT / "python/cachy_addon.py"], options=options)
    url = f"https://{host}/a"
    origin.route(url, b"a")
    assert [fetch(proxy, url).cache_status for _ in range(2)] == [
        "cachy; fwd=uri-miss; stored",
        "cachy; hit",
    ]
