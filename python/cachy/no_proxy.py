"""``NO_PROXY``: hosts that are asked directly, without a proxy."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

#: A host in brackets, or one without colons, and its port.
WITH_PORT = re.compile(r"(?:\[([^\]]*)\]|([^:]*)):(\d+)")


@dataclass(frozen=True)
class Entry:
    """One word of ``NO_PROXY``."""

    host: str | IPv4Network | IPv6Network
    """A name in lower case, without dots at its ends; an address is a network of one."""
    port: int | None = None
    """The only port that is meant."""

    def matches(self, host: str | IPv4Address | IPv6Address, port: int) -> bool:
        """Whether it means a host.

        Args:
            host: A name in lower case, or an address.
            port: The port.
        """
        if self.port not in (None, port):
            return False
        if not isinstance(self.host, str):
            return not isinstance(host, str) and host in self.host
        return isinstance(host, str) and f".{host}".endswith(f".{self.host}")


@lru_cache(maxsize=8)
def parse(text: str) -> tuple[Entry, ...]:
    """Reads the words of ``NO_PROXY``, which commas or blanks separate.

    A name stands for itself and its subdomains, with or without ``.`` or ``*.`` before it. An
    address stands for itself, ``10.0.0.0/8`` for a network. ``:PORT`` limits any of them to a port.

    Args:
        text: The value.
    """
    return tuple(entries(text))


def entries(text: str) -> Iterator[Entry]:
    """The words of ``NO_PROXY``; a word that can match nothing is passed over."""
    for word in re.split(r"[\s,]+", text.lower()):
        port = None
        if found := WITH_PORT.fullmatch(word):
            word, port = found[1] or found[2], int(found[3])
        word = word.strip("[]")
        try:
            yield Entry(ip_network(word, strict=False), port)
        except ValueError:
            if name := word.removeprefix("*").strip("."):
                yield Entry(name, port)


def is_everything(text: str) -> bool:
    """Whether a value of ``NO_PROXY`` means all hosts."""
    return "*" in re.split(r"[\s,]+", text)


def is_direct(text: str, host: str, port: int) -> bool:
    """Whether a value of ``NO_PROXY`` means a host.

    Args:
        text: The value.
        host: The host's name or address.
        port: The port.
    """
    if not text:
        return False
    if is_everything(text):
        return True
    where: str | IPv4Address | IPv6Address = host.lower().strip("[]").rstrip(".")
    try:
        where = ip_address(host.strip("[]"))
        where = getattr(where, "ipv4_mapped", None) or where
    except ValueError:
        pass
    return any(entry.matches(where, port) for entry in parse(text))
