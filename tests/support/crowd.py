"""Clients that lead and follow at once: all ask for the same new URLs, each in an order of its own."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from .client import Connection, Incomplete
from .message import Request
from .origin import Origin
from .reply import Reply
from .wire import Target

#: Bytes of a body.
SIZE = 10_000
#: Seconds until the origin answers.
LATENCY = 0.05
#: Seconds in which a client must have its answer: less than a proxy's patience with a lost wake-up.
PATIENCE = 8.0


@dataclass
class Seen:
    """What the clients got."""

    answers: int = 0
    wrong: list[str] = field(default_factory=list)
    longest: float = 0.0


def ask_together(
    proxy: Target, origin: Origin, host: str, *, rounds: int, urls: int, clients: int, seed: int
) -> Seen:
    """Has `clients` clients, one HTTP/1.1 connection each, ask for `urls` URLs, `rounds` times anew.

    Args:
        proxy: Whom they ask.
        origin: Who answers the proxy, each time after `LATENCY`.
        host: The origin's host.
        rounds: How often; each has URLs of its own.
        urls: How many a round.
        clients: How many ask at a time.
        seed: Of the orders.
    """
    base, seen, lock = f"https://{host}", Seen(), threading.Lock()

    async def slowly(request: Request, reply: Reply) -> None:
        await asyncio.sleep(LATENCY)
        body = body_of(request.target)
        await reply.head(length=len(body))
        await reply.send(body)
        await reply.end()

    origin.handle(host, "*", slowly)

    def client(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        with Connection(proxy, base, timeout=PATIENCE) as connection:
            for turn in range(rounds):
                ready.wait(60)
                names = [f"/{turn}/{name}.bin" for name in range(urls)]
                chance.shuffle(names)
                ask(connection, names)

    def ask(connection: Connection, names: Sequence[str]) -> None:
        for name in names:
            begun = time.monotonic()
            try:
                reply = connection.fetch(base + name)
                well = reply.status == 200 and reply.body == body_of(name)
                wrong = "" if well else f"{name}: {reply.status} {reply.headers}"
            except (OSError, Incomplete) as error:
                wrong = f"{name}: {error!r}"
            with lock:
                seen.answers += 1
                seen.longest = max(seen.longest, time.monotonic() - begun)
                seen.wrong += [wrong] if wrong else []
            if wrong:
                ready.abort()
                raise AssertionError(wrong)

    ready = threading.Barrier(clients)
    threads = [threading.Thread(target=quietly, args=(client, n)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def quietly(client: Callable[[int], None], number: int) -> None:
    """Ends a client whose mistake is written down already, or that waits for one that made one."""
    with suppress(AssertionError, threading.BrokenBarrierError):
        client(number)


def body_of(name: str) -> bytes:
    """The body of a URL."""
    return (name.encode() * SIZE)[:SIZE]
