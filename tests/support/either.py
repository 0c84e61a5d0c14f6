"""Clients of HTTP/1.1 and of HTTP/2 alike: mitmproxy speaks to an origin what its client speaks."""

from types import TracebackType
from typing import Literal, Self

from .client import Connection, Reply
from .client_h2 import H2Client
from .message import HeadersLike
from .origin import Origin
from .proxy import Proxy
from .wire import Target

Version = Literal["h1", "h2"]


class Either:
    """One request at a time."""

    def __init__(self, proxy: Target, url: str, version: Version) -> None:
        self.client = (H2Client if version == "h2" else Connection)(proxy, url)
        self.number = 0

    def send(
        self,
        url: str | None = None,
        method: str = "GET",
        headers: HeadersLike | None = None,
        body: bytes | None = None,
    ) -> None:
        """Sends a request."""
        self.number = self.client.send_request(url, method, headers, body) or 0

    def head(self) -> Reply:
        """The head of its answer."""
        if isinstance(self.client, H2Client):
            return self.client.read_head(self.number)
        return self.client.read_head()

    def rest(self) -> bytes:
        """The body."""
        if isinstance(self.client, H2Client):
            return self.client.read_to_end(self.number)
        return self.client.read_to_end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()


class Asks:
    """Asks by one version, origins included."""

    def __init__(self, version: Version, origin: Origin, host: str) -> None:
        self.version = version
        if version == "h2":
            origin.http2_hosts |= {host, f"store.{host}"}

    def client(self, proxy: Proxy, url: str) -> Either:
        """A client."""
        return Either(proxy, url, self.version)

    def __call__(
        self,
        proxy: Proxy,
        url: str,
        method: str = "GET",
        headers: HeadersLike | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """One request on a connection of its own."""
        with self.client(proxy, url) as client:
            return client.client.fetch(url, method, headers, body)
