"""The report of a run, for people, logs and CI services."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cachy.cli.report import Report, markdown, save, show

LONG = "https://h.example/" + "x" * 300


def miss(url: str, **more: object) -> dict[str, object]:
    """One thing that did not come from the tree."""
    told = {"url": url, "method": "GET", "status": 200, "cache_status": "", "reason": "uri-miss"}
    return {**told, "bytes": 1500, "seconds": 1.25, "count": 2, **more}


COUNTED = {
    "requests": 40,
    "hits": 10,
    "bytes": {"tree": 2_500_000, "upstream": 999},
    "misses": [
        miss(LONG),
        miss("https://h.example/p|q", method="POST", reason="method", status=503),
    ]
    + [miss(f"https://h.example/{number}") for number in range(12)],
    "omitted": 3,
}
REPORT = Report("make all", 2, 3.21, COUNTED)


def test_log() -> None:
    """Without a terminal: no colours, no line broken, no blanks at their ends."""
    out = StringIO()
    show(REPORT, Console(file=out, highlight=False, markup=False))
    lines = out.getvalue().splitlines()
    assert lines[0] == (
        "cachy: 40 requests, 10 from the tree (25 %); 2.5 MB from the tree, 999 B from upstream; 3.2 s"
    )
    assert lines[1].split() == ["waited", "bytes", "times", "why", "not", "from", "the", "tree"]
    assert lines[2].split() == [
        "1.25",
        "s",
        "1.5",
        "kB",
        "2",
        "was",
        "not",
        "in",
        "the",
        "tree",
        LONG,
    ]
    assert lines[3].endswith("neither GET nor HEAD; 503  POST https://h.example/p|q")
    assert (len(lines), lines[-1]) == (13, "and 7 more")
    assert "\x1b" not in out.getvalue() and not [line for line in lines if line != line.rstrip()]


def test_terminal() -> None:
    """On one, what is long is folded."""
    out = StringIO()
    show(REPORT, Console(file=out, force_terminal=True, width=80, highlight=False, markup=False))
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in out.getvalue().splitlines()]
    assert max(len(line) for line in lines[1:]) == 80
    assert len(lines) > 20


def test_nothing_asked() -> None:
    """One line."""
    out = StringIO()
    counted = {"requests": 0, "hits": 0, "bytes": {"tree": 0, "upstream": 0}, "misses": []}
    show(Report("true", 0, 0.0, counted), Console(file=out))
    assert out.getvalue() == (
        "cachy: 0 requests, 0 from the tree; 0 B from the tree, 0 B from upstream; 0.0 s\n"
    )


def test_methods() -> None:
    """What was asked for by HEAD and by GET is two things."""
    url = "https://h.example/a"
    counted = {**COUNTED, "misses": [miss(url), miss(url, method="HEAD", bytes=0)], "omitted": 0}
    out = StringIO()
    report = Report("make", 0, 1.0, counted)
    show(report, Console(file=out, highlight=False, markup=False))
    get, head = out.getvalue().splitlines()[2:]
    assert get.endswith(f"was not in the tree  {url}")
    assert head.endswith(f"was not in the tree  HEAD {url}")
    assert f"| `HEAD {url}` |" in markdown(report)


def test_what_the_proxy_did_not_finish() -> None:
    """Where something of it had come; and what to try where the proxy saw nothing."""
    fetches = [
        {"url": "https://h.example/a|b", "received": 1_500_000, "length": 20_000_000},
        {"url": "https://h.example/b", "received": 10, "length": None},
        {"url": "https://h.example/c", "received": 0, "length": None},
    ]
    counted = {"requests": 0, "hits": 0, "misses": [], "unfinished": fetches}
    report = Report("make", 0, 1.0, counted, "try this")
    out = StringIO()
    show(report, Console(file=out, highlight=False, markup=False))
    begins = "cachy: not whole when the command ended, so not stored: "
    assert out.getvalue().splitlines()[1:] == [
        "cachy: try this",
        f"{begins}1.5 MB of 20.0 MB  https://h.example/a|b",
        f"{begins}10 B  https://h.example/b",
    ]
    text = markdown(report)
    assert "\n\nTry this.\n\n" in text
    assert text.endswith(
        "Not whole when the command ended, so not stored:\n\n"
        "- 1.5 MB of 20.0 MB: `https://h.example/a%7Cb`\n- 10 B: `https://h.example/b`\n\n"
    )


@pytest.mark.parametrize(("name", "appended"), [("r.md", False), ("summary", True)])
def test_markdown(tmp_path: Path, name: str, appended: bool) -> None:
    """A table; what is no `.md` gets it appended."""
    file = tmp_path / name
    file.write_text("before\n")
    save(REPORT, file)
    text = file.read_text()
    assert text.startswith("before\n### cachy" if appended else "### cachy")
    assert "### cachy: `make all`, exit code 2\n" in text
    assert (
        "| 1.25 s | 1.5 kB | 2 | neither GET nor HEAD; 503 | `POST https://h.example/p%7Cq` |\n"
        in text
    )
    assert text.endswith("… and 7 more.\n\n")


def test_json(tmp_path: Path) -> None:
    """All of it."""
    save(REPORT, tmp_path / "r.json")
    told = json.loads((tmp_path / "r.json").read_text())
    assert told == {"command": "make all", "exit_code": 2, "seconds": 3.21, **COUNTED}
