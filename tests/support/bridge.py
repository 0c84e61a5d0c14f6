"""A bridge, in a network of the tests' own, and a client behind it."""

import socket
import subprocess
import threading
from typing import Self

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from support import namespace
from support.bare import Bare

INTERFACE = "br0"
#: This machine, on the bridge.
GATEWAY = "10.9.0.1"
GATEWAY6 = "fd09::1"
#: What names stand for, to a client; nobody has these addresses.
ADDRESS = "198.51.100.7"
ADDRESS6 = "2001:db8::7"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


class Bridge:
    """A bridge that is a client's only way; the namespace has no other network."""

    def __enter__(self) -> Self:
        namespace.insist()
        _ip("link", "add", INTERFACE, "type", "bridge")
        _ip("addr", "add", f"{GATEWAY}/24", "dev", INTERFACE)
        _ip("addr", "add", f"{GATEWAY6}/64", "dev", INTERFACE, "nodad")
        _ip("link", "set", INTERFACE, "up")
        self._names = NameService(GATEWAY)
        return self

    def connect(self, client: Bare) -> None:
        """Plugs a client in."""
        _ip(
            "link", "add", "port1", "type", "veth", "peer", "name", "eth0", "netns", str(client.pid)
        )
        _ip("link", "set", "port1", "master", INTERFACE, "up")
        for command in (
            "link set lo up",
            "addr add 10.9.0.2/24 dev eth0",
            "addr add fd09::2/64 dev eth0 nodad",
            "link set eth0 up",
            f"route add default via {GATEWAY}",
            f"-6 route add default via {GATEWAY6}",
        ):
            client.outside("ip", *command.split())
        client.write("/etc/resolv.conf", f"nameserver {GATEWAY}\n")

    def __exit__(self, *_: object) -> None:
        self._names.close()
        _ip("link", "del", INTERFACE)


class NameService(threading.Thread):
    """Knows every name but `cachy.internal`; names that begin with ``six.`` have IPv6 alone."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self.start()

    def run(self) -> None:
        """Answers until it is closed."""
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
            except OSError:
                return
            reply = dns.message.make_response(dns.message.from_wire(query))
            question = reply.question[0]
            name = question.name.to_text(omit_final_dot=True)
            kind = dns.rdatatype.to_text(question.rdtype)
            wanted, address = ("AAAA", ADDRESS6) if name.startswith("six.") else ("A", ADDRESS)
            if name == "cachy.internal":
                reply.set_rcode(dns.rcode.NXDOMAIN)
            elif kind == wanted:
                reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, address))
            self._socket.sendto(reply.to_wire(), client)

    def close(self) -> None:
        """Falls silent."""
        self._socket.close()
