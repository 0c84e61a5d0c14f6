"""What is printed where the locale, or a variable, has few characters."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from clients.run import need
from support.command import Cachy

NO_UTF_8 = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
#: Locales, and whether they have all characters.
LOCALES: dict[str, tuple[Mapping[str, str], bool]] = {
    "C": ({"LC_ALL": "C"}, True),
    "POSIX": ({"LC_ALL": "POSIX"}, True),
    "C-of-old": ({"LC_ALL": "C", **NO_UTF_8}, False),
    "missing": ({"LC_ALL": "", "LANG": "xx_YY.UTF-8"}, True),
    "turkish": ({"LC_ALL": "tr_TR.UTF-8"}, True),
    "turkish-of-old": ({"LC_ALL": "tr_TR.ISO-8859-9"}, False),
    "ascii": ({"PYTHONIOENCODING": "ascii"}, False),
    "latin-1": ({"PYTHONIOENCODING": "latin-1:strict"}, False),
    "utf-8": ({"PYTHONIOENCODING": "utf-8:strict"}, True),
}


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of Turkish, in whose old encoding there is no check mark."""
    need("localedef")
    folder = tmp_path_factory.mktemp("locales")
    for encoding in ("ISO-8859-9", "UTF-8"):
        words = ["localedef", "-i", "tr_TR", "-f", encoding, str(folder / f"tr_TR.{encoding}")]
        if subprocess.run(words, capture_output=True, check=False).returncode > 1:
            pytest.skip("locales can't be made here")
    return folder


def printed(
    command: Cachy, locales: Path, name: str, *words: str | Path
) -> "subprocess.CompletedProcess[bytes]":
    """What a command prints in a locale, as bytes."""
    env = command.env | {"LOCPATH": str(locales), **LOCALES[name][0]}
    return subprocess.run(
        command.words(*words), env=env, capture_output=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", LOCALES)
def test_doctor(command: Cachy, locales: Path, tmp_path: Path, name: str) -> None:
    """Its marks are there, or what looks like them; the verdicts are the same."""
    words = ("doctor", "--proxy", "127.0.0.1:1", "--dir", tmp_path)
    done = printed(command, locales, name, *words)
    assert (done.returncode, done.stderr) == (1, b"")
    lines = done.stdout.splitlines()
    bad, good, to = ("✗", "✓", "→") if LOCALES[name][1] else ("x", "+", "->")
    assert lines[0].startswith(f"{bad} proxy  http://127.0.0.1:1 does not answer".encode())
    assert f"  {to} start one: cachy serve".encode() in lines[0]
    assert lines[1] == f"{good} tree   {tmp_path} can be written".encode()


@pytest.mark.parametrize("name", LOCALES)
def test_names_of_files(command: Cachy, locales: Path, tmp_path: Path, name: str) -> None:
    """Commands print them, whatever they are; JSON stays JSON."""
    file = tmp_path / "tree/h.example/a✓"
    file.parent.mkdir(parents=True)
    file.write_text("1")
    os.makedirs(os.fsencode(tmp_path) + b"/tree/h.example/\xff")
    kinds: list[list[str]] = [["ls"], ["ls", "--json"], ["stats"]]
    for words in kinds:
        done = printed(command, locales, name, *words, "--dir", tmp_path / "tree")
        assert b"Traceback" not in done.stderr, done.stderr
        assert done.returncode == 0, done.stderr
        if "--json" in words:
            assert "a✓" in str(json.loads(done.stdout))


def test_report(command: Cachy, locales: Path, tmp_path: Path) -> None:
    """It is UTF-8, for all who read it, also where it has more to tell than it shows."""
    need("curl")
    file = tmp_path / "r.md"
    own = ["--offline", "--dir", str(tmp_path / "tree"), *command.settings, "--report", str(file)]
    curl = ["curl", "-s", "-o", os.devnull, "http://h.example/[1-60]"]
    done = printed(command, locales, "turkish-of-old", "run", *own, "--", *curl)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert "\n… and " in file.read_text("utf-8")
