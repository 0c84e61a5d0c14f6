"""What a run asked for, and where it came from."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cachy.cli.finishing import Counted, unfinished
from cachy.cli.terminal import print_table, size

#: Lines of what did not come from the tree.
SHOWN = 10

#: Why something did not: values of ``fwd`` and ``detail`` in Cache-Status (RFC 9211), for people.
REASONS = {
    "uri-miss": "was not in the tree",
    "vary-miss": "another variant was in the tree",
    "collapsed": "read along with another request",
    "stale": "stale: fetched anew",
    "request": "the client wanted it fresh: fetched anew",
    "revalidated": "checked upstream, unchanged",
    "slash": "upstream only adds a slash",
    "not-followed": "a redirect that leads to nothing that could be stored",
    "not-what-its-name-says": "a page, nothing or something else came in the place of a package",
    "range": "a part far ahead of what has arrived",
    "method": "neither GET nor HEAD",
    "bypass": "passed by the cache",
    "off": "cachy_mode=off",
    "offline-miss": "offline, and not in the tree",
    "only-if-cached": "not in the tree, and the client wanted nothing else",
    "upstream-failed": "upstream can't be reached",
    "client-left": "the client left first",
    "authorization": "sent with credentials",
    "cookie": "sent with a cookie",
    "request-body-or-upgrade": "has a body, or changes the protocol",
    "dot-segment": "has dot segments in its path",
    "host-mismatch": "names two hosts",
    "this-machine": "is on this machine",
    "link-local": "is a link-local address",
    "metadata-service": "tells a machine its secrets",
    "loop": "leads back to itself",
    "no-store": "the origin forbids to store it",
    "request-no-store": "the client forbids to store it",
    "status": "its status is not stored",
    "vary": "it varies by what can't be told",
    "partial": "only a part of it came",
    "signed-url": "a signed URL",
    "signed-location": "leads to a signed URL",
    "barred-path": "a link or a folder of yours is in the way",
    "store-error": "the tree can't be written",
}


@dataclass(frozen=True)
class Report:
    """One run."""

    command: str
    """See `name`."""
    exit_code: int
    seconds: float
    """How long the command ran."""
    counted: dict[str, Any]
    """What the proxy counted, as it tells it."""
    hint: str | None = None
    """What to try, where the proxy saw nothing."""

    @property
    def requests(self) -> int:
        """All requests."""
        return int(self.counted.get("requests", 0))

    @property
    def hits(self) -> int:
        """Those that were answered from the tree."""
        return int(self.counted.get("hits", 0))

    def sent(self, source: str) -> int:
        """Bytes of bodies from the ``tree`` or from ``upstream``."""
        return int((self.counted.get("bytes") or {}).get(source, 0))

    @property
    def misses(self) -> list[dict[str, Any]]:
        """What did not come from the tree, worst first."""
        return list(self.counted.get("misses") or [])

    @property
    def thrown_away(self) -> list[Counted]:
        """What was still being fetched when the command had ended, of which something had come."""
        return [each for each in unfinished(self.counted) if each.get("received")]

    @property
    def more(self) -> int:
        """How many of them are not shown."""
        return max(0, len(self.misses) - SHOWN) + int(self.counted.get("omitted", 0))

    @property
    def summary(self) -> str:
        """All in a line."""
        share = f" ({self.hits * 100 // self.requests} %)" if self.requests else ""
        return (
            f"{self.requests} request{'' if self.requests == 1 else 's'}, "
            f"{self.hits} from the tree{share}; "
            f"{size(self.sent('tree'))} from the tree, "
            f"{size(self.sent('upstream'))} from upstream; {self.seconds:.1f} s"
        )


def name(command: Sequence[str]) -> str:
    """What a report calls a command: its program and its first word, as in ``pip install``. The rest may
    hold secrets, and reports are published.
    """
    program = Path(command[0]).name
    plain = len(command) > 1 and re.fullmatch(r"[a-z][a-z0-9-]{0,30}", command[1])
    return f"{program} {command[1]}" if plain else program


def explain(reason: str) -> str:
    """A reason of the proxy's, for people."""
    return REASONS.get(reason, reason or "not from the tree")


