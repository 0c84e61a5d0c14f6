"""What a hit costs in the core, in instructions: `run.py --only core`."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from .bench import say
from .tool import HERE, TARGET, cargo

#: Has to be that of the library, see `core/Cargo.lock`.
LOCKED = re.compile(r'name = "gungraun"\nversion = "([^"]+)"')
RESULT = re.compile(r"^hit::hit::(\w+).*?^\s+Instructions:\s+([\d,]+)\|", re.MULTILINE | re.DOTALL)
TITLES = {
    "url_to_path": "URL to path",
    "look_up": "look-up: the file opened, its record read",
    "head": "the head",
    "body": "the body, 10 KB",
    "whole": "all of a hit but the body, statistics included",
    "lane": "the same in the fast lane, from the request's bytes to the answer's, body included",
}


def core() -> str:
    """Counts; gives the table.

    Raises:
        SystemExit: Something is missing or failed.
    """
    if not shutil.which("valgrind"):
        raise SystemExit("bench: SKIPPED: valgrind is not installed")
    found = LOCKED.search((HERE / "core" / "Cargo.lock").read_text())
    assert found, "no gungraun in core/Cargo.lock"
    runner = TARGET / "gungraun" / found[1]
    if not (runner / "bin" / "gungraun-runner").exists():
        say("core: building what runs valgrind, once")
        cargo("install", HERE, "--root", str(runner), "--version", found[1], "gungraun-runner")
    return table(run(runner / "bin" / "gungraun-runner"))


def run(runner: Path) -> str:
    """What the benchmark says."""
    done = subprocess.run(
        ["cargo", "bench", "--quiet", "--locked", "--bench", "hit", "--target-dir", str(TARGET)],
        cwd=HERE / "core",
        env={
            **os.environ,
            "GUNGRAUN_RUNNER": str(runner),
            "GUNGRAUN_HOME": str(TARGET / "gungraun" / "counted"),
        },
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"bench: cargo bench ended with {done.returncode}\n{done.stdout}")
    return re.sub(r"\x1b\[[\d;]*m", "", done.stdout)


def table(text: str) -> str:
    """The instructions of each."""
    counts = {name: int(count.replace(",", "")) for name, count in RESULT.findall(text)}
    if set(counts) != set(TITLES):
        raise SystemExit(f"bench: not what was expected of gungraun:\n{text}")
    lines = [f"| {title} | {counts[name]:,} |" for name, title in TITLES.items()]
    return "\n".join(["| A hit in the core | instructions |", "|---|---:|", *lines])
