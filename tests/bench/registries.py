"""What real clients fetch when they are measured: a registry of crates, an index of wheels, far away."""

import asyncio
from collections.abc import Sequence

from clients.repo_cargo import Crate
from clients.repo_python import Wheel, build
from clients.repository import payload
from support.message import Request
from support.origin import Origin
from support.reply import Reply

#: Seconds to the origin and back.
AWAY = 0.05
#: So many each of them needs, as those of real projects need others in turn.
NEEDS = 5
#: What public registries say of their index; `PythonRepository` says the same.
FRESH = {"Cache-Control": "public,max-age=600"}
#: Seconds after which that index is due.
LONG = 3_600


def _name(number: int) -> str:
    return f"part{number:03}"


def _needs(number: int, count: int) -> list[str]:
    first = NEEDS * number + 1
    return [_name(other) for other in range(first, min(first + NEEDS, count))]


def crates(count: int) -> Sequence[Crate]:
    """So many of 20 KB, all needed by the first, which is the one that `Cargo` asks for."""
    return [
        Crate(
            _name(number) if number else "wide-root",
            "1.0.0",
            f"// {payload(10_000, _name(number)).hex()}\n".encode(),
            _needs(number, count),
        )
        for number in range(count)
    ]


def wheels(count: int) -> Sequence[Wheel]:
    """So many of 20 KB, all needed by the first."""
    return [
        build(_name(number), "1.0", requires=_needs(number, count), size=20_000)
        for number in range(count)
    ]


class Distant(Origin):
    """An origin that is far away: each answer takes its time, and a connection (TCP, TLS) twice as long."""

    async def answer(self, request: Request, reply: Reply) -> None:
        """See `Routes.answer`."""
        await asyncio.sleep(AWAY)
        await super().answer(request, reply)

    async def _serve(
        self, scheme: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await asyncio.sleep(2 * AWAY)
        await super()._serve(scheme, reader, writer)