def why(miss: dict[str, Any]) -> str:
    """Why something did not come from the tree."""
    text = explain(str(miss.get("reason") or ""))
    status = miss.get("status")
    return f"{text}; {status}" if isinstance(status, int) and status >= 400 else text


def came(fetch: Counted) -> str:
    """How much came of what was thrown away."""
    length = fetch.get("length")
    whole = "" if length is None else f" of {size(int(length))}"
    return f"{size(int(fetch.get('received', 0)))}{whole}"


#: What stands above that.
THROWN_AWAY = "not whole when the command ended, so not stored"


def show(report: Report, console: Console) -> None:
    """Prints it for people."""
    console.print(f"cachy: {report.summary}", soft_wrap=True)
    if report.hint:
        console.print(f"cachy: {report.hint}", soft_wrap=True)
    if report.misses:
        show_misses(report, console)
    for fetch in report.thrown_away[:SHOWN]:
        text = f"cachy: {THROWN_AWAY}: {came(fetch)}  {fetch['url']}"
        console.print(text, soft_wrap=True)


def show_misses(report: Report, console: Console) -> None:
    """Prints what did not come from the tree."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("waited", justify="right", no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("times", justify="right", no_wrap=True)
    table.add_column("why", no_wrap=True)
    table.add_column("not from the tree", overflow="fold")
    for miss in report.misses[:SHOWN]:
        method = str(miss.get("method", "GET"))
        url = str(miss.get("url", ""))
        table.add_row(
            f"{float(miss.get('seconds', 0)):.2f} s",
            size(int(miss.get("bytes", 0))),
            str(miss.get("count", 1)),
            why(miss),
            url if method == "GET" else f"{method} {url}",
        )
    print_table(table, console)
    if report.more:
        console.print(f"and {report.more} more")


def safe(url: str) -> str:
    """A URL that ends neither a cell nor a piece of code."""
    return url.replace("|", "%7C").replace("`", "%60")


def markdown(report: Report) -> str:
    """It for the summary of a CI job."""
    state = "" if report.exit_code == 0 else f", exit code {report.exit_code}"
    lines = [f"### cachy: `{report.command}`{state}", "", report.summary + ".", ""]
    if report.hint:
        lines += [f"{report.hint[0].upper()}{report.hint[1:]}.", ""]
    if report.misses:
        lines += ["| waited | bytes | times | why | not from the tree |", "|--:|--:|--:|---|---|"]
        for miss in report.misses[:SHOWN]:
            method = str(miss.get("method", "GET"))
            url = safe(str(miss.get("url", "")))
            lines.append(
                f"| {float(miss.get('seconds', 0)):.2f} s | {size(int(miss.get('bytes', 0)))} "
                f"| {miss.get('count', 1)} | {why(miss).replace('|', '/')} "
                f"| `{url if method == 'GET' else f'{method} {url}'}` |"
            )
        lines.append("")
        if report.more:
            lines += [f"… and {report.more} more.", ""]
    if report.thrown_away:
        lines += [f"{THROWN_AWAY[0].upper()}{THROWN_AWAY[1:]}:", ""]
        for fetch in report.thrown_away[:SHOWN]:
            lines.append(f"- {came(fetch)}: `{safe(fetch['url'])}`")
        lines.append("")
    return "\n".join(lines) + "\n"


def save(report: Report, path: Path) -> None:
    """Writes it to a file: JSON or Markdown by its suffix. To a file of another name Markdown is
    appended, as CI services want their summaries.

    Raises:
        OSError: It can't be written.
    """
    if path.suffix == ".json":
        told = {
            "command": report.command,
            "exit_code": report.exit_code,
            "seconds": round(report.seconds, 3),
            **report.counted,
        }
        if report.hint:
            told["hint"] = report.hint
        path.write_text(json.dumps(told, indent=2) + "\n")
        return
    with path.open(
        "w" if path.suffix == ".md" else "a", encoding="utf-8", errors="replace"
    ) as file:
        file.write(markdown(report))
