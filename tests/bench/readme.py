"""The README's parts that a run writes."""

from pathlib import Path

README = Path(__file__).parent.parent.parent / "README.md"


def write(name: str, text: str) -> None:
    """Puts a text between the README's markers of that name."""
    before, begin, rest = README.read_text().partition(f"<!-- {name}: begin, by run.py -->\n")
    _, end, after = rest.partition(f"<!-- {name}: end -->")
    if not begin or not end:
        raise SystemExit(f"bench: README.md has no place for {name}")
    README.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}")
