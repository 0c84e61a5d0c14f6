"""A network namespace of the tests' own, in which connections are led to a proxy."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

#: The namespace from which the program was started.
OUTSIDE = "CACHY_TEST_OUTSIDE"


def _inode() -> str:
    return str(Path("/proc/self/ns/net").stat().st_ino)


def _run(*command: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def prefix() -> list[str]:
    """The command that runs the rest of its line in a new namespace; skips where there is none."""
    for tool in ("unshare", "ip", "nft"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    probe = "add table ip probe\nadd chain ip probe out { type nat hook output priority -100; }\n"
    failed = ""
    for options in (["--net"], ["--map-root-user", "--net"]):
        done = _run("unshare", *options, "nft", "-f", "-", text=probe)
        if done.returncode == 0:
            then = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
            return ["env", f"{OUTSIDE}={_inode()}", "unshare", *options, *then]
        failed = done.stderr.strip()
    pytest.skip(f"connections can't be redirected here: {failed}")


def insist() -> None:
    """Never in the machine's own network."""
    assert os.environ.get(OUTSIDE, _inode()) != _inode(), "run tests/test_transparent.py instead"


def redirect(network: str, ports: str, to: int, match: str = "") -> None:
    """Leads connections to some addresses, which all become this machine's, to a port of it.

    `match`: which connections, as nft has it; else all.
    """
    insist()
    if not network.startswith("127."):
        subprocess.run(["ip", "route", "replace", "local", network, "dev", "lo"], check=True)
    rules = (
        "add table ip cachy\n"
        "add chain ip cachy out { type nat hook output priority -100; }\n"
        f"add rule ip cachy out {match} ip daddr {network} tcp dport {{ {ports} }}"
        f" redirect to :{to}\n"
    )
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
