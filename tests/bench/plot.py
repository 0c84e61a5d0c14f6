"""The results as a picture: bars, in light and in dark."""

from collections.abc import Sequence
from html import escape
from statistics import median

from .bench import Bench
from .peers import PEERS
from .table import number, values

WIDTH, LABELS, NUMBERS, BAR, GAP, HEAD = 720, 130, 70, 16, 7, 34
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 }
rect { fill: #9aa4af }
.ours { fill: #1a7f64 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  rect { fill: #6e7681 }
  .ours { fill: #3fb68b }
}
"""
#: Scenario, what is shown of it, title.
PANELS = (
    ("hits", "per_second", "10 KB hits a second, 8 keep-alive connections, TLS"),
    ("new", "per_second", "The same with a new connection for each, 8 at a time"),
    ("h2", "per_second", "10 KB hits a second over HTTP/2, one connection, 32 at a time"),
)


def _panel(title: str, bars: Sequence[tuple[str, float]], top: int) -> list[str]:
    """One chart, its heading at `top`."""
    longest = max(value for _, value in bars)
    lines = [f'<text class="head" x="0" y="{top + 14}">{escape(title)}</text>']
    for place, (name, value) in enumerate(bars):
        y = top + HEAD - 8 + place * (BAR + GAP)
        width = max(1, round((WIDTH - LABELS - NUMBERS) * value / longest))
        ours = ' class="ours"' if name.startswith("cachy") else ""
        lines += [
            f'<text x="{LABELS - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>',
            f'<rect{ours} x="{LABELS}" y="{y}" width="{width}" height="{BAR}" rx="2"/>',
            f'<text x="{LABELS + width + 6}" y="{y + 13}">{number(value, 0)}</text>',
        ]
    return lines


def plot(bench: Bench) -> str | None:
    """An SVG; None where nothing of it was measured."""
    lines: list[str] = []
    top = 4
    for scenario, key, title in PANELS:
        found = [(peer.name, values(bench, scenario, peer.name, key)) for peer in PEERS]
        bars = [(name, median(of_rounds)) for name, of_rounds in found if of_rounds]
        if bars:
            lines += _panel(title, bars, top)
            top += HEAD + len(bars) * (BAR + GAP) + 8
    if not lines:
        return None
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}">'
    return "\n".join([start, f"<style>{STYLE}</style>", *lines, "</svg>\n"])
