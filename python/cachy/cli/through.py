"""Talks to a proxy, and through it."""

import base64
import http.client
import json
import re
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from cachy import __version__

#: Where every cachy answers for itself, unless its ``cachy_host`` says otherwise.
HOST = "cachy.internal"
#: The proxy that is meant where none is named.
DEFAULT = "http://127.0.0.1:8080"

PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class ProxyError(Exception):
    """The proxy is of no use; the message says why."""


@dataclass(frozen=True)
class Proxy:
    """Where a proxy listens."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str = ""

    @classmethod
    def parse(cls, url: str) -> "Proxy":
        """Reads it from a URL; the scheme and the port may be missing.

        Raises:
            ValueError: It is none; the message says what one looks like.
        """
        split = urlsplit(url if "://" in url else f"http://{url}")
        try:
            port = split.port
        except ValueError:
            port = -1
        if split.scheme not in ("http", "https") or not split.hostname or port == -1:
            raise ValueError(f"{url!r} is no proxy; one looks like {DEFAULT}")
        user = None if split.username is None else unquote(split.username)
        default = {"http": 8080, "https": 443}[split.scheme]
        return cls(
            split.hostname,
            default if port is None else port,
            split.scheme == "https",
            user,
            unquote(split.password or ""),
        )

    @property
    def url(self) -> str:
        """As a URL, with the password."""
        return self._url(secret=True)

    def __str__(self) -> str:
        return self._url(secret=False)

    def _url(self, *, secret: bool) -> str:
        user = ""
        if self.user is not None and secret:
            user = f"{quote(self.user, '')}:{quote(self.password, '')}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.tls else ''}://{user}{host}:{self.port}"

    @property
    def authorization(self) -> dict[str, str]:
        """The field for its user (RFC 9110 section 11.7.2), where there is one."""
        if self.user is None:
            return {}
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {pair}"}


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes


def connection(
    proxy: Proxy, url: str, *, timeout: float, context: ssl.SSLContext | None = None
) -> tuple[http.client.HTTPConnection, str]:
    """A connection to a proxy for one URL, and the request's target there.

    Args:
        proxy: The proxy.
        url: The URL, http or https.
        timeout: Seconds for each step.
        context: What to trust behind it, for https.
    """
    split = urlsplit(url)
    kind = http.client.HTTPSConnection if proxy.tls else http.client.HTTPConnection
    link = kind(proxy.host, proxy.port, timeout=timeout)
    target = f"{split.path or '/'}{'?' + split.query if split.query else ''}"
    if split.scheme != "https":
        return link, f"http://{split.netloc.rpartition('@')[2]}{target}"
    if proxy.tls:
        raise ProxyError(f"{proxy}: TLS inside TLS is not for us; name the proxy's http port")
    link = http.client.HTTPSConnection(proxy.host, proxy.port, timeout=timeout, context=context)
    link.set_tunnel(split.hostname or "", split.port or 443, proxy.authorization)
    return link, target


def trusting(ca: str) -> ssl.SSLContext:
    """A TLS context that trusts a proxy's CA and nothing else.

    It is not strict (`ssl.VERIFY_X509_STRICT`), which is the default from Python 3.13 on.
    `cachy doctor` tells whether strict clients accept the CA.

    Args:
        ca: The certificate, PEM.

    Raises:
        ValueError: It is none.
    """
    try:
        context = ssl.create_default_context(cadata=ca)
    except ssl.SSLError as error:
        raise ValueError(f"the proxy's CA is no certificate: {error}") from error
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def get(
    proxy: Proxy,
    url: str,
    *,
    method: str = "GET",
    timeout: float = 10,
    context: ssl.SSLContext | None = None,
) -> Reply:
    """One request of a small thing.

    Raises:
        ProxyError: The proxy does not answer.
    """
    try:
        link, target = connection(proxy, url, timeout=timeout, context=context)
        try:
            fields = {"User-Agent": f"cachy/{__version__}"}
            if not url.startswith("https:"):
                fields |= proxy.authorization
            link.request(method, target, headers=fields)
            reply = link.getresponse()
            return Reply(reply.status, reply.reason, reply.headers, reply.read())
        finally:
            link.close()
    except (OSError, http.client.HTTPException) as error:
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ProxyError(f"{proxy} does not answer: {what}") from error


def ca_of(proxy: Proxy) -> str:
    """The certificate of the CA of a proxy that runs, as PEM.

    Raises:
        ProxyError: It does not answer, or is no mitmproxy.
    """
    # Every mitmproxy serves the second, also one whose cachy has another name for itself.
    for url in (f"http://{HOST}/ca.pem", "http://mitm.it/cert/pem"):
        reply = get(proxy, url)
        if reply.status == 407:
            raise ProxyError(f"{proxy} wants a user and a password: http://USER:PASSWORD@HOST:PORT")
        if reply.status == 200 and (found := PEM.findall(reply.body.decode("latin-1"))):
            return "".join(f"{each}\n" for each in found)
    raise ProxyError(f"{proxy} answers, but is no mitmproxy: it serves no CA")


def internal(proxy: Proxy, path: str) -> dict[str, Any] | None:
    """What cachy tells of itself as JSON; ``None`` where it tells nothing.

    Args:
        proxy: The proxy.
        path: The path under its own name, such as ``/stats``.

    Raises:
        ProxyError: It does not answer.
    """
    reply = get(proxy, f"http://{HOST}{path}")
    if reply.status != 200:
        return None
    try:
        told = json.loads(reply.body)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def is_loopback(host: str) -> bool:
    """Whether an address leads to the same machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
