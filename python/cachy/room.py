"""Flow control between one client and its origins.

mitmproxy has one rule for a client and all its origins: after each piece that comes in, it waits
until everything that was written has gone out. A client that stalls would so stop the fetch that
others wait for. Here the two sides are apart: bytes are read for a client when its socket has room,
and an origin is held only when too much of what isn't going to the disk waits in memory.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from mitmproxy.connection import Client, Connection
from mitmproxy.proxy import commands

from cachy.compat import builtin
from cachy.intake import Intake

#: Bytes that wait for a client's socket before no more are read for it.
HIGH_WATER = 128 * 1024
#: Bytes that are taken from an origin's socket at once. mitmproxy's 64 KB are four times the work for
#: a large body; more than this asyncio doesn't have at once.
PIECE = 256 * 1024
#: Seconds after which a client that takes nothing is given up, as mitmproxy does with idle ones.
STALLED = 600.0


@dataclass
class Room:
    """Whose socket to wait for."""

    client: Client


@dataclass
class CachyRoomHook(commands.StartHook):
    """Completes when the client's socket has room again."""

    name = "cachy_room"
    room: Room


class Outlet:
    """A client's writer that doesn't hold up mitmproxy while bodies of ours are being sent."""

    def __init__(self, writer: Any) -> None:
        self.writer = writer
        self.bodies = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.writer, name)

    async def drain(self) -> None:
        """What mitmproxy waits for after each piece from anywhere."""
        if not self.bodies:
            await self.writer.drain()


class Inlet:
    """An origin's reader that can be held."""

    #: mitmproxy has seen all that came, and waits for more.
    waits = False

    def __init__(self, reader: Any, transport: Any) -> None:
        self.reader = reader
        self.transport = transport
        self.open = asyncio.Event()
        self.open.set()
        self.made: Intake | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reader, name)

    async def read(self, most: int) -> bytes:
        """As the original, once it isn't held."""
        if not self.open.is_set():
            await self.open.wait()
        self.waits = True
        try:
            data: bytes = await self.reader.read(max(most, PIECE))
        finally:
            self.waits = False
        return data

    @property
    def intake(self) -> Intake:
        """What stands before it, where it is a socket's."""
        if self.made is None:
            self.made = Intake(self.reader, self.transport)
        return self.made


def io_of(client: Client, connection: Connection) -> Any | None:
    """Reader and writer of a connection that belongs to a client, where it is open.

    Args:
        client: The client whose connections are looked through.
        connection: The client itself, or one of its server connections.
    """
    handler = builtin("proxyserver").connections.get(client.id)
    return None if handler is None else handler.transports.get(connection)


def begin(client: Client) -> None:
    """A body of ours begins to be sent to this client."""
    io = io_of(client, client)
    if io is not None and io.writer is not None:
        if not isinstance(io.writer, Outlet):
            io.writer = Outlet(io.writer)
        io.writer.bodies += 1


def end(client: Client) -> None:
    """A body of ours has been sent, or given up."""
    io = io_of(client, client)
    if io is not None and isinstance(io.writer, Outlet):
        io.writer.bodies -= 1


def has_room(client: Client) -> bool:
    """Whether the client's socket takes more bytes right now."""
    io = io_of(client, client)
    transport = None if io is None else getattr(io.writer, "transport", None)
    return transport is None or transport.get_write_buffer_size() < HIGH_WATER


async def wait(room: Room) -> None:
    """Waits for room, and lets others have their turn."""
    io = io_of(room.client, room.client)
    if io is not None and io.writer is not None:
        writer = io.writer.writer if isinstance(io.writer, Outlet) else io.writer
        try:
            await asyncio.wait_for(writer.drain(), STALLED)
        except TimeoutError:
            writer.transport.abort()
        except OSError:
            pass  # The client has gone, which mitmproxy is about to tell.
    await asyncio.sleep(0)


def make_holdable(client: Client, server: Connection) -> None:
    """Lets `hold` work on a connection that has just been opened."""
    io = io_of(client, server)
    if io is not None and io.reader is not None:
        io.reader = Inlet(io.reader, getattr(io.writer, "transport", None))


def hold(client: Client, server: Connection) -> None:
    """Stops reading from an origin."""
    io = io_of(client, server)
    if io is not None and isinstance(io.reader, Inlet):
        io.reader.open.clear()


def release(client: Client, server: Connection) -> None:
    """Goes on reading from an origin."""
    io = io_of(client, server)
    if io is not None and isinstance(io.reader, Inlet):
        io.reader.open.set()


def ended_cleanly(client: Client, server: Connection) -> bool:
    """Whether a connection that the origin closed was closed in good order, not reset."""
    io = io_of(client, server)
    exception = None if io is None else getattr(io.reader, "exception", None)
    return exception is None or exception() is None
