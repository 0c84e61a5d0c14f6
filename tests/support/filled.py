"""A site of which everything is stored, or placed by a person."""

from pathlib import Path

from .client import fetch
from .origin import Origin
from .pattern import Pattern
from .proxy import Proxy

WHOLE = b"0123456789" * 100
#: Requests for what is stored or placed: method, path, fields.
ASKED = [
    ("GET", "/whole.txt", {}),
    ("HEAD", "/whole.txt", {}),
    ("GET", "/whole.txt", {"Range": "bytes=10-19"}),
    ("GET", "/whole.txt", {"Range": "bytes=0-1,5-6"}),
    ("GET", "/whole.txt", {"Range": "bytes=5000-"}),
    ("GET", "/whole.txt", {"If-None-Match": '"tag"'}),
    ("GET", "/whole.txt", {"If-Match": '"other"'}),
    ("GET", "/empty", {}),
    ("GET", "/gone", {}),
    ("GET", "/moved", {}),
    ("HEAD", "/moved", {}),
    ("GET", "/folder", {}),
    ("GET", "/placed.html", {}),
    ("GET", "/linked", {}),
    ("GET", "/large.bin", {}),
    ("GET", "/large.bin", {"Range": "bytes=7-200000"}),
    ("GET", "/whole.txt", {"Connection": "close"}),
]
LARGE = Pattern(300_000)


def fill(proxy: Proxy, origin: Origin, cachy_dir: Path, host: str) -> None:
    """Has the tree of a proxy answer all that is `ASKED`."""
    site = f"https://{host}"
    fields = [("X-Two", "a"), ("x-two", "b"), ("Cache-Control", "max-age=9999")]
    origin.route(f"{site}/whole.txt", WHOLE, etag='"tag"', headers=fields)
    origin.route(f"{site}/empty", b"")
    origin.route(f"{site}/gone", b"no more", 404)
    origin.route(f"{site}/moved", b"", 302, headers={"Location": "/whole.txt"})
    origin.route(f"{site}/large.bin", LARGE)
    for path in ("/whole.txt", "/empty", "/gone", "/moved", "/large.bin"):
        fetch(proxy, site + path)
    (cachy_dir / host / "placed.html").write_bytes(b"<p>mine</p>")
    (cachy_dir / host / "linked").symlink_to("410")
    (cachy_dir / host / "folder").mkdir()
    (cachy_dir / host / "folder" / "index.html").write_bytes(b"index")
