"""Stored responses as if they had been fetched a while ago."""

import re
from email.utils import formatdate
from pathlib import Path
from time import time

SECONDS = 10
"""Longer than what was just fetched is left alone."""


def a_while_ago(root: Path, seconds: int = SECONDS, of: str = "") -> None:
    """All of a cache, or what has that text in its URL, was fetched, or checked, a while ago."""
    for path in (root / ".cachy/meta").rglob("*.json"):
        text = path.read_text()
        if of not in text:
            continue
        earlier = re.sub(
            r'("(?:stored|checked|asked)_at":)(\d+)',
            lambda found: f"{found[1]}{int(found[2]) - seconds * 1000}",
            text,
        )
        path.write_text(earlier)


def at(seconds: int) -> str:
    """The date in so many seconds."""
    return formatdate(time() + seconds, usegmt=True)
