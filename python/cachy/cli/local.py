"""This machine in the words of ``NO_PROXY``, which every client reads in its own way."""

import importlib.util
import re
from ipaddress import IPv4Network, ip_address, ip_network
from pathlib import Path

from cachy._core import is_private_host, this_machine
from cachy.cli.through import HOST

#: What means this machine, whichever it is: names with their subdomains (.NET, Node and undici want the
#: dot for these), the addresses that servers listen on, networks (curl since 7.86, Go, requests,
#: reqwest) and ranges (Node). What knows neither, such as older curl, wget and urllib, gets the
#: addresses that tests and Debian's hosts files use. Addresses of IPv6 without brackets, which urllib and
#: npm want: httpx adds its own and would not even start, and npm itself can't connect to one.
ANY = (
    *("localhost", ".localhost"),
    *("127.0.0.1", "::1", "0.0.0.0", "::"),
    *("127.0.0.0/8", "127.0.0.0-127.255.255.255"),
    *("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.1.1"),
)
#: The same in Java's words (``http.nonProxyHosts``), as its own default has it.
ANY_JAVA = ("localhost", "*.localhost", "127.*", "[::1]", "0.0.0.0", "[::]", "[::0]")
#: Of names and of addresses; a hosts file may have thousands, to keep advertisers away.
MOST = 32


def names() -> list[str]:
    """This machine's names that clients may take for a suffix of others, as nearly all of them do."""
    found = [name for name in this_machine()[0] if not is_suffix(name) and name != "localhost"]
    return found[:MOST]


def addresses() -> list[str]:
    """The addresses of its interfaces that mean it without a scope."""
    found = [ip_address(each) for each in this_machine()[1]]
    return [str(each) for each in found if not (each.is_loopback or each.is_link_local)][:MOST]


def words() -> list[str]:
    """All words for this very machine."""
    return [*ANY, *names(), *addresses()]


def java_words(text: str) -> list[str]:
    """The words of a value of ``NO_PROXY`` that Java has a spelling for, and `ANY_JAVA` hasn't."""
    found = [java_word(word) for word in re.split(r"[\s,]+", text) if word and word not in ANY]
    return [word for word in found if word not in ANY_JAVA]


def is_suffix(name: str) -> bool:
    """Whether other machines are below a name: one called ``dev`` is no reason to ask all of ``.dev``
    directly.
    """
    if "." not in name and is_private_host(f"x.{name}"):
        return True
    return f".{HOST}".endswith(f".{name}") or is_public(name)


def is_public(name: str) -> bool:
    """Whether a name is a public suffix, by the list that mitmproxy brings (https://publicsuffix.org)."""
    # Read as it is: the package would take a tenth of a second.
    spec = importlib.util.find_spec("publicsuffix2")
    if spec is None or spec.origin is None:
        return False
    try:
        rules = Path(spec.origin).with_name("public_suffix_list.dat").read_text("utf-8")
    except OSError:
        return False
    return f"\n{name}\n" in rules


def java_word(word: str) -> str:
    """A word of ``NO_PROXY`` in Java's spelling, as far as that has one."""
    word = word.strip()
    if word.startswith("."):
        return f"*{word}"
    try:
        network = ip_network(word)
    except ValueError:
        return word
    if isinstance(network, IPv4Network):
        octets = str(network.network_address).split(".")
        whole, rest = divmod(network.prefixlen, 8)
        return word if rest or whole == 4 else ".".join([*octets[:whole], "*"])
    return f"[{word}]" if "/" not in word else word
