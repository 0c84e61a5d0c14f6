"""`cachy serve --host 0.0.0.0`: what other machines need is told, and works."""

import os
import re
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from cachy.cli.nearby import addresses, of_this_machine
from support.command import Cachy
from support.served import Served

MACHINE = ["192.0.2.7", "2001:db8::7", "127.0.0.1", "::1", "fe80::1", "169.254.1.1", "198.51.100.7"]


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("127.0.0.1", []),
        ("localhost", []),
        ("::1", []),
        ("192.0.2.9", ["192.0.2.9"]),
        ("proxy.example", ["proxy.example"]),
        ("0.0.0.0", ["192.0.2.7", "198.51.100.7"]),
        ("::", ["2001:db8::7"]),
        ("", ["192.0.2.7", "198.51.100.7", "2001:db8::7"]),
    ],
)
def test_addresses_for_others(host: str, told: list[str]) -> None:
    """None that means another machine there, or none that it listens on."""
    assert addresses(host, MACHINE) == told


def test_the_addresses_of_a_machine() -> None:
    """Loopback's among them, none twice."""
    found = of_this_machine()
    assert "127.0.0.1" in found
    assert len(found) == len({ip_address(each) for each in found})


def test_others_are_told(command: Cachy, tmp_path: Path) -> None:
    """Each line does what it says, by the address that is for others."""
    if not addresses("0.0.0.0", of_this_machine()):
        pytest.skip("this machine has no address for others")
    with Served(command, tmp_path, ["--host", "0.0.0.0"]) as served:
        assert served.process.stdout
        lines = [served.process.stdout.readline() for _ in range(4)]
        found = re.match(r"  other machines (http://(\S+):\d+)", lines[1])
        assert found, lines
        url, address = found[1], found[2]
        assert address in addresses("0.0.0.0", of_this_machine())
        assert url.endswith(f":{served.port}")
        assert f"$(cachy env --proxy {url})" in lines[2]
        env = command.run("env", "--proxy", url)
        assert f"https_proxy={url}" in env.ok().output
        # Without the last step, which is root's.
        script = lines[3].removeprefix("    without").strip().removesuffix(" | sh")
        fetched = subprocess.run(
            ["sh", "-c", script],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            check=True,
            text=True,
            timeout=20,
        )
        assert fetched.stdout.startswith("#!/bin/sh\n# cachy ")


def test_only_this_machine(command: Cachy, tmp_path: Path) -> None:
    """Nobody else is told anything."""
    with Served(command, tmp_path) as served:
        served.process.terminate()
        out, _ = served.process.communicate(timeout=20)
    assert out == ""
