"""Waiting until a client takes more bytes: a hook of our own between two pieces of a body."""

import asyncio
from dataclasses import dataclass
from typing import Any

from mitmproxy.connection import Client, Connection
from mitmproxy.proxy import commands

from cachy.compat import builtin

#: Bytes that wait for a client's socket before no more are read for it.
HIGH_WATER = 128 * 1024
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


def io_of(client: Client, connection: Connection) -> Any | None:
    """Reader and writer of a connection that belongs to a client, where it is open.

    Args:
        client: The client whose connections are looked through.
        connection: The client itself, or one of its server connections.
    """
    handler = builtin("proxyserver").connections.get(client.id)
    return None if handler is None else handler.transports.get(connection)


def has_room(client: Client) -> bool:
    """Whether the client's socket takes more bytes right now."""
    io = io_of(client, client)
    transport = None if io is None else getattr(io.writer, "transport", None)
    return transport is None or transport.get_write_buffer_size() < HIGH_WATER


async def wait(room: Room) -> None:
    """Waits for room, and lets others have their turn."""
    io = io_of(room.client, room.client)
    if io is not None and io.writer is not None:
        try:
            await asyncio.wait_for(io.writer.drain(), STALLED)
        except TimeoutError:
            io.writer.transport.abort()
        except OSError:
            pass  # The client has gone, which mitmproxy is about to tell.
    await asyncio.sleep(0)


def hold(client: Client, server: Connection, reading: bool) -> None:
    """Stops reading from an origin, or goes on."""
    io = io_of(client, server)
    transport = None if io is None else getattr(io.writer, "transport", None)
    if transport is not None:
        if reading:
            transport.resume_reading()
        else:
            transport.pause_reading()


def ended_cleanly(client: Client, server: Connection) -> bool:
    """Whether a connection that the origin closed was closed in good order, not reset."""
    io = io_of(client, server)
    reader = None if io is None else io.reader
    exception = getattr(reader, "exception", None)
    return exception is None or exception() is None
