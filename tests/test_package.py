"""The installed package: its command, its script, and the script of a source checkout."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(("streams", "status"), [(">&-", 0), ("<&- >&-", 0), (">/dev/full", 3)])
def test_streams(streams: str, status: int) -> None:
    """Closed ones are nobody's business; one that takes nothing is said in a line."""
    command = Path(sys.executable).with_name("cachy")
    line = f"{command} recipe shell.sh {streams}"
    done = subprocess.run(["sh", "-c", line], check=False, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert done.stderr.count("\n") == (status != 0)


@pytest.mark.timeout(20)
def test_run_without_streams(tmp_path: Path) -> None:
    """Nothing waits for ever where standard input and output are closed."""
    command = Path(sys.executable).with_name("cachy")
    line = f"{command} run -q --dir {tmp_path}/tree -- sh -c 'exit 7' <&- >&-"
    assert subprocess.run(["sh", "-c", line], check=False).returncode == 7
