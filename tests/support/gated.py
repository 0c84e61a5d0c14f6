"""Handlers that wait until the test lets them go on."""

from collections.abc import Callable

from .gate import Gate
from .message import HeadersLike, Request
from .origin import Origin
from .pattern import Pattern
from .reply import Handler, Reply


async def in_parts(
    reply: Reply,
    pattern: Pattern,
    first: int,
    gate: Gate,
    headers: HeadersLike | None = None,
    chunked: bool = False,
) -> None:
    """Sends `first` bytes of the body; the rest when the gate is open."""
    await reply.head(headers=headers, length=None if chunked else pattern.size, chunked=chunked)
    for chunk in pattern.chunks(0, first):
        await reply.send(chunk)
    await gate.passed()
    for chunk in pattern.chunks(first):
        await reply.send(chunk)
    await reply.end()


def in_two(
    origin: Origin,
    pattern: Pattern,
    first: int,
    *,
    headers: HeadersLike | None = None,
    chunked: bool = False,
) -> tuple[Handler, Callable[[], None]]:
    """A handler that sends `first` bytes of the body, and what has it send the rest."""
    gate = origin.gate()

    async def handler(_: Request, reply: Reply) -> None:
        await in_parts(reply, pattern, first, gate, headers, chunked)

    return handler, gate.open


def before_head(origin: Origin, answer: Handler) -> tuple[Handler, Callable[[], None]]:
    """A handler that says nothing, and what has it answer."""
    gate = origin.gate()

    async def handler(request: Request, reply: Reply) -> None:
        await gate.passed()
        await answer(request, reply)

    return handler, gate.open


async def hang_up(_: Request, reply: Reply) -> None:
    """Breaks off in the place of an answer."""
    reply.abort()
