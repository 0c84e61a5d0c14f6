"""A folder on disk as an origin serves it: validators, and no word of freshness."""

from email.utils import formatdate
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .answer import Answer
from .message import Request
from .reply import Reply


class Folder:
    """Answers from files as nginx does by default: an ETag of time and size.

    Args:
        root: What lies at `/`, or at `below`.
        below: The path above it.
    """

    def __init__(self, root: Path, below: str = "/") -> None:
        self.root = root
        self.below = below

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        asked = unquote(urlsplit(request.target).path)
        path = self.root / asked.removeprefix(self.below).lstrip("/")
        if not (asked.startswith(self.below) and path.is_file()):
            await Answer(b"not here\n", 404)(request, reply)
            return
        found, data = path.stat(), path.read_bytes()
        etag = f'"{int(found.st_mtime):x}-{len(data):x}"'
        modified = formatdate(found.st_mtime, usegmt=True)
        await Answer(data, etag=etag, last_modified=modified, ranges=True)(request, reply)
