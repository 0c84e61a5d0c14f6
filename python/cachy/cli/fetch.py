"""Fetches URLs through a proxy, so that they are in its tree."""

import http.client
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from cachy import __version__
from cachy.cli.report import explain
from cachy.cli.through import Proxy, ProxyError, connection, trusting

PIECE = 256 * 1024
#: Seconds without a byte.
TIMEOUT = 120
HOPS = 10

CUT = "the body was cut short"


@dataclass(frozen=True)
class Wanted:
    """What to fetch."""

    url: str
    accept: str | None = None
    """The Accept field of the one who wanted it, since there may be variants."""


@dataclass(frozen=True)
class Fetched:
    """How it went."""

    wanted: Wanted
    bytes: int = 0
    failure: str | None = None
    """Why it is not there."""
    cache_status: str = ""


class Fetcher:
    """Fetches by one proxy; safe to use from any thread."""

    def __init__(self, proxy: Proxy, ca: str, *, refresh: bool = False) -> None:
        """Takes note.

        Args:
            proxy: The proxy.
            ca: Its CA's certificate, PEM.
            refresh: What is in the tree is checked upstream (RFC 9111 section 5.2.1.4).
        """
        self.proxy = proxy
        self.context = trusting(ca)
        self.fields = {"User-Agent": f"cachy/{__version__}", "Accept-Encoding": "identity"}
        if refresh:
            self.fields["Cache-Control"] = "no-cache"

    def fetch(self, wanted: Wanted, progress: Callable[[int], None]) -> Fetched:
        """Fetches one URL, and whereto it is redirected.

        Args:
            wanted: The URL.
            progress: Called with the number of bytes that have arrived, again and again.
        """
        url, count = wanted.url, 0
        try:
            for _ in range(HOPS):
                if urlsplit(url).scheme not in ("http", "https"):
                    return Fetched(wanted, count, f"not http or https: {url}")
                link, target = connection(self.proxy, url, timeout=TIMEOUT, context=self.context)
                try:
                    reply = self._ask(link, target, url, wanted.accept)
                    while piece := reply.read(PIECE):
                        count += len(piece)
                        progress(len(piece))
                    # `read` with a size takes the end of the connection for that of the body.
                    if reply.length:
                        return Fetched(wanted, count, CUT)
                finally:
                    link.close()
                location = reply.getheader("Location")
                if reply.status in (301, 302, 303, 307, 308) and location:
                    url = urljoin(url, location)
                    continue
                status = reply.getheader("Cache-Status", "")
                if reply.status != 200:
                    detail = status.rpartition("detail=")[2] if "detail=" in status else ""
                    why = f"{reply.status} {reply.reason}" + (f" ({detail})" if detail else "")
                    return Fetched(wanted, count, why, status)
                return Fetched(wanted, count, missing(status), status)
        except http.client.IncompleteRead:
            return Fetched(wanted, count, CUT)
        except (OSError, ValueError, http.client.HTTPException, ProxyError) as error:
            return Fetched(wanted, count, str(error) or type(error).__name__)
        return Fetched(wanted, count, f"more than {HOPS} redirects")

    def _ask(
        self, link: http.client.HTTPConnection, target: str, url: str, accept: str | None
    ) -> http.client.HTTPResponse:
        fields = dict(self.fields)
        if not url.startswith("https:"):
            fields |= self.proxy.authorization
        if accept is not None:
            fields["Accept"] = accept
        link.request("GET", target, headers=fields)
        return link.getresponse()


def missing(status: str) -> str | None:
    """Why what was answered is not in the tree for others, as a Cache-Status of ours tells.

    Args:
        status: The field (RFC 9211).
    """
    ours = next((part for part in status.split(",") if part.strip().startswith("cachy")), "")
    words = {word.strip() for word in ours.split(";")}
    if {"hit", "stored", "collapsed", "fwd-status=304"} & words:
        return None
    detail = next((word.partition("=")[2] for word in words if word.startswith("detail=")), None)
    return f"not stored: {explain(detail)}" if detail else "not stored: no cachy answered"
