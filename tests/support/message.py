"""Requests, headers and URLs as both sides of the harness use them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Headers = list[tuple[str, str]]
HeadersLike = Mapping[str, str] | Iterable[tuple[str, str]]

DEFAULT_PORTS = {"http": 80, "https": 443}


def header_list(headers: HeadersLike | None) -> Headers:
    """Headers in any accepted form as a list of pairs."""
    if headers is None:
        return []
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def header(headers: Headers, name: str) -> str | None:
    """All values of one header, joined; None where there is none."""
    values = [value for key, value in headers if key.lower() == name.lower()]
    return ", ".join(values) if values else None


class Url(NamedTuple):
    """A URL cut in pieces, none of which is normalised."""

    scheme: str
    authority: str
    target: str

    @property
    def host(self) -> str:
        """The host without its port and without brackets."""
        return split_authority(self.authority, self.scheme)[0]

    @property
    def authority_host(self) -> str:
        """The host as it stands in an authority: an IPv6 address in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def port(self) -> int:
        """The port, the scheme's own where none is given."""
        return split_authority(self.authority, self.scheme)[1]


def split_url(url: str) -> Url:
    """`https://h:1/a?b` as `("https", "h:1", "/a?b")`."""
    scheme, _, rest = url.partition("://")
    cut = min((i for i in map(rest.find, "/?") if i >= 0), default=len(rest))
    return Url(scheme, rest[:cut], rest[cut:] or "/")


def split_authority(authority: str, scheme: str) -> tuple[str, int]:
    """Host and port; the port is the scheme's own where none is given."""
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, ""
    return host.strip("[]"), int(port) if port else DEFAULT_PORTS[scheme]


def plain_host(authority: str, scheme: str) -> str:
    """The host in lower case, with its port unless it is the scheme's own."""
    return authority.lower().removesuffix(f":{DEFAULT_PORTS[scheme]}")


@dataclass(frozen=True)
class Request:
    """One request as it reached the origin."""

    method: str
    scheme: str
    host: str
    target: str
    headers: Headers
    body: bytes
    time: float
    """`time.monotonic()` when the whole request was there."""
    version: str
    """"1.0", "1.1" or "2"."""
    sni: str | None
    connection: int
    """Number of the connection that carried it."""
    authority: str = ""
    """The host as it was spelt."""
    line: str = ""
    """The request line, where it had one."""

    def header(self, name: str) -> str | None:
        """All values of one header, joined; None where there is none."""
        return header(self.headers, name)

    @property
    def url(self) -> str:
        """The URL that was asked for."""
        return f"{self.scheme}://{self.host}{self.target}"
