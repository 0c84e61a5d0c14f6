"""Parts of `cachy.enclosure` that need no namespace."""

import socket
import sys
from ipaddress import IPv4Address, IPv6Address

import dns.message
import dns.rcode
import pytest

if sys.platform != "linux":
    pytest.skip("namespaces are Linux's", allow_module_level=True)

from cachy.enclosure.gate import authority
from cachy.enclosure.names import Names, answer
from cachy.enclosure.orders import tell
from cachy.enclosure.relay import Relay


def ask(names: Names, name: str, kind: str) -> tuple[int, list[str]]:
    """Code and answers."""
    reply = answer(names, dns.message.make_query(name, kind).to_wire())
    assert reply
    message = dns.message.from_wire(reply)
    return message.rcode(), [str(each[0]) for each in message.answer]


def test_names() -> None:
    """Each has one address, whatever its case; of IPv6 there is none, and localhost is real."""
    names = Names()
    assert ask(names, "Pypi.example.", "A") == (dns.rcode.NOERROR, ["198.18.0.2"])
    assert ask(names, "files.example", "A") == (dns.rcode.NOERROR, ["198.18.0.3"])
    assert ask(names, "pypi.example", "A") == (dns.rcode.NOERROR, ["198.18.0.2"])
    assert ask(names, "pypi.example", "AAAA") == (dns.rcode.NOERROR, [])
    assert ask(names, "pypi.example", "HTTPS") == (dns.rcode.NOERROR, [])
    assert ask(names, "a.localhost", "A") == (dns.rcode.NOERROR, ["127.0.0.1"])
    assert ask(names, "no\\032name.example", "A") == (dns.rcode.NXDOMAIN, [])
    assert names.name(IPv4Address("198.18.0.3")) == "files.example"
    for junk in (b"", b"\0", b"\xff" * 40, dns.message.make_query("a.example", "A").to_wire()[:-3]):
        assert answer(names, junk) is None


def test_no_address_is_left() -> None:
    """Then a name has none."""
    names = Names()
    for number in range(2**17 - 3):
        assert names.address(f"h{number}.example")
    assert ask(names, "one-more.example", "A") == (dns.rcode.SERVFAIL, [])
    assert ask(names, "h7.example", "A")[1] == ["198.18.0.9"]


def test_authority() -> None:
    """A name, where the address stands for one."""
    names = Names()
    names.address("pypi.example")
    assert authority(names, "::ffff:198.18.0.2", 443) == "pypi.example:443"
    assert authority(names, "198.18.0.2", 80) == "pypi.example:80"
    assert authority(names, "::ffff:192.0.2.1", 80) == "192.0.2.1:80"
    assert authority(names, "2001:db8::1", 443) == "[2001:db8::1]:443"
    assert authority(names, "fe80::1%lo", 443) == f"[{IPv6Address('fe80::1')}]:443"


@pytest.mark.parametrize("taken", [True, False])
def test_relay(taken: bool) -> None:
    """It tells the proxy the run and the login; where the proxy refuses, the connection breaks off."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client, far = socket.socketpair()
    with ours, theirs, client, socket.create_server(("127.0.0.1", 0)) as proxy:
        url = f"http://me:s%3Ae@127.0.0.1:{proxy.getsockname()[1]}"
        with Relay(ours, url, "ab" * 16), far:
            tell(theirs, {"to": "a.example:443"}, (far.fileno(),))
            far.close()
            client.settimeout(10)
            client.sendall(b"hello")
            connection, _ = proxy.accept()
            with connection:
                head = connection.recv(1 << 16)
                assert head.split(b"\r\n") == [
                    b"CONNECT a.example:443 HTTP/1.1",
                    b"Host: a.example:443",
                    b"Cachy-Run: " + b"ab" * 16,
                    b"Proxy-Authorization: Basic bWU6czpl",
                    b"",
                    b"",
                ]
                if not taken:
                    connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                    assert client.recv(9) == b""
                    return
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                assert connection.recv(9) == b"hello"
                connection.sendall(b"bye")
                assert client.recv(9) == b"bye"
                # One side may end before the other.
                client.shutdown(socket.SHUT_WR)
                assert connection.recv(9) == b""
                connection.sendall(b"more")
                connection.shutdown(socket.SHUT_WR)
                assert (client.recv(9), client.recv(9)) == (b"more", b"")
