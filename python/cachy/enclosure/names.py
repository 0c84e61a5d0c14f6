"""The name service inside: every name has an address, which stands for it."""

import asyncio
import re
import socket
from ipaddress import IPv4Address, IPv6Address

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from cachy.enclosure.network import NAMED

_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_TTL = 600
#: How long a question over TCP may take to arrive, in seconds.
_PATIENCE = 10


class Names:
    """Names and their addresses, for as long as the command runs."""

    def __init__(self) -> None:
        self._addresses: dict[str, IPv4Address] = {}
        self._names: dict[IPv4Address, str] = {}
        # The first is the network's, the second loopback's.
        self._free = iter(range(int(NAMED[2]), int(NAMED[-1])))

    def address(self, name: str) -> IPv4Address | None:
        """The address of a name in lower case; None where none is left."""
        if name == "localhost" or name.endswith(".localhost"):
            return IPv4Address("127.0.0.1")
        if name not in self._addresses:
            number = next(self._free, None)
            if number is None:
                return None
            self._addresses[name] = IPv4Address(number)
            self._names[IPv4Address(number)] = name
        return self._addresses[name]

    def name(self, address: IPv4Address | IPv6Address) -> str | None:
        """The name that an address stands for."""
        return self._names.get(address) if isinstance(address, IPv4Address) else None


def answer(names: Names, query: bytes) -> bytes | None:
    """Answers one message (RFC 1035); None for what is none.

    There is nothing but addresses, and of these none of IPv6.
    """
    try:
        message = dns.message.from_wire(query, ignore_trailing=True)
        response = dns.message.make_response(message, recursion_available=True)
    except dns.exception.DNSException:
        return None
    if message.opcode() != dns.opcode.QUERY or len(message.question) != 1:
        response.set_rcode(dns.rcode.NOTIMP)
        return response.to_wire()
    question = message.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    if not _HOST.fullmatch(name):
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif (question.rdclass, question.rdtype) == (dns.rdataclass.IN, dns.rdatatype.A):
        if address := names.address(name):
            found = dns.rrset.from_text(question.name, _TTL, "IN", "A", str(address))
            response.answer.append(found)
        else:
            response.set_rcode(dns.rcode.SERVFAIL)
    return response.to_wire()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, names: Names) -> None:
        self._names = names

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if reply := answer(self._names, data):
            self._transport.sendto(reply, addr)


def sockets() -> tuple[socket.socket, socket.socket]:
    """What the name service listens on: for datagrams, and for connections.

    Raises:
        OSError: The port is taken.
    """
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 53))
    return datagrams, socket.create_server(("127.0.0.1", 53))


async def serve(names: Names, datagrams: socket.socket, connections: socket.socket) -> None:
    """Answers from now on."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                size = int.from_bytes(await reader.readexactly(2))
                reply = answer(names, await reader.readexactly(size)) or b""
                writer.write(len(reply).to_bytes(2) + reply)
                await writer.drain()
        except (OSError, EOFError, TimeoutError):
            pass
        finally:
            writer.close()

    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Datagrams(names), sock=datagrams)
    await asyncio.start_server(talk, sock=connections)
