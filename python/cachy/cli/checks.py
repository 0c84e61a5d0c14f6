"""What `cachy doctor` looks at: each check gives a line, and how to mend what is wrong."""

import os
import shutil
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from cachy.cli.terminal import size
from cachy.cli.through import HOST, Proxy, ProxyError, ca_of, get, internal, is_loopback, trusting

State = Literal["good", "bad", "unknown"]

#: Bytes of room below which a disk is as good as full.
LITTLE = 1_000_000_000


#: What Python sets by default from 3.13 on.
STRICT = ssl.VERIFY_X509_STRICT

ANOTHER_CA = (
    "have mitmproxy make another: stop it, move mitmproxy-ca* out of its confdir (~/.mitmproxy), "
    "start it, and trust the new one; a CA of your own needs a critical basicConstraints, a "
    "keyUsage with keyCertSign, and as its subjectKeyIdentifier the SHA-1 of its key"
)


@dataclass(frozen=True)
class Finding:
    """One line."""

    what: str
    state: State
    text: str
    mend: str | None = None
    """How to mend it."""


def proxy_of(environ: Mapping[str, str]) -> str | None:
    """The proxy that an environment names for https."""
    return environ.get("https_proxy") or environ.get("HTTPS_PROXY") or None


@dataclass(frozen=True)
class Up:
    """What a proxy tells of itself."""

    finding: Finding
    ca: str | None = None
    """Its CA's certificate, PEM, where it has one."""
    directory: Path | None = None
    """Its tree, where that is on this machine."""
    writable: bool | None = None


def up(proxy: Proxy) -> Up:
    """Whether a proxy is up and is cachy."""
    start = f"start one: cachy serve --port {proxy.port}; or name another: --proxy URL"
    try:
        ca = ca_of(proxy)
        told = internal(proxy, "/status")
    except ProxyError as error:
        return Up(Finding("proxy", "bad", str(error), start))
    if told is None:
        load = 'load the addon: mitmdump -s "$(cachy addon)"; or: cachy serve'
        text = f"{proxy} is a mitmproxy, but does not answer as cachy"
        return Up(Finding("proxy", "bad", text, load), ca)
    text = f"{proxy} is cachy {told.get('version', '')}, mode {told.get('mode', '')}"
    directory = told.get("directory")
    if not directory or not is_loopback(proxy.host):
        return Up(Finding("proxy", "good", text), ca)
    return Up(Finding("proxy", "good", text), ca, Path(str(directory)), told.get("writable"))


def strict(proxy: Proxy, ca: str) -> Finding:
    """Whether strict clients, such as Python from 3.13 on, accept what the proxy's CA issues.

    Args:
        proxy: The proxy.
        ca: Its CA, PEM.
    """
    try:
        context = trusting(ca)
        get(proxy, f"https://{HOST}/ca.pem", context=context)
        context.verify_flags |= STRICT
        get(proxy, f"https://{HOST}/ca.pem", context=context)
    except ValueError as error:
        return Finding("CA", "bad", str(error), ANOTHER_CA)
    except ProxyError as error:
        if not isinstance(error.__cause__, ssl.SSLCertVerificationError):
            return Finding("CA", "unknown", str(error))
        why = error.__cause__.verify_message
        who = "Python 3.13 and newer refuse" if context.verify_flags & STRICT else "clients refuse"
        return Finding("CA", "bad", f"{who} what it issues: {why}", ANOTHER_CA)
    return Finding("CA", "good", "strict clients (Python 3.13 and newer) take what it issues")


def tree(directory: Path, writable: bool | None = None) -> Iterator[Finding]:
    """Whether the tree can be written, and has room.

    Args:
        directory: The tree.
        writable: What its proxy says, which may be another user.
    """
    place = directory
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        yield Finding("tree", "bad", f"{place} is no folder", "name another: --dir")
        return
    if writable is None:
        writable = os.access(place, os.W_OK | os.X_OK)
    if not writable:
        yield Finding(
            "tree",
            "bad",
            f"{directory} can't be written; it is of user {place.stat().st_uid}",
            "chown it to the proxy's user, mount it writable, or name another: --dir",
        )
    elif place == directory:
        yield Finding("tree", "good", f"{directory} can be written")
    else:
        yield Finding("tree", "good", f"{directory} is not there yet, and can be made")
    room = shutil.disk_usage(place).free
    if room < LITTLE:
        make = "make room: cachy prune --help"
        yield Finding("room", "bad", f"{size(room)} free on the tree's disk", make)
    else:
        yield Finding("room", "good", f"{size(room)} free on the tree's disk")


def hosts(directory: Path, most: int) -> list[str]:
    """Sites of which there is something in the tree, as URLs."""
    try:
        names = sorted(each.name for each in os.scandir(directory) if each.is_dir())
    except OSError:
        return []
    return [f"https://{name}/" for name in names if not name.startswith(".")][:most]


def upstream(proxy: Proxy, ca: str, url: str, *, asked: bool) -> Finding:
    """Whether the proxy reaches a site, and trusts its certificate.

    Args:
        proxy: The proxy.
        ca: Its CA, PEM.
        url: The site.
        asked: Whether the user named it; else it may well be down, or never have spoken https.
    """
    site = urlsplit(url).netloc
    what = f"upstream {site}"
    try:
        # A method that no cache answers.
        reply = get(proxy, url, method="OPTIONS", context=trusting(ca), timeout=15)
    except (ProxyError, ValueError) as error:
        return Finding(what, "bad" if asked else "unknown", str(error))
    text = reply.body.decode("utf-8", "replace")
    if reply.status not in (502, 504) and "offline" not in reply.headers.get("Cache-Status", ""):
        return Finding(what, "good", "reached, and its certificate is trusted")
    if "ertificate" in text or "CERTIFICATE" in text:
        return Finding(
            what,
            "bad",
            "the proxy does not trust its certificate",
            "add your company's CA to the system's, or name a file of roots: "
            "--set ssl_verify_upstream_trusted_ca=FILE",
        )
    if "offline" in text:
        return Finding(what, "unknown", "not asked: the proxy is offline")
    return Finding(
        what,
        "bad" if asked else "unknown",
        f"the proxy does not reach it ({reply.status})",
        "is the line up? what is in the tree is served all the same" if asked else None,
    )
